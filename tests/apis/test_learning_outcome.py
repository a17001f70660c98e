"""Learning from the labels of opened videos, and what is done with what was learned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stdpose_mm.apis import VideoPosePropagator
from stdpose_mm.apis.learning import LearningOutcome
from stdpose_mm.apis.propagation_state import PropagationState
from stdpose_mm.errors import InputError
from stdpose_mm.propagation.learned_propagator import LearnedPropagator
from stdpose_mm.review import HiddenLabel, LabelAccuracy
from stdpose_mm.structures import Skeleton
from support.coloured_dots import SKELETON, dots_label, dots_video, pose_at

NUM_FRAMES = 60
FRAMES = dots_video(NUM_FRAMES)


def accuracy(*errors: float) -> LabelAccuracy:
    return LabelAccuracy(
        [HiddenLabel(0, 0, 4, 8)], np.array(['head'] * len(errors)), np.array(errors), np.ones(1)
    )


def opened(propagator: VideoPosePropagator, folder: Path | None = None) -> PropagationState:
    state = propagator.init_state(FRAMES, skeleton=SKELETON, folder=folder)
    for frame in range(0, NUM_FRAMES, 6):
        propagator.add_labels(state, frame, 0, dots_label(frame).keypoints)
    return state


@pytest.mark.parametrize(
    ('before', 'after', 'helped'),
    [
        ((0.2, 0.05), (0.05, 0.05), True),
        ((0.05, 0.05), (0.2, 0.05), False),
        ((0.2, 0.05), (0.2, 0.04), False),
    ],
)
def test_a_network_is_used_only_if_hidden_labels_gain(
    before: tuple[float, ...], after: tuple[float, ...], helped: bool
) -> None:
    outcome = LearningOutcome(None, accuracy(*before), accuracy(*after))  # type: ignore[arg-type]
    assert outcome.helped is helped


def test_a_network_that_nothing_can_be_said_of_is_not_used() -> None:
    assert not LearningOutcome(None, None, None).helped  # type: ignore[arg-type]


@pytest.mark.slow
def test_what_was_learned_makes_poses_better_and_is_kept(tmp_path: Path) -> None:
    propagator = VideoPosePropagator(use_stdpose=False)
    state = opened(propagator, tmp_path / 'cache')

    def error() -> float:
        results = propagator.propagate_in_video(state)
        apart = [r.keypoints[0] - pose_at(r.frame_idx) for r in results]
        return float(np.linalg.norm(apart, axis=-1).mean())

    before = error()
    heard: list[float] = []
    outcome = propagator.learn(
        state, tmp_path / 'a.onnx', 10, listener=lambda done, right: heard.append(done), steps=30
    )
    assert outcome.helped
    assert len(heard) == 30
    assert heard[-1] == 1
    assert 'of 100 joints' in str(outcome)
    assert isinstance(propagator.propagator, LearnedPropagator)
    after = error()
    assert after < 0.7 * before
    # The same labels again: from the cache, without training.
    heard.clear()
    other = VideoPosePropagator(use_stdpose=False)
    again = other.learn(opened(other, tmp_path / 'cache'), tmp_path / 'b.onnx', 10, steps=30)
    assert not heard
    assert (tmp_path / 'a.onnx').read_bytes() == (tmp_path / 'b.onnx').read_bytes()
    assert again.after is not None
    assert outcome.after is not None
    np.testing.assert_array_equal(again.after.errors, outcome.after.errors)


@pytest.mark.slow
def test_labels_that_all_of_a_network_has_seen_do_not_tell_how_accurate_it_is(
    tmp_path: Path,
) -> None:
    propagator = VideoPosePropagator(use_stdpose=False)
    state = opened(propagator)

    def measured() -> set[int]:
        accuracies = propagator.measure_in_video(state, 99)
        return {label.frame_index for one in accuracies for label in one.labels}

    between = {*range(6, NUM_FRAMES - 6, 6)}
    assert measured() == between
    network = propagator.learn(state, tmp_path / 'n.onnx', 10, steps=4).network
    propagator.use_network(network)
    first, second = ({*frames} for one in network.record.seen for frames in one.values())
    assert len(first & second) == 5
    assert measured() == between - (first & second)
    propagator.add_labels(state, 27, 0, dots_label(27).keypoints)
    assert 27 in measured()


@pytest.mark.slow
def test_what_was_learned_of_a_single_joint_is_measured_on_hidden_labels(tmp_path: Path) -> None:
    propagator = VideoPosePropagator(use_stdpose=False)
    state = propagator.init_state(FRAMES, skeleton=Skeleton(('head',)))
    for frame in range(0, NUM_FRAMES, 6):
        propagator.add_labels(state, frame, 0, pose_at(frame)[:1])
    outcome = propagator.learn(state, tmp_path / 'n.onnx', 10, steps=4)
    assert outcome.before is not None
    assert set(outcome.before.joints) == {'head'}
    assert 'of 100 joints' in str(outcome)


@pytest.mark.parametrize(
    ('method', 'sentence'),
    [
        ('flow', "^learning needs method 'auto', got 'flow'$"),
        ('auto', '1 labelled frame cannot teach'),
    ],
)
def test_what_cannot_be_learned_from_is_one_sentence(
    tmp_path: Path, method: str, sentence: str
) -> None:
    propagator = VideoPosePropagator(method=method)
    state = propagator.init_state(FRAMES, skeleton=SKELETON)
    propagator.add_labels(state, 0, 0, pose_at(0))
    with pytest.raises(InputError, match=sentence):
        propagator.learn(state, tmp_path / 'n.onnx')
    assert not (tmp_path / 'n.onnx').exists()


def test_videos_of_other_joints_are_refused(tmp_path: Path) -> None:
    propagator = VideoPosePropagator()
    other = propagator.init_state(FRAMES)
    propagator.add_labels(other, 0, 0, np.zeros((5, 2)) + 9)
    with pytest.raises(InputError, match=r'have different joints \(3 and 5\), learn from them sep'):
        propagator.learn([opened(propagator), other], tmp_path / 'n.onnx')
