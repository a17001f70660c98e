import importlib
import json
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from stdpose_mm.constants import LABEL_FORMATS
from stdpose_mm.errors import InputError, InputWarning, installation_command
from stdpose_mm.io.labels import (
    read_all_labels,
    read_labels,
    sniff_format,
    write_label_list,
    write_labels,
)
from support.foreign_labels import mmpose_instance, openpose, openpose_person
from support.label_samples import sample
from support.paths import ROOT

CONVERTER = ROOT / 'tools' / 'dataset_converters' / 'convert_labels.py'
GOLDEN = ROOT / 'tests' / 'data' / 'posetrack_eval'


@pytest.mark.parametrize('name', LABEL_FORMATS)
def test_the_functions_of_a_declaration_exist(name: str):
    form = LABEL_FORMATS[name]
    functions = (form.read, form.write, form.is_json, form.is_bytes, form.is_folder)

    assert form.read or form.write
    for module, function in (text.split(':') for text in functions if text):
        assert callable(
            getattr(importlib.import_module(f'stdpose_mm.io.labels.{module}'), function)
        )


def test_the_guide_has_the_table_of_the_declarations():
    guide = (ROOT / 'docs' / 'guide' / 'label_formats.md').read_text()
    rows = []
    for name, form in LABEL_FORMATS.items():
        reads = 'yes' if form.read else 'no'
        writes = 'a folder' if form.to_folder else 'yes' if form.write else 'no'
        rows.append(f'| `{name}` | {form.what} | {reads} | {writes} |\n')

    assert ''.join(rows) in guide


@pytest.mark.parametrize(
    ('fields', 'image_fields', 'found'),
    [
        ({'videos': []}, {}, 'coco'),
        ({}, {'video_id': 1}, 'coco'),
        ({}, {'video_id': 1, 'is_labeled': True}, 'coco'),
        ({}, {'is_labeled': True}, 'posetrack18'),
        ({}, {'nframes': 5}, 'posetrack18'),
        ({'annotations': [{'bbox_head': [1, 2, 3, 4]}]}, {}, 'posetrack18'),
        ({}, {}, 'coco'),
    ],
)
def test_videos_in_a_file_or_at_its_images_make_it_coco(
    tmp_path: Path, fields: dict, image_fields: dict, found: str
):
    """PoseTrack's own files hold one video and do not number it."""
    path = tmp_path / 'a.json'
    path.write_text(json.dumps({'images': [{'id': 1, **image_fields}], **fields}))

    assert sniff_format(path) == found


@pytest.fixture
def label_folder(tmp_path: Path) -> Path:
    """Two label files of one video each; the images have ids of their own in each of them."""
    folder = tmp_path / 'annotations'
    folder.mkdir()
    for i, name in enumerate(('first', 'second')):
        labels = sample(name=name)
        frames = tuple(replace(f, image_id=1000 * i + f.index) for f in labels.frames)
        write_labels(replace(labels, frames=frames), folder / f'{name}.json')
    return folder


def test_the_command_puts_the_videos_of_many_files_into_one(label_folder: Path, run_tool: Callable):
    out = label_folder.parent / 'all.json'
    assert run_tool(CONVERTER, label_folder, out, '--to', 'coco') == (0, '')

    videos = read_all_labels(out, 'coco')
    assert [labels.name for labels in videos] == ['first', 'second']
    assert [len(labels.persons) for labels in videos] == [3, 3]
    ids = [[frame.image_id for frame in labels.frames] for labels in videos]
    assert ids == [[0, 1, 2], [1000, 1001, 1002]]


@pytest.mark.parametrize(
    ('listed', 'options', 'told'),
    [
        ((), (), 'many label files, but --to posetrack18 works for one only'),
        ((), ('--to', 'cvat'), 'many label files, but --to cvat works for one only'),
        ((), ('--to', 'coco', '--video', 'first'), 'but --video works for one only'),
        ((), ('--to', 'coco', '--loaded-into-cvat', 'x.xml'), 'but --loaded-into-cvat works'),
        (('annotations', 'other'), ('--to', 'coco'), "holds 2 videos named 'first'"),
    ],
)
def test_the_command_refuses_many_files_that_make_no_file(
    label_folder: Path, run_tool: Callable, listed: tuple, options: tuple[str, ...], told: str
):
    given, out = label_folder, label_folder.parent / 'out.json'
    if listed:
        shutil.copytree(label_folder, label_folder.parent / 'other')
        given = label_folder.parent / 'files.txt'
        write_label_list(given, [str(given.parent / name / 'first.json') for name in listed])
    code, errors = run_tool(CONVERTER, given, out, *options)

    assert code == 2
    assert len(errors.splitlines()) == 1
    assert told in errors
    assert not out.exists()


def mmpose_json(joints: int) -> list[dict]:
    instance = mmpose_instance([[5.0, 6.0]] * joints, [0.5] * joints)
    return [{'frame_id': 0, 'instances': [instance]}]


@pytest.mark.parametrize(
    ('name', 'content', 'told', 'last'),
    [
        ('a_1.json', openpose(openpose_person(*[5, 6, 0.5] * 17)), 'COCO', 'right_ankle'),
        ('a_1.json', mmpose_json(17), 'COCO', 'right_ankle'),
        ('a_1.txt', '0 0.5 0.5 1 1' + ' 0.5 0.5 0.9' * 17 + ' 0.875 3', 'COCO', 'right_ankle'),
        (
            'a.json',
            [{'image_id': 1, 'keypoints': [5, 6, 0.5] * 26, 'score': 0.5}],
            'Halpe .AlphaPose',
            'right_heel',
        ),
        ('a_1.txt', '0 0.5 0.5 1 1' + ' 0.5 0.5 2' * 3, 'as joint_0 to joint_2', 'joint_2'),
    ],
)
def test_joints_without_names_are_those_of_the_tools_and_it_is_told(
    tmp_path: Path, name: str, content: object, told: str, last: str
):
    text = content if isinstance(content, str) else json.dumps(content)
    (tmp_path / name).write_text(text)

    with pytest.warns(InputWarning, match=f'keypoints, they are read .*{told}'):
        labels = read_labels(tmp_path / name, size=(64, 48))
    assert labels.skeleton.keypoint_names[-1] == last


@pytest.mark.parametrize(
    ('package', 'suffix', 'name', 'extra'),
    [('h5py', 'h5', 'h5py', 'deeplabcut'), ('sleap_io', 'slp', 'sleap-io', 'sleap')],
)
def test_without_a_package_the_user_is_told_what_to_install(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    package: str,
    suffix: str,
    name: str,
    extra: str,
):
    monkeypatch.setitem(sys.modules, package, None)
    path, out = tmp_path / f'a.{suffix}', tmp_path / f'b.{suffix}'
    path.write_bytes(b'\x89HDF\r\n\x1a\n')

    command = re.escape(installation_command(extra))
    with pytest.raises(InputError, match=rf'a\.{suffix} needs {name}, .*: run `{command}`$'):
        read_labels(path)
    with pytest.raises(InputError, match=f'writing the format .* needs {name}'):
        write_labels(sample(), out)
    assert not out.exists()


@pytest.mark.parametrize(
    ('format', 'last'),
    [('openpose', '000002_keypoints'), ('labelme', '000002'), ('yolo-pose', '000002')],
)
def test_a_folder_of_other_files_is_not_written_to(tmp_path: Path, format: str, last: str):
    """They would be read as labels of the same video."""
    for _ in range(2):
        write_labels(sample(), tmp_path, format)
    fewer = sample(frames=sample().frames[:2], persons=())
    end = 'txt' if format == 'yolo-pose' else 'json'

    told = rf"holds 1 other {end.upper()} file, such as '{last}\.{end}', which would be read"
    with pytest.raises(InputError, match=told):
        write_labels(fewer, tmp_path, format)
    (tmp_path / 'file').touch()
    with pytest.raises(InputError, match='file is a file, expected a folder to write to'):
        write_labels(fewer, tmp_path / 'file', format)
