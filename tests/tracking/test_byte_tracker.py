"""Our ByteTrack against MMDetection's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stdpose_mm.structures import FrameBoxes, to_corners
from stdpose_mm.tracking.person_tracker import (
    HIGH_SCORE_THR,
    LOW_MATCH_IOU,
    MATCH_IOU,
    ByteTracker,
    PersonTracker,
)


class MMDetByteTracker:
    """MMDetection's tracker behind the interface of :class:`ByteTracker`.

    Args:
        high_score_thr: See :class:`ByteTracker`.
        kept_steps: See :class:`ByteTracker`.
    """

    def __init__(self, high_score_thr: float, kept_steps: int) -> None:
        from mmdet.models.task_modules.tracking import KalmanFilter
        from mmdet.models.trackers import ByteTracker

        self._tracker = ByteTracker(
            obj_score_thrs={'high': high_score_thr, 'low': 0.0},
            init_track_thr=high_score_thr,
            # A low score does not mean a wrong box.
            weight_iou_with_det_scores=False,
            match_iou_thrs={'high': MATCH_IOU, 'low': LOW_MATCH_IOU, 'tentative': MATCH_IOU},
            # Two consecutive detections above the detector's threshold are enough.
            num_tentatives=1,
            num_frames_retain=kept_steps,
        )
        self._tracker.motion = KalmanFilter()
        self.reset()

    def reset(self) -> None:
        """Start another video."""
        self._tracker.reset()
        self._step = 0

    def track(self, boxes: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See :meth:`ByteTracker.track`."""
        import torch
        from mmdet.structures import DetDataSample
        from mmengine.structures import InstanceData

        if not len(boxes):
            # ByteTracker predicts its tracks only in frames with a detection. A detection that
            # scores 0 matches no track and starts none.
            boxes, scores = np.array([[0.0, 0.0, 1.0, 1.0]]), np.zeros(1)
        sample = DetDataSample(metainfo={'frame_id': self._step})
        sample.pred_instances = InstanceData(
            bboxes=torch.from_numpy(to_corners(boxes)),
            scores=torch.from_numpy(scores.astype(np.float64)),
            labels=torch.zeros(len(boxes), dtype=torch.long),
            # ByteTracker reorders the detections together with their masks, so the masks are used
            # for the original positions.
            masks=torch.arange(len(boxes)),
        )
        tracked = self._tracker.track(sample)
        self._step += 1
        # ByteTracker keeps all boxes of a track, but reads only the last one.
        for track in self._tracker.tracks.values():
            for item in self._tracker.memo_items:
                del track[item][:-1]
        order = np.argsort(tracked.masks.numpy())
        return tracked.masks.numpy()[order], tracked.instances_id.numpy()[order]


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
@settings(max_examples=6)
@given(seed=st.integers(0, 2**32 - 1))
def test_people_are_who_they_are_with_mmdetection(detect_interval, seed):
    ours, theirs = PersonTracker(detect_interval), PersonTracker(detect_interval)
    theirs._tracker = MMDetByteTracker(HIGH_SCORE_THR, theirs._kept_steps)
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
