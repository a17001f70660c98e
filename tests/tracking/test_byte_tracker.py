"""Our ByteTrack against MMDetection's."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stdpose_mm.structures import FrameBoxes
from stdpose_mm.tracking.byte_tracker import ByteTracker
from stdpose_mm.tracking.person_tracker import MMDetByteTracker, PersonTracker


def crossing_people(seed: int, num_frames: int = 60) -> list[FrameBoxes]:
    """Detections of up to eight people who come, go and cross, with misses and false alarms."""
    random = np.random.default_rng(seed)
    num_people = random.integers(2, 9)
    start = random.uniform([0, 100], [640, 200], (num_people, 2))
    velocity = random.normal(0, [6, 1], (num_people, 2))
    height = random.uniform(60, 180, num_people)
    first = random.integers(0, num_frames // 2, num_people) * (random.random(num_people) < 0.5)
    last = first + random.integers(10, num_frames, num_people)
    frames = []
    for frame in range(num_frames):
        rows = []
        for person in range(num_people):
            if not first[person] <= frame <= last[person] or random.random() < 0.15:
                continue
            x, y = start[person] + velocity[person] * frame + random.normal(0, 2, 2)
            size = height[person] * np.array([0.4, 1]) * random.normal(1, 0.04, 2)
            rows.append([x, y, *size, random.uniform(0.1, 1)])
        for _ in range(random.integers(0, 3)):
            rows.append([*random.uniform(0, 640, 2), 40, 90, random.uniform(0, 0.7)])
        random.shuffle(rows)
        table = np.array(rows).reshape(-1, 5)
        # A detector has few digits, so that two scores may be the same.
        frames.append(FrameBoxes(table[:, :4], table[:, 4].round(2)))
    return frames


def follow(tracker: PersonTracker, frames: list[FrameBoxes]) -> list[list[list[float]]]:
    """Track ids and boxes of every frame in which the detector runs."""
    return [
        np.column_stack([people.track_ids, people.boxes]).tolist()
        for frame in range(0, len(frames), tracker.detect_interval)
        for people in [tracker.update(frame, frames[frame])]
    ]


@pytest.mark.parametrize('detect_interval', [1, 3, 5])
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_people_are_who_they_are_with_mmdetection(detect_interval, seed):
    theirs = PersonTracker(detect_interval)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, 'lap', None)
        ours = PersonTracker(detect_interval)
    assert isinstance(ours._tracker, ByteTracker)
    assert isinstance(theirs._tracker, MMDetByteTracker)
    frames = crossing_people(seed)
    assert follow(ours, frames) == follow(theirs, frames)


def test_a_pair_that_overlaps_too_little_does_not_count():
    tracker = ByteTracker(high_score_thr=0.4, kept_steps=5)
    tracker.track(np.array([[0.0, 0, 100, 100], [0, 100, 100, 100]]), np.ones(2))
    # The first person overlaps with them by 84 / 116 = 0.724 and 88 / 112 = 0.786, the second only
    # with the last, by 12 / 188 = 0.064. Without the limit of 0.1, 0.724 + 0.064 is more.
    seen = np.array([[0.0, -16, 100, 100], [0, 12, 100, 100]])
    positions, track_ids = tracker.track(seen, np.ones(2))
    assert positions.tolist() == [0, 1]
    assert track_ids.tolist() == [2, 0]
