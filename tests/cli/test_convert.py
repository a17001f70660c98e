from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from stdpose_mm.cli import convert, propagate
from stdpose_mm.constants import WRITE_FORMATS
from stdpose_mm.io.labels import read_labels, write_labels
from stdpose_mm.structures import PersonLabel, VideoFrame
from support.foreign_labels import MMPOSE_META, labelme, labelme_shape, mmpose_instance, write_json
from support.label_samples import sample
from support.refusals import refusal

DOCUMENT = {
    'meta_info': MMPOSE_META,
    'instance_info': [
        {'frame_id': 1, 'instances': [mmpose_instance([[11, 12], [13, 14]], [0.9, 0.25])]},
        {'frame_id': 9, 'instances': [mmpose_instance([[31, 22], [33, 24]], [0.25, 0.2])]},
    ],
}


@pytest.fixture
def run(run_main):
    return partial(run_main, convert.main)


@pytest.fixture
def estimates(tmp_path: Path) -> Path:
    return write_json(tmp_path / 'results.json', DOCUMENT)


@pytest.fixture
def labelme_folder(tmp_path: Path) -> Path:
    for index in (0, 8):
        shapes = [labelme_shape(name, [[20 + index, 30]]) for name in ('head',)]
        write_json(tmp_path / 'clip' / f'{index:06d}.json', labelme(f'{index:06d}.jpg', *shapes))
    return tmp_path / 'clip'


def test_a_folder_of_pictures_is_one_video(run, labelme_folder, tmp_path):
    code, _, errors = run(labelme_folder, tmp_path / 'out.json')

    assert (code, errors) == (0, [])
    assert [p.frame_index for p in read_labels(tmp_path / 'out.json').persons] == [0, 8]


def test_all_frames_and_poses_are_counted(run, folder, label_file, tmp_path):
    dense = tmp_path / 'dense.json'
    assert (
        propagate.main([*map(str, [folder, label_file, '--out', dense, '--method', 'flow'])]) == 0
    )
    code, printed, _ = run(dense, tmp_path / 'dense.xml')
    assert code == 0
    counts = '9 frames, 2 people, 6 given and 12 propagated poses'
    *_, labels, files = printed.splitlines()
    assert labels.endswith(f'dense: {counts}; labels on frames 0, 4, 8, read from frame_index')
    assert files == f'written: {tmp_path / "dense.xml"}'


def test_the_label_of_a_cvat_task_is_named_too(run, label_file, tmp_path):
    out = tmp_path / 'label.json'
    assert run(label_file, out, '--to', 'cvat-labels') == (0, f'written: {out}\n', [])


@pytest.mark.parametrize('several', [False, True])
def test_a_v_of_1_may_be_said_to_be_visible(run, tmp_path, several):
    document = {
        'images': [{'id': 1, 'file_name': 'clip/000000.jpg'}],
        'annotations': [{'id': 1, 'image_id': 1, 'keypoints': [5, 6, 1]}],
        'categories': [{'id': 1, 'name': 'person', 'keypoints': ['nose']}],
    }
    given = write_json(tmp_path / 'labels' / 'clip.json', document)
    out = tmp_path / 'out.json'
    told = run(given.parent if several else given, out, '--to', 'coco')[2]
    assert '--visible-as-1' in told[0]
    assert read_labels(out, 'coco').persons[0].visibility.tolist() == [1]

    told = run(given.parent if several else given, out, '--to', 'coco', '--visible-as-1')[2]
    assert not any('visible-as-1' in line for line in told)
    assert read_labels(out, 'coco').persons[0].visibility.tolist() == [2]


@pytest.mark.parametrize('number', [1, 2])
def test_people_who_seem_to_be_labelled_twice_are_told(run, tmp_path, number):
    """As of two jobs of CVAT that overlap."""
    walk = {0: (0, 14, 28), 1: (27, 41)}
    people = [
        PersonLabel(f, [[f, 50], [40 + f, 10], [70 + f, 90]], [2, 2, 2], track_id=i)
        for i in range(number)
        for f in walk[i]
    ]
    labels = sample(frames=tuple(map(VideoFrame, range(60))), persons=people)
    write_labels(labels, tmp_path / 'in.json', 'coco')
    code, _, errors = run(tmp_path / 'in.json', tmp_path / 'out.xml')

    assert code == 0
    assert [line for line in errors if 'lie on each other' in line] == [
        'convert_labels.py: clip: person 0 and person 1 in frames 27-28 lie on each other, as if '
        'one person were labelled twice: if so, remove one of the two labels or, if one track '
        'continues the other (overlapping jobs of CVAT), give both the same number, otherwise they '
        'are propagated as separate tracks'
    ] * (number - 1)


def test_times_follow_the_frame_rate(run, estimates, tmp_path):
    out = tmp_path / 'out.csv'
    assert run(estimates, out, '--to', 'tidy-csv', '--fps', '50')[0] == 0
    rows = [line.split(',') for line in out.read_text().splitlines()]
    assert [row[:2] for row in rows[1:]] == [['0', '0.0']] * 2 + [['8', '0.16']] * 2


def test_certain_estimates_become_labels_and_the_others_are_to_be_propagated(
    run, estimates, tmp_path
):
    out = tmp_path / 'labels.json'
    assert run(estimates, out, '--as-given', '0.25')[0] == 0
    first, second = json.loads(out.read_text())['annotations']

    assert (first['source'], first['keypoint_sources']) == ('given', ['given', 'given'])
    assert (second['source'], second['keypoint_sources']) == ('given', ['given', 'propagated'])
    assert second['keypoints'] == [31, 22, 2, 0, 0, 0]


def test_only_given_labels_are_converted(run, estimates, tmp_path):
    """No joint of the second frame scores enough to be taken for given."""
    out = tmp_path / 'labels.json'
    assert run(estimates, out, '--as-given', '0.5', '--given-only')[0] == 0
    labels = read_labels(out)

    assert [frame.index for frame in labels.frames] == [0]
    (person,) = labels.persons
    assert person.keypoints[0].tolist() == [11, 12]
    assert person.labelled.tolist() == [True, False]


@pytest.mark.slow
def test_estimates_are_not_propagated_as_if_a_person_had_given_them(
    run, run_main, estimates, movie, tmp_path
):
    dense, labels = tmp_path / 'dense.json', tmp_path / 'labels.json'
    line = refusal(run_main, propagate.main, movie, estimates, '--method', 'linear', '--out', dense)
    assert 'holds 2 poses estimated by a network' in line
    assert '--as-given' in line
    assert not dense.exists()

    assert run(estimates, labels, '--as-given', '0')[0] == 0
    code, _, errors = run_main(propagate.main, movie, labels, '--method', 'linear', '--out', dense)
    assert code == 0, errors


@pytest.mark.slow
def test_fractions_are_those_of_the_video(run_main, movie, tmp_path):
    folder = tmp_path / 'yolo'
    folder.mkdir()
    for frame in (0, 8):
        (folder / f'clip_{frame}.txt').write_text('0 0.5 0.5 0.5 0.5 0.25 0.5 2 0.5 0.25 2')
    (folder / 'data.yaml').write_text('kpt_shape: [2, 3]\nkpt_names: {0: [head, hand]}')
    out = tmp_path / 'dense.json'
    code, _, errors = run_main(propagate.main, movie, folder, '--method', 'linear', '--out', out)

    assert code == 0, errors
    labels = read_labels(out)
    assert len(labels.persons) == 9
    # The video of the fixture is 96x80.
    assert labels.persons[4].keypoints.tolist() == [[24, 40], [48, 20]]


@pytest.mark.parametrize('target', ['labelme', 'yolo-pose', 'label-studio'])
def test_labels_go_to_tools_and_back(run, estimates, tmp_path, target):
    out, size = tmp_path / f'out{WRITE_FORMATS[target][0]}', ('--labels-size', '64x48')
    needs_size = target != 'labelme'
    code, _, errors = run(estimates, out, '--to', target, '--as-given', '0')
    if needs_size:
        assert code == 2
        assert 'does not state that of frame 0, give --labels-size' in errors[-1]
        assert run(estimates, out, '--to', target, '--as-given', '0', *size)[0] == 0
    options = size if target == 'yolo-pose' else ()
    code, _, errors = run(out, tmp_path / 'back.json', *options)

    assert code == 0, errors
    people = read_labels(tmp_path / 'back.json').persons
    assert [p.frame_index for p in people] == [0, 8]
    np.testing.assert_allclose(people[1].keypoints, [[31, 22], [33, 24]])


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        ('SAMPLE out.trc --to trc', 'give the frames per second of the video with --fps'),
        ('SAMPLE out.xml --fps 25', '--fps would have no effect: give a format with times'),
        ('SAMPLE out.json --to coco --labels-size 64x48', '--labels-size would have no effect'),
        ('in out.json --to coco --labels-size 64x48', '--labels-size would have no effect'),
        (
            'SAMPLE out.json --to label-studio --labels-size 64x48',
            'made at 640x480 pixels (frame 0 of the file), but --labels-size is 64x48',
        ),
        (
            'SAMPLE out.json --cvat-tolerance all',
            'would have no effect: give an OUT in the format cvat',
        ),
        *(
            (f'SAMPLE out.xml --cvat-tolerance={tolerance}', 'expected a number of pixels or "all"')
            for tolerance in ('0', '-1', 'nan', 'inf', 'some')
        ),
        ('SAMPLE out.json --fps 0', 'argument --fps'),
        ('SAMPLE out.json --fps x', 'argument --fps'),
        ('SAMPLE out.json --as-given 2', 'argument --as-given'),
    ],
)
def test_what_cannot_work_is_one_line(run, tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    Path('in').mkdir()
    write_labels(sample(), Path('in/clip.json'))
    assert sentence in refusal(run, *arguments.replace('SAMPLE', 'in/clip.json').split())
    assert [path.name for path in tmp_path.iterdir()] == ['in']
