"""The difficulty of toy videos, computed by hand."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from research.comparison.difficulty import measure_difficulty, report_difficulty
from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import write_posetrack18
from stdpose_mm.structures import POSETRACK_SKELETON, PersonLabel, VideoFrame, VideoLabels

NOSE, LEFT_ANKLE = (POSETRACK_SKELETON.index_of(n) for n in ('nose', 'left_ankle'))


def toy(ankle_x: list[float], occluded_ankle: bool = False) -> VideoLabels:
    """A nose that rests at (50, 0) and an ankle that moves along y = 100."""
    persons = []
    for index, x in enumerate(ankle_x):
        keypoints = np.zeros((17, 2))
        visibility = np.zeros(17, int)
        keypoints[NOSE], keypoints[LEFT_ANKLE] = (50, 0), (x, 100)
        visibility[NOSE] = 2
        visibility[LEFT_ANKLE] = 1 if occluded_ankle else 2
        persons.append(
            PersonLabel(index, keypoints, visibility, 0, head_box=np.array((45.0, 0, 10, 10)))
        )
    frames = tuple(VideoFrame(i) for i in range(len(ankle_x)))
    return VideoLabels('toy', POSETRACK_SKELETON, frames, tuple(persons))


def test_linear_motion_is_no_difficulty() -> None:
    difficulty = measure_difficulty([toy([50 + i for i in range(8)])])
    assert difficulty.linear_pck == pytest.approx(100)
    assert difficulty.linear_error_px == pytest.approx(0, abs=1e-9)
    # PoseTrack's mean counts each of the 13 joints that the toy lacks as 0.
    assert difficulty.linear_ap == pytest.approx(100 * 2 / 15)


def test_difficulty_of_an_ankle_that_jumps_and_returns() -> None:
    # T = 2 on 5 frames: 0, 2, 4 given. Frame 1 lies 8 px, frame 3 lies 20 px off the line.
    difficulty = measure_difficulty([toy([50, 58, 50, 70, 50])], interval=2)
    # Pose size 100: the nose is right twice, the ankle once in two.
    assert difficulty.linear_pck == pytest.approx((100 + 50) / 2)
    assert difficulty.linear_error_px == pytest.approx((0 + (8 + 20) / 2) / 2)
    # Ankle over two frames: 0, 12, 0 px; sizes 100, 100, 100 and the nose rests.
    assert difficulty.displacement == pytest.approx((0 + 12 + 0 + 0 + 0 + 0) / 6)
    assert difficulty.occluded == 0
    assert (difficulty.videos, difficulty.people, difficulty.labels) == (1, 1, 5)


def test_average_precision_of_interpolation() -> None:
    # Head size 0.6 * 14.14 = 8.49 px; a joint matches within half of it, 4.24 px.
    difficulty = measure_difficulty([toy([50, 58, 50, 70, 50])], interval=2)
    # Unlabelled frames: nose 2 of 2; ankle 0 of 2 (8 and 20 px off).
    assert difficulty.linear_ap_unlabelled == pytest.approx(100 / 15)
    # Over all frames the given ones count, too: the ankle is right in 3 of 5.
    assert difficulty.linear_ap is not None
    assert 100 / 15 < difficulty.linear_ap < 200 / 15


def test_share_of_occluded_joints() -> None:
    assert measure_difficulty([toy([50] * 3, occluded_ankle=True)]).occluded == pytest.approx(50)


def test_nothing_to_interpolate_gives_none() -> None:
    difficulty = measure_difficulty([toy([50])])
    assert difficulty.linear_pck is None
    assert difficulty.displacement is None
    assert '-' in str(difficulty)


def test_report_covers_every_split(tmp_path: Path) -> None:
    for split, clips in (('train', 2), ('val', 1)):
        for clip in range(clips):
            folder = tmp_path / 'annotations' / split
            folder.mkdir(parents=True, exist_ok=True)
            write_posetrack18(toy([50 + i for i in range(8)]), folder / f'{clip}.json')
    difficulty = report_difficulty(tmp_path)
    report = json.loads((tmp_path / 'difficulty.json').read_text())
    assert {split: report[split]['videos'] for split in report} == {'train': 2, 'val': 1}
    assert report['val'] == asdict(difficulty['val'])


def test_folder_without_data_set_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match='holds no data set'):
        report_difficulty(tmp_path)
