"""Poses of a method and of a network that learned from labels, put together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from scipy.special import gammaincinv

from stdpose_mm.io.video import ArrayFrames, FrameSource
from stdpose_mm.labelling.evidence.learned_network import pose_box
from stdpose_mm.labelling.propagation import (
    BasePropagator,
    Gap,
    GapPoses,
    propagate_labels,
    propagate_subsampled,
)
from stdpose_mm.labelling.propagation.learned_propagator import LearnedPropagator, combine, fit_odds
from stdpose_mm.labelling.propagation.track_plans import TrackPlanner
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels
from support.frame_sources import CountingFrames

SKELETON = Skeleton(('head', 'left_hand', 'right_hand'))
POSE = np.array([[10, 10], [0, 50], [20, 50]], float)


class Still(BasePropagator):
    """Fill with the left label, at a probability of 0.7; count the gaps."""

    def __init__(self) -> None:
        self.gaps = 0

    def propagate(
        self, frames: FrameSource, gaps: Sequence[Gap], skeleton: Skeleton
    ) -> Iterator[GapPoses]:
        for gap in gaps:
            self.gaps += 1
            poses = np.tile(gap.before.keypoints, (len(gap.frames), 1, 1))
            yield GapPoses.with_visibility_of_labels(
                gap, gap.frames, poses, np.full(poses.shape[:2], 0.7)
            )


class Network:
    """Find the head at (30, 30) for certain, the left hand less surely, and nothing else."""

    skeleton = Skeleton(('left_hand', 'head'))

    def __init__(self, unseen: Sequence[int] = (0, 1), odds: float = 1.0) -> None:
        self.unseen, self._odds = unseen, odds
        self.shown: list[np.ndarray] = []
        self.members: list[Any] = []
        self.hidden: list[list[int]] = []
        self.priors: list[np.ndarray] = []

    def unseen_members(self, frames: FrameSource, hidden: Any) -> Sequence[int]:
        self.hidden.append([*hidden])
        return self.unseen

    def boxes(self, frames: FrameSource, poses: np.ndarray, labelled: np.ndarray) -> np.ndarray:
        return pose_box(poses, labelled)

    def odds(self, members: Sequence[int]) -> np.ndarray:
        return np.full(2, self._odds)

    def locate(
        self, pictures: Sequence[np.ndarray], boxes: np.ndarray, members: Any, prior: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        self.shown.extend(boxes)
        self.members.append(members)
        self.priors.append(prior)
        places = np.full((len(pictures), 2, 2), 30.0)
        return places, np.tile([0.4, 0.9], (len(pictures), 1))


FRAMES = ArrayFrames(np.zeros((5, 64, 64, 3), np.uint8))


def labels_of(*frames: int) -> VideoLabels:
    people = tuple(PersonLabel(frame, POSE, [2, 2, 2], 0) for frame in frames)
    return VideoLabels('v', SKELETON, tuple(map(VideoFrame, range(5))), people)


def fill(network: Network, base: BasePropagator, finished: dict | None = None) -> list[PersonLabel]:
    propagator = LearnedPropagator(base, network, finished=finished)  # type: ignore[arg-type]
    dense = propagate_labels(FRAMES, labels_of(0, 4), propagator)
    return [person for person in dense.persons if person.source != 'given']


def test_each_joint_comes_from_whichever_is_more_probable() -> None:
    network = Network()
    for pose in fill(network, Still()):
        assert pose.keypoints.tolist() == [[30, 30], [0, 50], [20, 50]]
        assert pose.scores is not None
        assert pose.scores.tolist() == [0.9, 0.7, 0.7]
    # The network looks at the pose of the method: its extent and 15 % of it.
    np.testing.assert_allclose(network.shown, np.tile([-3, 4, 26, 52], (3, 1)))


def test_the_network_is_shown_the_poses_of_the_method_as_its_own_joints() -> None:
    network = Network()
    fill(network, Still())
    assert network.priors[0].tolist() == 3 * [[[0, 50], [10, 10]]]


def test_a_network_with_odds_of_zero_is_not_heard() -> None:
    for pose in fill(Network(odds=0), Still()):
        np.testing.assert_array_equal(pose.keypoints, POSE)
        assert pose.scores is not None
        assert pose.scores.tolist() == [0.7] * 3


@pytest.mark.parametrize('unseen', [(0, 1), (1,), ()])
def test_where_labels_are_hidden_only_members_look_that_have_not_seen_them(
    unseen: tuple[int, ...],
) -> None:
    network, other = Network(unseen), Network()
    inner = LearnedPropagator(Still(), other)  # type: ignore[arg-type]
    propagator = LearnedPropagator(inner, network)  # type: ignore[arg-type]
    dense = propagate_subsampled(FRAMES, labels_of(0, 2, 3, 4), 4, propagator)
    # Frames 2 and 3 are hidden; both networks are told so.
    assert network.hidden == other.hidden == [[2, 3]]
    assert network.members == ([unseen] if unseen else [])
    assert other.members == [(0, 1)]
    assert {person.source for person in dense.persons} == {'given', 'propagated'}


def test_where_nothing_is_hidden_all_members_look() -> None:
    network = Network(unseen=())
    fill(network, Still())
    assert network.members == [(0, 1)]
    assert network.hidden == []


def test_joints_that_the_track_does_not_have_stay_without_a_place() -> None:
    frames = ArrayFrames(np.zeros((3, 64, 64, 3), np.uint8))
    people = [PersonLabel(frame, POSE, [0, 2, 2], 0) for frame in (0, 2)]
    labels = VideoLabels('v', SKELETON, tuple(map(VideoFrame, range(3))), tuple(people))
    propagator = LearnedPropagator(Still(), Network())  # type: ignore[arg-type]
    (pose,) = propagate_labels(frames, labels, propagator)[1]
    assert pose.visibility.tolist() == [0, 2, 2]
    assert pose.keypoints[0].tolist() == [0, 0]


def test_gaps_that_the_method_has_filled_are_not_filled_again() -> None:
    base, finished = Still(), {}
    first = fill(Network(), base, finished)
    second = fill(Network(), base, finished)
    assert base.gaps == 1
    assert len(finished) == 1
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.keypoints, other.keypoints)


def test_the_network_reads_each_frame_once_for_all_gaps_and_people() -> None:
    """Person 0 has gaps of frames 1 to 3 and 5 to 7, person 1 one of 1 to 7, and 2 of 2 to 5."""
    labelled = {0: (0, 4, 8), 1: (0, 8), 2: (1, 6)}
    tracks = {
        person: {frame: PersonLabel(frame, POSE, [2, 2, 2], person) for frame in frames}
        for person, frames in labelled.items()
    }
    plans = TrackPlanner(9, 'labels').plan(tracks)
    gaps = sorted((gap for plan in plans.values() for gap in plan.gaps), key=lambda gap: gap.first)
    frames, network = CountingFrames(np.zeros((9, 64, 64, 3), np.uint8)), Network()
    filled = [*LearnedPropagator(Still(), network).propagate(frames, gaps, SKELETON)]  # type: ignore[arg-type]
    assert frames.reads == [1, 2, 3, 4, 5, 6, 7]
    assert {poses.gap for poses in filled} == {*gaps}
    assert all(poses.keypoints[:, 0].tolist() == [[30, 30]] * len(poses.frames) for poses in filled)


def test_two_likely_estimates_that_agree_are_averaged_by_their_precision() -> None:
    """The scale of the error goes with 1 / gammaincinv(2, score), the weight with its square."""
    base, other = np.zeros((1, 3, 2)), np.array([[[4.0, 0], [12, 0], [4, 0]]])
    scores, others = np.array([[0.8, 0.8, 0.4]]), np.array([[0.95, 0.95, 0.95]])
    keypoints, combined = combine(base, scores, other, others, np.array([100.0]), np.full(3, 3.0))
    # Odds of 19 count as 57.
    first, second = gammaincinv(2, 0.8) ** 2, gammaincinv(2, 57 / 58) ** 2
    assert keypoints[0, 0, 0] == pytest.approx(4 * second / (first + second))
    # Further apart than 10 % of the size, and not likely.
    assert keypoints[0, 1:].tolist() == [[12, 0], [4, 0]]
    assert combined.tolist() == [[0.95] * 3]


@pytest.mark.parametrize(('score', 'odds', 'counts'), [(0.52, 3, 1), (0.48, 3, 0), (0.76, 1, 1)])
def test_odds_are_multiplied_before_they_are_compared(score, odds, counts):
    """Odds of 0.52 are 13 : 12, three times which are more than 0.75's of 3 : 1."""
    base, other = np.zeros((1, 1, 2)), np.full((1, 1, 2), 50.0)
    keypoints, _ = combine(
        base, np.array([[0.75]]), other, np.array([[score]]), np.array([100.0]), odds
    )
    assert keypoints.tolist() == [[[50.0 * counts] * 2]]


def test_each_joint_is_trusted_as_its_labels_say() -> None:
    """Of three joints, both methods are equally sure. The network is always right about the first,
    never about the second, and nothing is known about the third, where most joints decide."""
    number = 60
    truth = np.zeros((number, 3, 2))
    truth[:, 2] = np.nan
    base, other = np.zeros((2, number, 3, 2))
    base[:, 0] += 30
    other[:, 1] += 60
    scores = np.full((number, 3), 0.6)
    odds = fit_odds(base, scores, other, scores, np.full(number, 100.0), truth)
    # The smallest factor above 1 is enough, and the largest below 1 loses nothing either.
    assert odds.tolist() == [3, 0, 0]
    few = fit_odds(base[:1], scores[:1], other[:1], scores[:1], np.full(1, 100.0), truth[:1])
    # One label of each joint: the gross error of the second decides for all.
    assert few.tolist() == [0, 0, 0]
