import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import (
    read_all_labels,
    read_labels,
    sniff_format,
    write_label_list,
    write_labels,
)
from support.label_samples import sample
from support.paths import ROOT

CONVERTER = ROOT / 'tools' / 'dataset_converters' / 'convert_labels.py'
GOLDEN = ROOT / 'tests' / 'data' / 'posetrack_eval'


@pytest.mark.parametrize(
    ('target', 'found'),
    [
        ('posetrack18', 'posetrack18'),
        ('posetrack21', 'posetrack18'),
        ('posetrack18-official', 'posetrack18'),
        ('coco', 'coco'),
        ('cvat', 'cvat'),
    ],
)
def test_the_format_of_a_written_file_is_found(tmp_path: Path, target: str, found: str):
    write_labels(sample(), tmp_path / 'labels', target)

    assert sniff_format(tmp_path / 'labels') == found
    assert sum(p.is_located for p in read_labels(tmp_path / 'labels').persons) == 3


@pytest.mark.parametrize(
    ('path', 'found'),
    [
        ('pt17/annolist/000342_mpii.json', 'posetrack17'),
        ('pt17/expected18/000342_mpii_test.json', 'posetrack18'),
        ('dense/gt/020001_mpii_test.json', 'posetrack18'),
        ('dense/pred/020001_mpii_test.json', 'posetrack18'),
    ],
)
def test_the_format_of_posetracks_files_is_found(path: str, found: str):
    assert sniff_format(GOLDEN / path) == found


@pytest.mark.parametrize(
    ('fields', 'image_fields', 'found'),
    [
        ({'videos': []}, {}, 'coco'),
        ({}, {'video_id': 1}, 'coco'),
        ({'videos': []}, {'is_labeled': True}, 'coco'),
        ({}, {'video_id': 1, 'is_labeled': True}, 'coco'),
        ({}, {'is_labeled': True}, 'posetrack18'),
        ({}, {'nframes': 5}, 'posetrack18'),
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


def test_an_unknown_format_is_refused(tmp_path: Path):
    write_labels(sample(), tmp_path / 'a.json')

    with pytest.raises(InputError, match=r"must be one of posetrack17, .*, got 'yolo'"):
        read_labels(tmp_path / 'a.json', 'yolo')
    with pytest.raises(InputError, match=r"must be one of posetrack18, .*, got 'yolo'"):
        write_labels(sample(), tmp_path / 'b.json', 'yolo')


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


@pytest.mark.parametrize('listed', [False, True])
def test_the_command_puts_the_videos_of_many_files_into_one(
    label_folder: Path, run_tool: Callable, listed: bool
):
    given, out = label_folder, label_folder.parent / 'all.json'
    if listed:
        given = label_folder.parent / 'files.txt'
        write_label_list(given, [str(file) for file in sorted(label_folder.iterdir())])
    assert run_tool(CONVERTER, given, out, '--to', 'coco') == (0, '')

    videos = read_all_labels(out, 'coco')
    assert [labels.name for labels in videos] == ['first', 'second']
    assert [len(labels.persons) for labels in videos] == [3, 3]
    ids = [[frame.image_id for frame in labels.frames] for labels in videos]
    assert ids == [[0, 1, 2], [1000, 1001, 1002]]


@pytest.mark.parametrize(
    ('options', 'told'),
    [
        ((), 'many label files, but --to posetrack18 works for one only'),
        (('--to', 'cvat'), 'many label files, but --to cvat works for one only'),
        (('--to', 'coco', '--video', 'first'), 'many label files, but --video works for one only'),
        (
            ('--to', 'coco', '--loaded-into-cvat', 'x.xml'),
            'but --loaded-into-cvat works for one only',
        ),
    ],
)
def test_the_command_refuses_many_files_for_one_video(
    label_folder: Path, run_tool: Callable, options: tuple[str, ...], told: str
):
    out = label_folder.parent / 'out.json'
    code, errors = run_tool(CONVERTER, label_folder, out, *options)

    assert code == 2
    assert len(errors.splitlines()) == 1
    assert told in errors
    assert not out.exists()


def test_the_command_refuses_videos_of_the_same_name(label_folder: Path, run_tool: Callable):
    other = label_folder.parent / 'other'
    other.mkdir()
    shutil.copy(label_folder / 'first.json', other)
    files = label_folder.parent / 'files.txt'
    write_label_list(files, [str(label_folder / 'first.json'), str(other / 'first.json')])
    code, errors = run_tool(CONVERTER, files, other / 'out.json', '--to', 'coco')

    assert code == 2
    assert "holds 2 videos named 'first'" in errors
    assert not (other / 'out.json').exists()
