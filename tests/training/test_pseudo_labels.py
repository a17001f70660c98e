"""A sparsely labelled set becomes a dense one, by one process or several, in one go or more."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from support import warm_commands
from support.paths import ROOT
from support.ports import held_port
from support.tools import load_tool

pytestmark = pytest.mark.slow

NAMES = ('head', 'left_hand', 'right_hand')
NUM_FRAMES, WIDTH, HEIGHT = 9, 96, 80
GIVEN = (0, 4, 8)
VIDEOS = ('a', 'b', 'c')
FIRST = {'a': 0, 'b': 0, 'c': 2}
"""Frame from which a video is listed."""


def annotation(frame: int, person: int, number: int) -> dict[str, Any]:
    """The true pose; person 0 walks right, person 1 left."""
    x, y = (20 + 3 * frame, 16) if person == 0 else (76 - 3 * frame, 50)
    return {
        'id': number,
        'image_id': frame + 1,
        'category_id': 1,
        'track_id': person,
        'keypoints': [x, y, 2, x - 8, y + 16, 2, x + 8, y + 16, 2],
    }


def label_fields(video: str, frames=GIVEN) -> dict[str, Any]:
    """Labels of some frames of a video that lists all its frames."""
    return {
        'images': [
            {
                'id': frame + 1,
                'file_name': f'images/{video}/{frame:06d}.png',
                'width': WIDTH,
                'height': HEIGHT,
                'is_labeled': frame in frames,
                'frame_id': frame,
            }
            for frame in range(FIRST[video], NUM_FRAMES)
        ],
        'annotations': [
            annotation(frame, person, 2 * frame + person)
            for frame in frames
            for person in (0, 1)
            if frame >= FIRST[video]
        ],
        'categories': [
            {'id': 1, 'name': 'person', 'keypoints': list(NAMES), 'skeleton': [[1, 2], [1, 3]]}
        ],
    }


@pytest.fixture
def data(tmp_path: Path, pictures: np.ndarray) -> Path:
    """Three videos: ``images/<video>/*.png`` and ``labels/<video>.json``."""
    root = tmp_path / 'data'
    (root / 'labels').mkdir(parents=True)
    for video in VIDEOS:
        (root / 'images' / video).mkdir(parents=True)
        for frame in range(FIRST[video], NUM_FRAMES):
            cv2.imwrite(str(root / 'images' / video / f'{frame:06d}.png'), pictures[frame])
        (root / 'labels' / f'{video}.json').write_text(json.dumps(label_fields(video)))
    return root


@pytest.fixture
def run(data, run_main):
    main = load_tool('misc/make_pseudo_labels').main

    def call(out: Path, *arguments: object) -> tuple[int, str, list[str]]:
        return run_main(main, data / 'labels', '--image-root', data, '--out', out, *arguments)

    return call


def read(out: Path, video: str) -> dict[tuple[int, int], dict[str, Any]]:
    """(frame, person) -> annotation, of a written file that lists every frame."""
    fields = json.loads((out / 'annotations' / f'{video}.json').read_text())
    frames = {image['id']: image['frame_index'] for image in fields['images']}
    assert list(frames.values()) == list(range(NUM_FRAMES - FIRST[video]))
    return {(frames[a['image_id']], a['track_id']): a for a in fields['annotations']}


def contents(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob('*') if p.is_file()}


def command(data: Path, out: Path, *arguments: object) -> list[str]:
    tool = ['tools/misc/make_pseudo_labels.py', str(data / 'labels')]
    return [*tool, '--image-root', str(data), '--out', str(out), *map(str, arguments)]


def environment(**variables: str) -> dict[str, str]:
    one = {'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': ''}
    return {**os.environ, **one, **variables}


@pytest.fixture
def port() -> Iterator[int]:
    with held_port() as held:
        yield held


def test_every_frame_gets_every_person(run, tmp_path):
    out = tmp_path / 'out'
    code, printed, errors = run(out, '--method', 'linear')
    assert (code, errors) == (0, [])
    # a and b: 3 given frames and 6 between, c: 2 and 3, two people each.
    assert printed == (
        f'{out}: 3 videos, 16 given and 30 propagated poses, 0 joints below 0.5 left unlabelled\n'
    )
    poses = read(out, 'a')
    assert sorted(poses) == [(frame, person) for frame in range(9) for person in range(2)]
    for (frame, person), pose in poses.items():
        truth = annotation(frame, person, 0)
        assert pose['source'] == ('given' if frame in GIVEN else 'propagated')
        np.testing.assert_allclose(pose['keypoints'], truth['keypoints'])
        if frame in GIVEN:
            assert pose['keypoints'] == truth['keypoints']
            assert pose['scores'] == [1, 1, 1]
    # The score halves with every 7 frames to the nearest label.
    assert poses[2, 0]['scores'] == pytest.approx([2 ** (-2 / 7)] * 3)


def test_joints_below_the_score_are_unlabelled_and_people_without_joints_left_out(
    run, data, tmp_path
):
    fields = label_fields('a')
    # In frame 0 only the head of person 0 is labelled: half way to frame 8 nothing else is sure.
    for place in ([3, 4, 5], [6, 7, 8]):
        for number in place:
            fields['annotations'][2]['keypoints'][number] = 0
    (data / 'labels' / 'a.json').write_text(json.dumps(fields))
    out = tmp_path / 'out'
    # One frame from a label scores 0.906, two 0.820, four 0.673.
    code, _, _ = run(out, '--method', 'linear', '--min-score', 0.85)
    assert code == 0
    poses = read(out, 'a')
    assert (2, 0) not in poses
    assert (2, 1) not in poses
    assert poses[1, 0]['keypoints'][2::3] == [2, 2, 2]
    assert poses[3, 1]['keypoints'][2::3] == [2, 2, 2]
    assert poses[3, 0]['keypoints'] == [29, 16, 2, 0, 0, 0, 0, 0, 0]
    assert poses[3, 0]['scores'] == pytest.approx([2 ** (-1 / 7), 2 ** (-3 / 7), 2 ** (-3 / 7)])
    assert poses[4, 0]['keypoints'][2::3] == [2, 0, 0]
    summary = json.loads((out / 'summary.json').read_text())
    # a: frames 2 and 6 of both people have nothing left; of person 0 two joints in 3 and 5 besides.
    assert summary['of_each_video']['a'] == {
        'frames': 9,
        'people': 2,
        'poses_given': 6,
        'poses_propagated': 8,
        'poses_left_out': 4,
        'joints_given': 16,
        'joints_propagated': 20,
        'joints_dropped': 16,
        **{f'joints_below_0.{n}': 0 for n in range(1, 7)},
        'joints_below_0.7': 0,
        'joints_below_0.8': 4,
        'joints_below_0.9': 16,
    }
    assert summary['videos'] == 3
    assert summary['joints_dropped'] == sum(
        counts['joints_dropped'] for counts in summary['of_each_video'].values()
    )
    assert summary['settings']['min_score'] == 0.85


def test_interval_hides_the_labels_between(run, data, tmp_path):
    for video in VIDEOS:
        fields = label_fields(video, frames=range(NUM_FRAMES))
        (data / 'labels' / f'{video}.json').write_text(json.dumps(fields))
    out = tmp_path / 'out'
    assert run(out, '--method', 'linear', '--interval', 4)[0] == 0
    given = {frame for (frame, _), pose in read(out, 'a').items() if pose['source'] == 'given'}
    assert given == {0, 4, 8}
    # Video c lists the frames 2..8: 2 and 6, and 8, which lies no more than 2 behind, is not.
    given = {frame for (frame, _), pose in read(out, 'c').items() if pose['source'] == 'given'}
    assert given == {0, 4}


def test_frames_that_the_labels_leave_out_are_found_in_the_folder(run, data, tmp_path):
    fields = label_fields('b')
    fields['images'] = [image for image in fields['images'] if image['frame_id'] in GIVEN]
    (data / 'labels' / 'b.json').write_text(json.dumps(fields))
    out = tmp_path / 'out'
    assert run(out, '--method', 'linear')[0] == 0
    assert len(read(out, 'b')) == 2 * NUM_FRAMES
    images = json.loads((out / 'annotations' / 'b.json').read_text())['images']
    assert [image['file_name'] for image in images] == [
        f'images/b/{frame:06d}.png' for frame in range(NUM_FRAMES)
    ]


def test_finished_videos_are_left_alone(run, data, tmp_path):
    out = tmp_path / 'out'
    assert run(out, '--method', 'linear')[0] == 0
    first = contents(out)
    times = {name: (out / name).stat().st_mtime_ns for name in first}
    (out / 'annotations' / 'b.json').unlink()
    (out / 'summary.json').unlink()
    assert run(out, '--method', 'linear')[0] == 0
    assert contents(out) == first
    again = {name for name in first if (out / name).stat().st_mtime_ns != times[name]}
    assert again == {'annotations/b.json', 'summary.json'}


def test_a_video_whose_labels_changed_is_made_anew(run, data, tmp_path):
    out = tmp_path / 'out'
    assert run(out, '--method', 'linear')[0] == 0
    before = contents(out)
    fields = label_fields('b')
    fields['annotations'][0]['keypoints'][0] += 1
    (data / 'labels' / 'b.json').write_text(json.dumps(fields))
    assert run(out, '--method', 'linear')[0] == 0
    changed = {name for name, data in contents(out).items() if before[name] != data}
    assert changed == {'annotations/b.json'}
    assert read(out, 'b')[0, 0]['keypoints'][0] == fields['annotations'][0]['keypoints'][0]


@pytest.mark.parametrize(('method', 'anew'), [('flow', True), ('linear', False)])
def test_a_video_whose_pictures_changed_is_made_anew_if_they_are_read(
    run, data, tmp_path, method, anew
):
    out = tmp_path / 'out'
    assert run(out, '--method', method)[0] == 0
    before = (out / 'annotations' / 'b.json').read_bytes()
    os.utime(out / 'annotations' / 'b.json', (0, 0))
    picture = data / 'images' / 'b' / '000007.png'
    # Behind the end of the picture: it looks the same.
    picture.write_bytes(picture.read_bytes() + b'\0')
    assert run(out, '--method', method)[0] == 0
    written = out / 'annotations' / 'b.json'
    assert (written.stat().st_mtime > 0, written.read_bytes() != before) == (anew, anew)


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        (['--min-score', 0.25], 'a.json was made with min_score 0.5, now it is 0.25: choose '),
        (['--interval', 4], 'a.json was made with interval None, now it is 4: choose '),
    ],
)
def test_other_settings_are_one_sentence_and_change_nothing(run, tmp_path, arguments, sentence):
    out = tmp_path / 'out'
    assert run(out, '--method', 'linear')[0] == 0
    before = contents(out)
    code, _, errors = run(out, '--method', 'linear', *arguments)
    assert (code, len(errors)) == (2, 1)
    assert sentence in errors[0]
    assert contents(out) == before


def test_labels_that_someone_else_wrote_are_not_replaced(run, data, tmp_path):
    out = tmp_path / 'out'
    (out / 'annotations').mkdir(parents=True)
    (out / 'annotations' / 'a.json').write_text(json.dumps(label_fields('a')))
    before = contents(out)
    code, _, errors = run(out, '--method', 'linear')
    assert (code, len(errors)) == (2, 1)
    assert 'a.json was not written by this command' in errors[0]
    assert contents(out) == before


def test_labels_may_not_be_written_over(run, data):
    (data / 'annotations').symlink_to(data / 'labels')
    before = contents(data)
    code, _, errors = run(data, '--method', 'linear')
    assert (code, len(errors)) == (2, 1)
    assert 'is also given as LABELS, which would be overwritten' in errors[0]
    assert contents(data) == before


def test_a_video_that_cannot_be_done_keeps_no_other_from_it(run, data, tmp_path):
    broken = data / 'images' / 'b' / '000002.png'
    whole = broken.read_bytes()
    broken.write_bytes(whole[:100])
    out = tmp_path / 'out'
    code, _, errors = run(out, '--method', 'flow')
    assert (code, len(errors)) == (2, 1)
    assert '1 of 3 videos failed, the others are done; the first: b: ' in errors[0]
    assert '000002.png' in errors[0]
    assert sorted(contents(out)) == ['annotations/a.json', 'annotations/c.json']
    code, _, errors = run(tmp_path / 'none', '--method', 'flow', '--image-root', tmp_path)
    assert (code, len(errors)) == (2, 1)
    assert '3 of 3 videos failed; the first: a: ' in errors[0]
    broken.write_bytes(whole)
    assert run(out, '--method', 'flow')[0] == 0
    assert len(contents(out)) == 4


@pytest.mark.parametrize(
    ('change', 'sentence'),
    [
        (lambda fields: fields.update(annotations=[]), 'holds no given label to propagate'),
        (lambda fields: fields.update(categories=3), 'categories must be'),
    ],
)
def test_a_bad_label_file_is_one_sentence_before_any_work(run, data, tmp_path, change, sentence):
    fields = label_fields('c')
    change(fields)
    (data / 'labels' / 'c.json').write_text(json.dumps(fields))
    code, _, errors = run(tmp_path / 'out', '--method', 'linear')
    assert (code, len(errors)) == (2, 1)
    assert sentence in errors[0]
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        (['--min-score', '1.5'], '--min-score: expected a number in 0..1'),
        (['--launcher', 'pytorch'], 'needs a process started by torchrun'),
        (['--method', 'stdpose'], 'needs a config and a checkpoint'),
    ],
)
def test_wrong_arguments_are_one_sentence(run, tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.delenv('RANK', raising=False)
    code, _, errors = run(tmp_path / 'out', *arguments)
    assert (code, len(errors)) == (2, 1)
    assert sentence in errors[0]
    assert not (tmp_path / 'out').exists()


@pytest.fixture
def alone(run, tmp_path):
    """What one process writes."""
    out = tmp_path / 'alone'
    assert run(out, '--method', 'flow', '--min-score', 0.3)[0] == 0
    return contents(out)


def in_child(data: Path, out: Path, variables: dict[str, str], *arguments: object) -> Any:
    """The tool in a process of its own, forked: importing everything anew takes seconds."""

    def work() -> None:
        os.environ.update(environment(**variables))
        sys.path.insert(0, str(ROOT / 'tools' / 'misc'))
        from make_pseudo_labels import main

        with (out.parent / 'printed.txt').open('a') as printed, redirect_stdout(printed):
            sys.exit(main(command(data, out, *arguments)[1:]))

    child = multiprocessing.get_context('fork').Process(target=work)
    child.start()
    return child


@pytest.mark.parametrize(
    ('launcher', 'everywhere', 'names'),
    [
        ('pytorch', {'WORLD_SIZE': '2'}, ('RANK', 'LOCAL_RANK')),
        (
            'slurm',
            {'SLURM_NTASKS': '2', 'SLURM_NODELIST': 'localhost'},
            ('SLURM_PROCID', 'SLURM_LOCALID'),
        ),
    ],
)
def test_two_processes_write_what_one_does(
    data, tmp_path, alone, port, launcher, everywhere, names
):
    out = tmp_path / 'shared'
    options = ['--method', 'flow', '--min-score', 0.3, '--launcher', launcher]
    everywhere = {**everywhere, 'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': str(port)}
    tasks = [
        in_child(data, out, {**everywhere, **dict.fromkeys(names, str(rank))}, *options)
        for rank in range(2)
    ]
    for task in tasks:
        task.join(timeout=300)
        task.kill()
    assert [task.exitcode for task in tasks] == [0, 0]
    assert (tmp_path / 'printed.txt').read_text().count('3 videos') == 1
    assert contents(out) == alone


def test_a_killed_run_leaves_whole_files_and_goes_on(data, tmp_path, alone, run):
    # A picture that is a pipe holds the run up in the third video until it is killed.
    held = data / 'images' / 'c' / '000005.png'
    whole = held.read_bytes()
    held.unlink()
    os.mkfifo(held)
    out = tmp_path / 'killed'
    # Not a forked child: killed, it might take a lock along that it shares with this process.
    options = ('--method', 'flow', '--min-score', 0.3)
    task = warm_commands.start(*command(data, out, *options), cwd=tmp_path)
    # Those of other names are half written.
    while len(list(out.glob('annotations/[!.]*'))) < 2:
        assert task.is_running
        time.sleep(0.05)
    task.kill()
    assert task.wait().returncode == -signal.SIGKILL
    held.unlink()
    held.write_bytes(whole)
    # The longest videos come first.
    left = contents(out)
    assert sorted(left) == ['annotations/a.json', 'annotations/b.json']
    assert all(alone[name] == content for name, content in left.items())
    times = {name: (out / name).stat().st_mtime_ns for name in left}
    assert run(out, '--method', 'flow', '--min-score', 0.3)[0] == 0
    assert contents(out) == alone
    assert {name: (out / name).stat().st_mtime_ns for name in left} == times


def test_nobody_is_guessed_before_the_first_label_or_after_the_last(run, data, tmp_path):
    fields = label_fields('a')
    # Person 1 is labelled in the frames 0 and 4 only.
    del fields['annotations'][5]
    (data / 'labels' / 'a.json').write_text(json.dumps(fields))
    assert run(tmp_path / 'out', '--method', 'linear')[0] == 0
    assert max(frame for frame, person in read(tmp_path / 'out', 'a') if person == 1) == 4
    assert run(tmp_path / 'all', '--method', 'linear', '--life-span', 'video')[0] == 0
    assert max(frame for frame, person in read(tmp_path / 'all', 'a') if person == 1) == 8
