"""``stdpose plan``: the frames of unlabelled videos that are worth labelling first."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from stdpose_mm.cli import plan
from stdpose_mm.io.calibration import write_calibration
from support.refusals import refusal
from support.view_scene import CAMERAS


@pytest.fixture
def run(run_main):
    return partial(run_main, plan.main)


def write_video(folder: Path, num_frames: int) -> Path:
    """A folder of pictures that show nothing."""
    folder.mkdir(parents=True)
    for frame in range(num_frames):
        cv2.imwrite(str(folder / f'{frame:06d}.png'), np.zeros((60, 80, 3), np.uint8))
    return folder


def write_boxes(path: Path, lefts: list[float], track_id: int = 1) -> Path:
    """MOTChallenge boxes of 20 x 40 px, one a frame from 1 on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [f'{n},{track_id},{x},5,20,40,1,-1,-1,-1' for n, x in enumerate(lefts, 1)]
    path.write_text('\n'.join(rows) + '\n')
    return path


def test_all_videos_are_checked_before_the_first_is_measured(run, tmp_path, monkeypatch):
    monkeypatch.setattr(
        'stdpose_mm.labelling.review.measure_motion', lambda *_: pytest.fail('measured')
    )
    video, missing = write_video(tmp_path / 'clip', 4), tmp_path / 'none.mp4'
    assert f'{missing} does not exist' in refusal(run, video, missing)


def test_frames_of_a_video(run, tmp_path):
    video = write_video(tmp_path / 'clip', 40)
    boxes = write_boxes(tmp_path / 'boxes.txt', [0.0] * 20 + [6.0 * n for n in range(20)])
    code, printed, errors = run(video, '--boxes', boxes, '--target', 1, '--max-labels', 4)
    assert (code, errors) == (0, [])
    named, summary, outlook = printed.splitlines()
    assert named.startswith(f'{video}: label frames ')
    frames = [int(part) for part in named.rpartition('frames ')[2].split(', ')]
    assert len(frames) == 4
    assert sum(frame >= 18 for frame in frames) >= 3
    assert summary.startswith('4 labels: ')
    assert summary.endswith(' of joints are expected to be right with auto')
    numbers = [int(part.split()[3]) for part in outlook.split('; ')]
    assert outlook.startswith('90% would take ')
    assert numbers == sorted(numbers)


def test_the_frames_are_also_a_table(run, tmp_path):
    first, second = write_video(tmp_path / 'v' / 'a, b', 9), write_video(tmp_path / 'v' / 'c', 9)
    out = tmp_path / 'frames.csv'
    code, printed, _ = run(tmp_path / 'v', '--max-labels', 3, '--target', 1, '--out', out)
    assert code == 0
    header, *rows = csv.reader(out.read_text().splitlines())
    assert header == ['video', 'frame']
    assert len(rows) == 3
    lines = [
        f'{video}: label {"frame" if len(frames) == 1 else "frames"} {", ".join(frames)}'
        for video in (first, second)
        if (frames := [frame for name, frame in rows if name == str(video)])
    ]
    assert printed.splitlines()[:2] == lines
    assert printed.endswith(f'{out}: the frames to label\n')


def test_two_of_several_cameras_are_to_be_labelled(run, tmp_path):
    # The second and the fourth look at the scene at right angles.
    cameras = [CAMERAS[2].turned([0, np.radians(angle), 0]) for angle in (0, 20, 50, 110)]
    cameras = [replace(c, name=name) for c, name in zip(cameras, 'abcd', strict=True)]
    write_calibration(cameras, tmp_path / 'cameras.toml')
    for name in 'abcd':
        write_video(tmp_path / 'day' / name, 30)
        moves = range(20) if name == 'a' else [0] * 20
        write_boxes(tmp_path / 'boxes' / f'{name}.txt', [0.0] * 10 + [2.0 * n for n in moves])
    given = (tmp_path / 'day', '--boxes', tmp_path / 'boxes', '--target', 1, '--max-labels', 8)
    options = ('--calibration', tmp_path / 'cameras.toml', '--offset', 'd=5')
    code, printed, errors = run(*given, *options)
    assert (code, errors) == (0, [])
    frames = [
        [int(frame) for frame in re.findall(r'\d+', line.partition(': ')[2])]
        for line in printed.splitlines()[:4]
    ]
    # What moves in a view that is not to be labelled decides, too.
    assert min(map(len, frames[1:4:2])) > 1
    assert np.mean(np.array(frames[1]) >= 10) > 0.5
    assert [frame - 5 for frame in frames[1] if frame >= 5] == frames[3]
    assert frames[0] == frames[2] == []
    assert printed.splitlines()[4].startswith(f'{len(frames[1] + frames[3])} labels: ')


def test_cameras_are_checked_before_the_first_video_is_measured(run, tmp_path, monkeypatch):
    monkeypatch.setattr(
        'stdpose_mm.labelling.review.measure_motion', lambda *_: pytest.fail('measured')
    )
    write_calibration(CAMERAS[:2], tmp_path / 'cameras.toml')
    videos = [write_video(tmp_path / 'day' / name, 4) for name in 'ab']
    given = (*videos, '--calibration', tmp_path / 'cameras.toml')
    assert '--offset c=1 is not a camera' in refusal(run, *given, '--offset', 'c=1')
    assert 'would have no effect' in refusal(run, *videos, '--offset', 'a=1')


def test_a_single_frame(run, tmp_path):
    video = write_video(tmp_path / 'clip', 5)
    code, printed, _ = run(video, '--max-labels', 1)
    assert code == 0
    assert re.fullmatch(r'.*: label frame \d', printed.splitlines()[0])


def test_several_videos_share_a_budget(run, tmp_path):
    videos = [write_video(tmp_path / 'videos' / name, 30) for name in ('still', 'wild')]
    write_boxes(tmp_path / 'boxes' / 'still.txt', [0.0] * 30)
    write_boxes(tmp_path / 'boxes' / 'wild.txt', [20.0 * (n % 3) for n in range(30)])
    options = ('--boxes', tmp_path / 'boxes', '--target', 1, '--max-labels', 8)
    code, printed, _ = run(tmp_path / 'videos', *options)
    assert code == 0
    still, wild, summary, _ = printed.splitlines()
    assert still.startswith(f'{videos[0]}: label frame')
    assert wild.startswith(f'{videos[1]}: label frames ')
    assert wild.count(',') > still.count(',')
    assert summary.startswith('8 labels: ')
    assert run(*videos, *options)[1] == printed


def test_without_boxes_pictures_decide(run, tmp_path):
    code, printed, _ = run(write_video(tmp_path / 'clip', 12), '--target', 0.5)
    assert code == 0
    assert printed.splitlines()[1].endswith(' of joints are expected to be right with auto')


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ('--target 95', 'expected a number in 0..1'),
        ('--max-labels 0', 'expected a whole number of at least 1'),
        ('--boxes nowhere.txt', 'nowhere.txt'),
        ('--boxes nobody.txt', 'track ids in frame 0'),
        ('--boxes empty.json', 'no person box with a track id'),
        ('other --boxes nobody.txt', 'is not a folder, but there are several videos'),
    ],
)
def test_a_mistake_is_one_line(run, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / 'clip', 3)
    write_boxes(tmp_path / 'nobody.txt', [0.0, 1.0], track_id=-1)
    (tmp_path / 'empty.json').write_text(json.dumps([]))
    assert message in refusal(run, 'clip', *options.split())
