"""``stdpose plan``: the frames of unlabelled videos that are worth labelling first."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from stdpose_mm.cli import plan
from stdpose_mm.io.labels import FrameOptions
from stdpose_mm.io.video import open_frames


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
    assert summary.endswith(' of joints are expected right with auto')
    numbers = [int(part.split()[3]) for part in outlook.split('; ')]
    assert outlook.startswith('90% would take ')
    assert numbers == sorted(numbers)


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
    assert printed.splitlines()[1].endswith(' of joints are expected right with auto')


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--target', '95'], 'expected a number in 0..1'),
        (['--max-labels', '0'], 'expected a whole number of at least 1'),
        (['--boxes', 'nowhere.txt'], 'nowhere.txt'),
        (['--boxes', 'nobody.txt'], 'track ids in frame 0'),
        (['--boxes', 'empty.json'], 'no person box with a track id'),
        (['other', '--boxes', 'nobody.txt'], 'is no folder, but there are several videos'),
    ],
)
def test_a_mistake_is_one_line(run, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / 'clip', 3)
    write_boxes(tmp_path / 'nobody.txt', [0.0, 1.0], track_id=-1)
    (tmp_path / 'empty.json').write_text(json.dumps([]))
    code, printed, errors = run('clip', *options)
    assert (code, printed, len(errors)) == (2, '', 1), errors
    assert message in errors[0]


def labelled_pictures(path: Path, names: list[str]) -> Path:
    """COCO labels of one person who jumps from picture to picture."""
    numbers = range(1, len(names) + 1)
    data = {
        'images': [{'id': n, 'file_name': name} for n, name in zip(numbers, names, strict=True)],
        'annotations': [
            {
                'id': n,
                'image_id': n,
                'category_id': 1,
                'track_id': 1,
                'keypoints': [9 + 9 * (n % 2), 9, 2],
                'bbox': [9 * (n % 2), 5, 20, 40],
            }
            for n in numbers
        ],
        'categories': [{'id': 1, 'name': 'person', 'keypoints': ['nose']}],
    }
    path.write_text(json.dumps(data))
    return path


class TestFramesOfBoxes:
    """On which frames the boxes of a file are, in a folder whose pictures count from 1."""

    @pytest.fixture
    def clip(self, tmp_path: Path) -> Path:
        folder = write_video(tmp_path / 'clip', 9)
        (folder / '000000.png').unlink()
        return folder

    @pytest.fixture
    def tracks(self, clip: Path) -> Callable[..., list[int]]:
        """Read the frames of the boxes that the command gives to the choice of frames."""

        def read(boxes: Path, **options: Any) -> list[int]:
            told = FrameOptions(**options, subject='boxes')
            return sorted(plan.read_tracks(boxes, open_frames(clip), told)[1])

        return read

    def test_names_of_pictures_decide(self, tracks, tmp_path):
        names = ['clip/000003.png', 'clip/000005.png']
        assert tracks(labelled_pictures(tmp_path / 'boxes.json', names)) == [2, 4]

    def test_the_option_settles_what_names_leave_open(self, run, clip, tracks, tmp_path):
        names = ['shot_000003.png', 'shot_000005.png']
        boxes = labelled_pictures(tmp_path / 'boxes.json', names)
        code, printed, errors = run(clip, '--boxes', boxes)
        assert (code, printed, len(errors)) == (2, '', 1)
        assert '--boxes-first-frame-number' in errors[0]
        assert run(clip, '--boxes', boxes, '--boxes-first-frame-number', 1)[0] == 0
        assert [tracks(boxes, first_number=n) for n in (1, 2)] == [[2, 4], [1, 3]]

    def test_boxes_behind_the_end_are_refused(self, run, clip, tmp_path):
        boxes = write_boxes(tmp_path / 'boxes.txt', [0.0] * 10)
        code, printed, errors = run(clip, '--boxes', boxes)
        assert (code, printed, len(errors)) == (2, '', 1)
        assert 'boxes on frame 8 (counted from 0), which is not among the 8 frames' in errors[0]

    @pytest.mark.parametrize('option', ['--boxes-first-frame-number', '--boxes-frame-of'])
    def test_the_options_need_a_file_of_boxes(self, run, clip, option):
        code, _, errors = run(clip, option, 1)
        assert (code, len(errors)) == (2, 1)
        assert f'{option}' in errors[0]
