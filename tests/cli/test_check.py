"""``stdpose check``: what may be wrong in a result."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import pytest

from stdpose_mm.cli import check
from stdpose_mm.io.labels import write_labels
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels
from support.refusals import refusal

SKELETON = Skeleton(('head', 'left_hip', 'right_hip', 'left_foot', 'right_foot'))
STANDING = np.array([[50, 10], [60, 50], [40, 50], [62, 90], [38, 90]], float)


@pytest.fixture
def run(run_main):
    return partial(run_main, check.main)


def estimate(frame: int, **fields) -> PersonLabel:
    """The estimated pose of somebody who walks to the right."""
    label = PersonLabel(
        frame,
        STANDING + np.array([frame, 0]),
        np.full(5, 2),
        track_id=0,
        scores=np.full(5, 0.9),
        source='propagated',
    )
    return replace(label, **fields)


def result_of(*persons: PersonLabel) -> VideoLabels:
    frames = tuple(
        VideoFrame(index, f'{index:06d}.jpg', width=200, height=100) for index in range(20)
    )
    return VideoLabels('clip', SKELETON, frames, persons)


@pytest.fixture
def result(tmp_path):
    """A result with left and right exchanged in frames 8 to 10, a jump in 4, a low score in 15."""
    persons = [estimate(frame) for frame in range(20)]
    for frame in (8, 9, 10):
        persons[frame] = persons[frame].reordered(SKELETON.flip_indices)
    persons[4] = estimate(4, keypoints=persons[4].keypoints + np.array([[0, 40], *[[0, 0]] * 4]))
    persons[15] = estimate(15, scores=np.array([0.9, 0.9, 0.9, 0.9, 0.2]))
    path = tmp_path / 'result.json'
    write_labels(result_of(*persons), path)
    return path


def test_the_list_is_printed_and_written_worst_first(run, result, tmp_path):
    before, out = result.read_bytes(), tmp_path / 'doubts.json'
    code, printed, errors = run(result, '--out', out)
    assert (code, errors) == (0, [])
    data = json.loads(out.read_text())
    doubts = {doubt['reason']: doubt for doubt in data['doubts']}
    assert data['video'] == 'result'
    assert {reason: doubt['frames'] for reason, doubt in doubts.items()} == {
        'sides exchanged': [8, 9, 10],
        'jump': [4],
        'low score': [15],
    }
    sizes = [doubt['doubt'] for doubt in data['doubts']]
    assert sizes == sorted(sizes, reverse=True)
    assert min(sizes) >= 0.5
    # The head of the walker was at x = 54.
    assert doubts['jump']['proposals'] == [
        {'frame': 4, 'person': 0, 'keypoints': {'head': [54.0, 10.0]}}
    ]
    assert doubts['sides exchanged']['proposals'][0]['keypoints']['left_hip'] == [68.0, 50.0]
    lines = printed.splitlines()
    assert lines[0].split() == ['doubt', 'frames', 'person', 'reason', 'joints']
    assert len(lines) == 6
    assert '8-10' in printed
    assert lines[-2:] == [
        'result: 3 doubts in 20 poses',
        f'{out}: all doubts, with proposals',
    ]
    assert result.read_bytes() == before


@pytest.fixture
def still_video(tmp_path):
    """Twenty equal pictures."""
    texture = np.random.default_rng(0).integers(0, 255, (25, 50), np.uint8)
    folder = tmp_path / 'frames'
    folder.mkdir()
    for frame in range(20):
        cv2.imwrite(str(folder / f'{frame:06d}.jpg'), cv2.resize(texture, (200, 100)))
    return folder


def test_poses_are_compared_with_the_video(run, result, still_video, tmp_path):
    out = tmp_path / 'doubts.json'
    code, _, _ = run(result, '--video', still_video, '--out', out)
    assert code == 0
    unlike = [d for d in json.loads(out.read_text())['doubts'] if d['reason'] == 'unlike flow']
    assert [(doubt['frames'], doubt['joints']) for doubt in unlike] == [([4], ['head'])]


def test_a_bar_shows_how_much_of_the_video_was_compared(result, still_video, monkeypatch):
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, 'isatty', lambda: True)
    monkeypatch.setattr('sys.stderr', terminal)
    assert check.main([str(result), '--video', str(still_video)]) == 0
    assert re.findall(r'flow: +(\d+)%', terminal.getvalue())[-1] == '100'


def test_the_worst_only(run, result):
    code, printed, _ = run(result, '--limit', 1, '--min-score', 0.1)
    assert code == 0
    assert printed.splitlines()[-1] == 'result: 2 doubts in 20 poses, the 1 worst of them above'


def test_nothing_to_say(run, tmp_path):
    path = tmp_path / 'right.json'
    write_labels(result_of(*(estimate(frame) for frame in range(20))), path)
    assert run(path) == (0, 'right: 0 doubts in 20 poses\n', [])


def test_a_file_without_poses_is_refused(run, tmp_path):
    path = tmp_path / 'empty.json'
    write_labels(result_of(), path)
    assert f'{path} has no poses to check' in refusal(run, path)
