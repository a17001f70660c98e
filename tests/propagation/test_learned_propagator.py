"""Poses of a method and of a network that learned from labels, put together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from scipy.special import gammaincinv

from stdpose_mm.io.video import ArrayFrames, FrameSource
from stdpose_mm.propagation import (
    BasePropagator,
    Gap,
    PropagatedPose,
    propagate_labels,
)
from stdpose_mm.propagation.learned_propagator import LearnedPropagator, combine
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels

SKELETON = Skeleton(('head', 'left_hand', 'right_hand'))
POSE = np.array([[10, 10], [0, 50], [20, 50]], float)


class Still(BasePropagator):
    """Fill with the left label, at a probability of 0.7; count the gaps."""

    def __init__(self) -> None:
        self.gaps = 0

    def propagate(
        self, frames: FrameSource, gaps: Sequence[Gap], skeleton: Skeleton
    ) -> Iterator[PropagatedPose]:
        for gap in gaps:
            self.gaps += 1
            for frame in gap.frames:
                yield PropagatedPose.with_visibility_of_labels(
                    gap, frame, gap.before.keypoints, np.full(3, 0.7)
                )


class Network:
    """Find the head at (30, 30) for certain, the left hand less surely, and nothing else."""

    skeleton = Skeleton(('left_hand', 'head'))

    def __init__(self, members: Sequence[int] = (0, 1)) -> None:
        self.members = members
        self.boxes: list[np.ndarray] = []
        self.asked: list[list[int]] = []
        self.priors: list[np.ndarray] = []

    def unseen_members(self, frames: FrameSource, indices: Any) -> Sequence[int]:
        self.asked.append([*indices])
        return self.members

    def locate(
        self,
        frames: FrameSource,
        indices: Sequence[int],
        boxes: np.ndarray,
        members: Any,
        prior: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        self.boxes.extend(boxes)
        self.priors.append(prior)
        places = np.full((len(indices), 2, 2), 30.0)
        return places, np.tile([0.4, 0.9], (len(indices), 1))


def fill(network: Network, base: Still, finished: dict | None = None) -> list[PersonLabel]:
    frames = ArrayFrames(np.zeros((5, 64, 64, 3), np.uint8))
    people = [PersonLabel(frame, POSE, [2, 2, 2], 0) for frame in (0, 4)]
    labels = VideoLabels('v', SKELETON, tuple(map(VideoFrame, range(5))), tuple(people))
    propagator = LearnedPropagator(base, network, finished)  # type: ignore[arg-type]
    return [p for p in propagate_labels(frames, labels, propagator).persons if p.source != 'given']


def test_each_joint_comes_from_whichever_is_more_probable() -> None:
    network = Network()
    for pose in fill(network, Still()):
        assert pose.keypoints.tolist() == [[30, 30], [0, 50], [20, 50]]
        assert pose.scores is not None
        assert pose.scores.tolist() == [0.9, 0.7, 0.7]
    # The network looks at the pose of the method: its extent and 15 % of it.
    np.testing.assert_allclose(network.boxes, np.tile([-3, 4, 26, 52], (3, 1)))


def test_the_network_is_shown_the_poses_of_the_method_as_its_own_joints() -> None:
    network = Network()
    fill(network, Still())
    assert network.priors[0].tolist() == 3 * [[[0, 50], [10, 10]]]


def test_without_an_unseen_member_the_method_stands_alone() -> None:
    for pose in fill(Network(members=()), Still()):
        np.testing.assert_array_equal(pose.keypoints, POSE)


def test_joints_that_the_track_does_not_have_stay_without_a_place() -> None:
    frames = ArrayFrames(np.zeros((3, 64, 64, 3), np.uint8))
    people = [PersonLabel(frame, POSE, [0, 2, 2], 0) for frame in (0, 2)]
    labels = VideoLabels('v', SKELETON, tuple(map(VideoFrame, range(3))), tuple(people))
    propagator = LearnedPropagator(Still(), Network())  # type: ignore[arg-type]
    (pose,) = propagate_labels(frames, labels, propagator)[1]
    assert pose.visibility.tolist() == [0, 2, 2]
    assert pose.keypoints[0].tolist() == [0, 0]


def test_a_label_of_other_joints_inside_of_a_gap_was_not_hidden() -> None:
    """In frame 2 the head alone is labelled; the hands have a gap across it."""
    frames, network = ArrayFrames(np.zeros((5, 64, 64, 3), np.uint8)), Network()
    people = [PersonLabel(frame, POSE, [2, 2, 2], 0) for frame in (0, 4)]
    sources = ['given', 'propagated', 'propagated']
    people.insert(1, PersonLabel(2, POSE, [2, 0, 0], 0, keypoint_sources=sources))
    labels = VideoLabels('v', SKELETON, tuple(map(VideoFrame, range(5))), tuple(people))
    propagate_labels(frames, labels, LearnedPropagator(Still(), network))  # type: ignore[arg-type]
    assert sorted(network.asked) == [[1], [1, 3], [3]]


def test_gaps_that_the_method_has_filled_are_not_filled_again() -> None:
    base, finished = Still(), {}
    first = fill(Network(), base, finished)
    second = fill(Network(), base, finished)
    assert base.gaps == 1
    assert len(finished) == 1
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.keypoints, other.keypoints)


def test_two_likely_estimates_that_agree_are_averaged_by_their_precision() -> None:
    """The scale of the error goes with 1 / gammaincinv(2, score), the weight with its square."""
    base, other = np.zeros((1, 3, 2)), np.array([[[4.0, 0], [12, 0], [4, 0]]])
    scores, others = np.array([[0.8, 0.8, 0.4]]), np.array([[0.95, 0.95, 0.95]])
    keypoints, combined = combine(base, scores, other, others, np.array([100.0]))
    # Odds of 19 count as 57.
    first, second = gammaincinv(2, 0.8) ** 2, gammaincinv(2, 57 / 58) ** 2
    assert keypoints[0, 0, 0] == pytest.approx(4 * second / (first + second))
    # Further apart than 10 % of the size, and not likely.
    assert keypoints[0, 1:].tolist() == [[12, 0], [4, 0]]
    assert combined.tolist() == [[0.95] * 3]


@pytest.mark.parametrize(('score', 'counts'), [(0.52, True), (0.48, False)])
def test_the_network_counts_where_its_odds_are_a_third_of_the_others(score, counts):
    """Odds of 0.52 are 13 : 12, three times which are more than 0.75's of 3 : 1."""
    base, other = np.zeros((1, 1, 2)), np.full((1, 1, 2), 50.0)
    keypoints, scores = combine(
        base, np.array([[0.75]]), other, np.array([[score]]), np.array([100.0])
    )
    assert keypoints.tolist() == [[[50.0 * counts] * 2]]
    assert scores.tolist() == [[0.75]]
