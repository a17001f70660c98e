"""``stdpose propagate`` of several calibrated cameras."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from stdpose_mm.cli import propagate
from stdpose_mm.io.calibration import write_calibration
from stdpose_mm.io.labels import read_labels, write_labels
from stdpose_mm.io.video import write_video
from support.refusals import refusal
from support.view_scene import CAMERAS, NUM_FRAMES, body_at, labels_in


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """``session/{a,b,c}.mp4``, the labels of two of them beside, and their calibration."""
    folder = tmp_path / 'session'
    folder.mkdir()
    for view in CAMERAS[:3]:
        write_video(folder / f'{view.name}.mp4', np.zeros((NUM_FRAMES, 600, 800, 3), np.uint8), 10)
        if view.name != 'c':
            write_labels(
                labels_in(view, given=range(NUM_FRAMES)).only_given(), folder / f'{view.name}.json'
            )
    write_calibration(CAMERAS[:3], tmp_path / 'cameras.toml')
    return folder


@pytest.fixture
def run(session, run_main):
    """The command on the session by straight lines, with more arguments."""
    calibration = session.parent / 'cameras.toml'
    return partial(
        run_main,
        propagate.main,
        *(session, session, '--calibration', calibration, '--out', session.parent / 'out'),
        *('--method', 'linear'),
    )


def test_every_view_gets_labels_and_the_scene_a_file(run, session):
    code, printed, _ = run('--format-3d', 'csv', '--format', 'coco', '--check', '1')
    out = session.parent / 'out'
    assert code == 0
    assert printed.splitlines()[-1] == (
        f'{out}/session_3d.csv: 1 person in space, 100% of the joints seen by two cameras or more'
    )
    for view in CAMERAS[:3]:
        labels = read_labels(out / f'{view.name}.json')
        for person in labels.persons:
            expected = view.project(body_at(person.frame_index))
            assert np.abs(person.keypoints - expected).max() < 0.5
            assert person.is_given == (view.name != 'c')
    rows = list(csv.DictReader((out / 'session_3d.csv').open()))
    assert len(rows) == 7 * NUM_FRAMES
    head = next(row for row in rows if row['joint'] == 'head' and row['frame'] == '2')
    place = [float(head[axis]) for axis in 'xyz']
    np.testing.assert_allclose(place, body_at(2)[0], atol=0.01)
    assert (head['time'], head['person'], head['views']) == ('0.2', '0', '3')


def test_given_joints_are_written_to_the_digit(run, session):
    run()
    for name in 'ab':
        before, after = (
            read_labels(at / f'{name}.json') for at in (session, session.parent / 'out')
        )
        for given, written in zip(before.persons, after.persons, strict=True):
            np.testing.assert_array_equal(given.keypoints, written.keypoints)


def test_an_edited_output_is_kept_beside_the_new_one(run, session):
    run()
    out = session.parent / 'out'
    (out / 'c.json').write_text('{"edited": true}')
    _, _, errors = run()
    assert any('c.json' in line and 'kept' in line for line in errors)
    assert any('edited' in path.read_text() for path in out.glob('c*') if path.name != 'c.json')


def test_labels_at_other_times_complete_each_other(run, session):
    for name, frames in (('a', (0, 3)), ('b', (0, 1, 3))):
        labels = read_labels(session / f'{name}.json')
        write_labels(labels.keep_frames(frames), session / f'{name}.json')
    assert run()[0] == 0
    labels = read_labels(session.parent / 'out' / 'c.json')
    expected = CAMERAS[2].project(body_at(1))
    assert np.abs(labels.tracks()[0][1].keypoints - expected).max() < 15


def test_a_camera_that_starts_late(run, session):
    labels = read_labels(session / 'b.json')
    later = [replace(p, frame_index=p.frame_index - 1) for p in labels.persons if p.frame_index]
    write_labels(labels.with_persons(later), session / 'b.json')
    assert run('--offset', 'b=1')[0] == 0
    labels = read_labels(session.parent / 'out' / 'c.json')
    for person in labels.persons[1:]:
        expected = CAMERAS[2].project(body_at(person.frame_index))
        assert np.abs(person.keypoints - expected).max() < 0.5


def test_a_wrong_calibration_is_told(run, session):
    off = [CAMERAS[0].turned(np.radians([2, 0, 0])), *CAMERAS[1:3]]
    write_calibration(off, session.parent / 'cameras.toml')
    _, _, errors = run()
    assert any('session: the calibration of one of the cameras a and b' in line for line in errors)


@pytest.fixture
def run_two(run_main, session):
    """The command on two sessions of the same file names, ``first`` and ``second``."""
    other = session.parent / 'other'
    session.rename(other)
    for place in ('first', 'second'):
        (session.parent / place).mkdir()
        for file in other.iterdir():
            (session.parent / place / file.name).write_bytes(file.read_bytes())
    listed = [
        {'video': f'{place}/{name}.mp4', 'labels': f'{place}/{name}.json' if name != 'c' else ''}
        for place in ('first', 'second')
        for name in 'abc'
    ]
    dataset = session.parent / 'videos.jsonl'
    dataset.write_text('\n'.join(map(json.dumps, listed)))
    return partial(
        run_main,
        propagate.main,
        *(dataset, '--calibration', session.parent / 'cameras.toml'),
        *('--out', session.parent / 'out', '--method', 'linear'),
    )


def test_sessions_of_the_same_names_get_folders(run_two, session):
    assert run_two()[0] == 0
    out = session.parent / 'out'
    names = [path.relative_to(out).as_posix() for path in out.rglob('*') if path.is_file()]
    assert sorted(name for name in names if not name.startswith('.stdpose')) == sorted(
        [f'{place}/{name}.json' for place in ('first', 'second') for name in 'abc']
        + ['first_3d.trc', 'second_3d.trc']
    )


def test_folders_of_one_name_are_no_single_session(run_main, session):
    """Their videos would all be views of the same scene."""
    other = session.parent / 'other' / session.name
    shutil.copytree(session, other)
    listed = [
        {'video': f'{folder}/{name}.mp4', 'labels': f'{folder}/a.json', 'out': f'{out}/{name}.json'}
        for folder, out in ((session, 'first'), (other, 'second'))
        for name in 'ab'
    ]
    dataset = session.parent / 'videos.jsonl'
    dataset.write_text('\n'.join(map(json.dumps, listed)))
    given = ('--calibration', session.parent / 'cameras.toml', '--out', session.parent / 'out')
    code, _, (sentence,) = run_main(propagate.main, dataset, *given)
    assert code == 2
    assert sentence.endswith('have sessions of the same name session, rename one of them')
    assert not (session.parent / 'out').exists()


def test_the_summary_has_a_row_for_each_session(run_two):
    _, printed, _ = run_two()
    rows = [line.split() for line in printed.splitlines() if line.split()[0].endswith('.trc')]
    # Three views of one person; two of them have a label in every frame.
    counts = [f'{3 * NUM_FRAMES}', '1', f'{2 * NUM_FRAMES}', f'{NUM_FRAMES}', '100']
    assert [row[:-1] for row in rows] == [['first_3d.trc', *counts], ['second_3d.trc', *counts]]


def test_a_finished_session_is_not_done_again(run_two, session):
    run_two()
    out = session.parent / 'out'
    before = {path: path.stat().st_mtime_ns for path in out.rglob('*.*') if path.is_file()}
    (out / 'second' / 'b.json').unlink()
    _, printed, _ = run_two()
    assert printed.splitlines()[-1] == '2 sessions: 1 done, 1 done before, 0 failed'
    changed = [path for path, time in before.items() if path.stat().st_mtime_ns != time]
    assert not [path for path in changed if 'first' in path.relative_to(out).as_posix()]
    assert out / 'second' / 'b.json' in changed


def test_a_session_that_fails_does_not_stop_the_others(run_two, session):
    (session.parent / 'first' / 'b.mp4').write_bytes(b'no video')
    code, _, errors = run_two()
    assert code == 2
    assert errors[-1].endswith(
        '1 of 2 sessions failed, see above; the same command runs only these again'
    )
    assert (session.parent / 'out' / 'second_3d.trc').exists()
    assert not (session.parent / 'out' / 'first').exists()


def test_an_edited_view_of_a_session_is_not_replaced(run_two, session):
    run_two()
    edited = session.parent / 'out' / 'first' / 'c.json'
    edited.write_text('{"edited": true}')
    code, _, errors = run_two()
    assert code == 2
    assert any(f'{edited} was changed since it was written' in line for line in errors)
    assert edited.read_text() == '{"edited": true}'


def test_a_dry_run_lists_the_sessions(run_two, session):
    code, printed, _ = run_two('--dry-run')
    root = session.parent
    assert code == 0
    assert printed.splitlines()[0] == (
        f'{root}/out/first_3d.trc: from {root}/first/a.mp4 and {root}/first/a.json, '
        f'{root}/first/b.mp4 and {root}/first/b.json, {root}/first/c.mp4, to do'
    )
    assert not (root / 'out').exists()


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--measure', '2'], '--measure would have no effect: give one camera at a time'),
        (['--dry-run'], '--dry-run would have no effect: give videos of one camera'),
        (['--offset', 'x=1'], '--offset x=1 is not a camera and a whole number of frames'),
        (['--offset', 'a=1.5'], '--offset a=1.5 is not a camera and a whole number of frames'),
        (
            ['--offset', f'b={NUM_FRAMES}'],
            'the video of b in the session session has no frame at the same time as another camera',
        ),
    ],
)
def test_options_that_do_not_fit(run, session, options, message):
    assert message in refusal(run, *options)
    assert not (session.parent / 'out').exists()


def test_a_calibration_needs_several_videos(run_main, session):
    line = refusal(
        run_main,
        propagate.main,
        *(session / 'a.mp4', session / 'a.json', '--out', session.parent / 'out.json'),
        *('--calibration', session.parent / 'cameras.toml'),
    )
    assert '--calibration would have no effect: give the videos of several cameras' in line


def test_pictures_of_another_size(run, session):
    write_calibration(
        [replace(view, size=(1600, 1200)) for view in CAMERAS[:3]], session.parent / 'cameras.toml'
    )
    assert (
        'has pictures of 800x600 pixels, but the camera a was calibrated with 1600x1200'
        in refusal(run)
    )


def test_what_a_coder_adds_to_pictures(run, session):
    padded = [replace(view, size=(800, 608)) for view in CAMERAS[:3]]
    write_calibration(padded, session.parent / 'cameras.toml')
    code, _, errors = run()
    assert code == 0
    assert sum('800x608: the difference is taken for what a coder adds' in e for e in errors) == 3
    labels = read_labels(session.parent / 'out' / 'c.json')
    assert np.abs(labels.persons[0].keypoints - CAMERAS[2].project(body_at(0))).max() < 0.5


def test_videos_of_another_rate(run, session):
    write_video(session / 'b.mp4', np.zeros((NUM_FRAMES, 600, 800, 3), np.uint8), 12)
    assert 'from 10 to 12 frames per second, but need the same' in refusal(run)


def test_views_with_other_joints(run, session):
    labels = read_labels(session / 'b.json')
    names = ('top', *labels.skeleton.keypoint_names[1:])
    write_labels(
        replace(labels, skeleton=replace(labels.skeleton, keypoint_names=names)), session / 'b.json'
    )
    assert 'have labels of different joints' in refusal(run)
