"""Which key frames are written for CVAT, and how they are known again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stdpose_mm.io.labels.cvat_tracks import KeyFrame, is_on_line
from stdpose_mm.io.labels.cvat_writer import few_key_frames


@pytest.mark.parametrize(
    ('key_frame', 'mark'),
    [
        (KeyFrame(7, (1.25, 2.0), 2), 'given 7'),
        (KeyFrame(7, (1.25, 2.0), 1), 'given 7 occluded'),
        (KeyFrame(7, (1.125, 2.0), 2), 'given 7 1.125,2.0'),
        (KeyFrame(7, (1.125, 2.0), 0), 'given 7 outside'),
        (KeyFrame(7, (1.25, 2.0), 2, 'propagated'), 'propagated 7 1.25,2.0'),
        (KeyFrame(7, (1.25, 2.0), 0, 'absent'), 'absent 7 outside'),
    ],
)
def test_a_mark_says_what_cvat_would_lose(key_frame: KeyFrame, mark: str):
    assert key_frame.format_mark() == mark
    assert replace(key_frame, mark=mark).exported() == key_frame


@pytest.mark.parametrize('place', [(10.02, 20.0), (10.0, 20.02)])
def test_a_joint_that_was_moved_along_one_axis_is_another(place: tuple[float, float]):
    loaded = KeyFrame(5, (10.0, 20.0), 2)
    assert not KeyFrame(5, place, 2).is_as(loaded)
    # As CVAT rounds it.
    assert KeyFrame(5, (10.004, 19.996), 2).is_as(loaded)


@pytest.mark.parametrize(
    ('frame', 'place', 'visibility', 'on_line'),
    [
        (5, (5.0, 50.0), 2, True),
        # The ends of the line and the joint itself were rounded.
        (5, (5.01, 50.0), 2, True),
        (5, (5.02, 50.0), 2, False),
        (5, (5.0, 50.0), 1, False),
        (25, (10.0, 50.0), 1, True),
    ],
)
def test_what_cvat_drew_lies_between_key_frames_of_the_same_state(
    frame: int, place: tuple[float, float], visibility: int, on_line: bool
):
    key_frames = [
        KeyFrame(0, (0.0, 50.0), 2),
        KeyFrame(10, (10.0, 50.0), 2),
        KeyFrame(20, (10.0, 50.0), 1),
    ]
    loaded = {key_frame.frame_index: key_frame for key_frame in key_frames}
    assert is_on_line(KeyFrame(frame, place, visibility), [loaded]) is on_line


def test_a_path_may_be_as_far_from_the_line_as_the_tolerance_says():
    points = np.array([[0.0, 0], [1, 1], [2, 0]])
    ends = np.array([True, False, True])
    assert few_key_frames(np.arange(3), points, ends, 1.0).tolist() == [True, False, True]
    assert few_key_frames(np.arange(3), points, ends, 0.99).tolist() == [True, True, True]
