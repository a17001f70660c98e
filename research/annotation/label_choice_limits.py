"""Upper limit of what a good choice of frames to label can save: the choice in hindsight.

The errors of every possible gap of a video are measured: its two ends are labelled, and all frames
between them are propagated and compared with their labels. From these errors, the best frames can
be chosen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush
from itertools import combinations

import numpy as np

from stdpose_mm.evaluation.functional import CORRECT_WITHIN, pose_sizes
from stdpose_mm.io.video import FrameSource, cache_frames
from stdpose_mm.propagation import BasePropagator, LifeSpan
from stdpose_mm.propagation.track_plans import TrackPlanner
from stdpose_mm.review import plan_frames, share_labels
from stdpose_mm.structures import NOT_LABELLED, PersonLabel, VideoLabels


def measure_gap_errors(
    frames: FrameSource, truth: VideoLabels, propagator: BasePropagator
) -> np.ndarray:
    """Count the joints that propagation gets wrong between any two frames of a video.

    A person who is labelled at one end only is propagated from there; a person who is labelled at
    neither end counts as wrong throughout. Labels further away, which might help, are ignored.

    Args:
        frames: The video's pictures.
        truth: Full labels with track ids.
        propagator: Fills the gaps, all gaps of a person in one call.

    Returns:
        [n + 2, n + 2] wrong joints between every two of the n labelled frames, as
        :func:`~stdpose_mm.review.plan_frames` reads them.
    """
    place_of = {frame: place for place, frame in enumerate(truth.labelled_frame_indices)}
    number = len(place_of)
    costs = np.zeros((number + 2, number + 2))
    for track in truth.tracks().values():
        sizes = pose_sizes(
            np.stack([label.keypoints for label in track.values()]),
            np.stack([label.labelled for label in track.values()]),
        )
        limits = dict(zip(track, CORRECT_WITHIN * sizes, strict=True))
        # All joints count as wrong until a propagated pose is found to be right.
        joints = np.zeros(number)
        for frame, label in track.items():
            joints[place_of[frame]] = label.labelled.sum() if limits[frame] > 0 else 0
        until = np.append(0, np.cumsum(joints))
        costs += np.triu(np.append(0, until)[None, :] - np.append(until, 0)[:, None], 1)
        is_open = np.ones(number + 2, dtype=bool)
        is_open[[place_of[frame] + 1 for frame in track]] = False
        gaps = [
            gap
            for some, life_span in _possible_labels(track)
            for plan in TrackPlanner(len(frames), life_span)
            .plan(truth.with_persons(some).tracks())
            .values()
            for gap in plan.gaps
        ]
        for pose in propagator.propagate(cache_frames(frames), gaps, truth.skeleton):
            true = track.get(pose.frame_index)
            if true is None or limits[pose.frame_index] <= 0:
                continue
            distance = np.linalg.norm(pose.keypoints - true.keypoints, axis=-1)
            known = true.labelled & (pose.visibility > NOT_LABELLED) & pose.gap.joints
            right = (known & (distance <= limits[pose.frame_index])).sum()
            here = place_of[pose.frame_index] + 1
            # An end without a label may be any frame in which the person has no label.
            starts, stops = np.flatnonzero(is_open[:here]), here + np.flatnonzero(is_open[here:])
            if pose.gap.left is not None:
                starts = np.array([place_of[pose.gap.left.frame_index] + 1])
            if pose.gap.right is not None:
                stops = np.array([place_of[pose.gap.right.frame_index] + 1])
            costs[np.ix_(starts, stops)] -= right
    return costs


def _possible_labels(
    track: Mapping[int, PersonLabel],
) -> Iterator[tuple[list[PersonLabel], LifeSpan]]:
    """Yield each label of a person on its own, and then each pair of labels.

    Each has a track id of its own, so that it is propagated independently.
    """
    yield [replace(label, track_id=number) for number, label in enumerate(track.values())], 'video'
    pairs = enumerate(combinations(track.values(), 2))
    yield [replace(label, track_id=number) for number, pair in pairs for label in pair], 'labels'


@dataclass(frozen=True)
class HindsightLabels:
    """Number of labelled frames that reach a target if the errors of every gap are known.

    Args:
        together: If all frames are chosen at once, by dynamic programming.
        one_by_one: If the best next frame is added until the target is reached.
    """

    together: int
    one_by_one: int


def choose_in_hindsight(
    costs: Sequence[np.ndarray], num_joints: int, target: float
) -> HindsightLabels:
    """Choose the frames of a set of videos from the true errors of all gaps.

    Args:
        costs: Errors of each video, see :func:`measure_gap_errors`.
        num_joints: Joints of all videos.
        target: PCK@0.1 in per cent, over all frames.
    """
    allowed = num_joints * (1 - target / 100)
    together = share_labels([plan_frames(of_video) for of_video in costs], allowed)
    return HindsightLabels(sum(together), _label_one_by_one(costs, allowed))


def _label_one_by_one(costs: Sequence[np.ndarray], allowed: float) -> int:
    """Count the labels if each label is put on the frame that removes most errors."""
    wrong = sum(float(of_video[0, -1]) for of_video in costs)
    waiting = [
        _best_split(which, of_video, 0, len(of_video) - 1) for which, of_video in enumerate(costs)
    ]
    heapify(waiting)
    number = 0
    while wrong > allowed + 1e-9:
        saved, which, start, frame, stop = heappop(waiting)
        wrong += saved
        number += 1
        heappush(waiting, _best_split(which, costs[which], start, frame))
        heappush(waiting, _best_split(which, costs[which], frame, stop))
    return number


def _best_split(
    which: int, costs: np.ndarray, start: int, stop: int
) -> tuple[float, int, int, int, int]:
    """Find the best frame inside a gap: change of the errors, video, start, frame, stop."""
    if stop - start < 2:
        return np.inf, which, start, start, stop
    left = costs[start, start + 1 : stop] + costs[start + 1 : stop, stop]
    best = int(np.argmin(left))
    return float(left[best] - costs[start, stop]), which, start, start + 1 + best, stop
