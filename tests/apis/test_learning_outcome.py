"""Learning from the labels of opened videos, and what is done with what was learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from stdpose_mm.apis import VideoPosePropagator
from stdpose_mm.apis.learning import HiddenComparison, LearningOutcome
from stdpose_mm.apis.propagation_state import PropagationState
from stdpose_mm.errors import InputError
from stdpose_mm.evaluation.functional import ScoreCalibrator
from stdpose_mm.io.video import FrameSource
from stdpose_mm.labelling.evidence import PoseNetworkFiles
from stdpose_mm.labelling.propagation.learned_propagator import LearnedPropagator
from stdpose_mm.structures import Skeleton
from support.coloured_dots import SKELETON, dots_label, dots_video, pose_at

pytestmark = pytest.mark.usefixtures('small_batches')

NUM_FRAMES = 60
FRAMES = dots_video(NUM_FRAMES)


def outcome_of(before: Sequence[float], after: Sequence[float]) -> LearningOutcome:
    """Errors of one joint in a frame each."""
    groups = np.stack([np.zeros(len(before)), np.arange(len(before))], axis=-1)
    return LearningOutcome(None, np.array(before), np.array(after), groups)  # type: ignore[arg-type]


def opened(
    propagator: VideoPosePropagator,
    folder: Path | None = None,
    frames: FrameSource = FRAMES,
    interval: int = 6,
) -> PropagationState:
    state = propagator.init_state(frames, skeleton=SKELETON, folder=folder)
    for frame in range(0, len(frames), interval):
        propagator.add_labels(state, frame, 0, dots_label(frame).keypoints)
    return state


@pytest.mark.parametrize(
    ('before', 'after', 'helped'),
    [
        # Five of ten frames gained and none was lost: p = 0.0075.
        ([0.2] * 5 + [0.05] * 5, [0.05] * 10, True),
        # One of ten: p = 0.17.
        ([0.2] + [0.05] * 9, [0.05] * 10, False),
        # Five gained and three lost: p = 0.24.
        ([0.2] * 5 + [0.05] * 5, [0.05] * 5 + [0.2] * 3 + [0.05] * 2, False),
        # Five gained and none was lost, but a wrong joint is now so far off that the mean grows.
        ([0.2] * 6 + [0.05] * 4, [0.05] * 5 + [3.0] + [0.05] * 4, False),
        # The errors of right joints do not count.
        ([0.05] * 10, [0.01] * 10, False),
        ([0.2] * 3, [0.05] * 3, True),
        ([0.2], [0.05], False),
        ([], [], False),
    ],
)
def test_a_network_is_used_only_if_it_is_certainly_better(before, after, helped):
    assert outcome_of(before, after).helped is helped


@pytest.mark.parametrize(
    ('in_use', 'verdict'),
    [
        (1, '90.0 with the network in use (40.0 without); it is used'),
        # Six of ten frames gained and one was lost: p = 0.026.
        (0, '100.0 with the network in use (40.0 without); it is not better, so that one stays'),
    ],
)
def test_learning_again_is_compared_with_the_network_in_use(in_use, verdict):
    network: Any = SimpleNamespace(record=SimpleNamespace(num_poses=20))
    outcome = outcome_of([0.2] * 6 + [0.05] * 4, [0.05] * 9 + [0.2])
    assert outcome.helped
    in_use_errors = np.array([0.2] * in_use + [0.05] * (10 - in_use))
    again = replace(outcome, network=network, in_use=in_use_errors)
    assert f'of 100 joints 90.0 are right instead of {verdict}' in str(again)
    assert again.helped is bool(in_use)


def test_joints_of_one_frame_are_no_independent_evidence():
    """Twelve joints right instead of wrong, but all in one of three frames."""
    before, after = np.full(36, 0.05), np.full(36, 0.05)
    before[:12] = 0.2
    groups = np.stack([np.zeros(36), np.repeat(np.arange(3), 12)], axis=-1)
    assert not LearningOutcome(None, before, after, groups).helped  # type: ignore[arg-type]


def test_what_is_compared_was_not_chosen_on_the_same_labels():
    """The fit on the labels of member 0 combines the poses of those of member 1."""
    base, other = np.zeros((2, 1, 2)), np.full((2, 1, 2), 50.0)
    scores = np.full((2, 1), 0.6)
    sizes, groups = np.full(2, 100.0), np.array([[0, 0], [0, 1]])
    truth = np.zeros((2, 1, 2))
    in_use = np.full((2, 1, 2), 30.0)
    fitted = np.array([0, 1])
    poses = HiddenComparison(base, scores, other, scores, truth, sizes, fitted, groups, in_use)
    fits = [(ScoreCalibrator(), np.array([odds])) for odds in (9.0, 0.0, 1.0)]
    outcome = poses.compare(None, fits)  # type: ignore[arg-type]
    assert outcome.before.tolist() == [0, 0]
    assert outcome.after == pytest.approx([np.sqrt(0.5), 0])
    assert outcome.in_use == pytest.approx(2 * [np.sqrt(0.18)])
    assert outcome.groups.tolist() == groups.tolist()
    calibrator, odds = poses.fit(poses.fitted != 0, ScoreCalibrator(1.0, 4.0))
    assert odds.tolist() == [0]
    # The network was wrong there: log odds of 0.6 near -log 2, and those of the training near 4.
    alone, _ = poses.fit(poses.fitted != 0, ScoreCalibrator(0.0, 0.0))
    assert calibrator.offset == pytest.approx(alone.offset + 2)
    assert alone(np.array(0.6)) < 0.5


@pytest.mark.slow
def test_what_was_learned_makes_poses_better_and_is_kept(tmp_path):
    propagator = VideoPosePropagator(use_stdpose=False)
    frames = dots_video(96)
    state = opened(propagator, tmp_path / 'cache', frames, 8)

    def error() -> float:
        results = propagator.propagate_in_video(state)
        apart = [r.keypoints[0] - pose_at(r.frame_idx) for r in results]
        return float(np.linalg.norm(apart, axis=-1).mean())

    before = error()
    heard: list[float] = []
    outcome = propagator.learn(
        state, tmp_path / 'a.onnx', 10, listener=lambda done, right: heard.append(done), steps=48
    )
    assert outcome.helped
    assert len(heard) == 48
    assert heard[-1] == 1
    assert 'of 100 joints' in str(outcome)
    assert isinstance(propagator.propagator, LearnedPropagator)
    after = error()
    assert after < 0.7 * before
    # The same labels again: from the cache, without training.
    heard.clear()
    other = VideoPosePropagator(use_stdpose=False)
    again = other.learn(
        opened(other, tmp_path / 'cache', frames, 8), tmp_path / 'b.onnx', 10, steps=48
    )
    assert not heard
    assert (tmp_path / 'a.onnx').read_bytes() == (tmp_path / 'b.onnx').read_bytes()
    np.testing.assert_array_equal(again.after, outcome.after)
    assert outcome.network.record.odds is not None
    more = propagator.learn(state, tmp_path / 'c.onnx', 10, outcome.network, steps=2)
    np.testing.assert_array_equal(more.before, outcome.before)
    assert more.in_use is not None
    assert more.in_use.mean() < 0.7 * more.before.mean()


@pytest.mark.slow
@pytest.mark.usefixtures('straight_auto')
def test_labels_that_all_of_a_network_has_seen_do_not_tell_how_accurate_it_is(tmp_path):
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
@pytest.mark.usefixtures('straight_auto')
def test_a_network_is_judged_by_as_many_labels_of_each_half(tmp_path):
    """Of 40 labels, those in the frames that are spread best belong to one half."""
    frames = dots_video(160)
    propagator = VideoPosePropagator(use_stdpose=False)
    state = opened(propagator, frames=frames, interval=4)
    outcome = propagator.learn(state, tmp_path / 'n.onnx', 10, steps=1)
    judged = {int(frame) for _, frame in outcome.groups}
    assert len(judged) == 12
    for seen in outcome.network.record.seen:
        assert len(judged.intersection(*seen.values())) == 6


@pytest.mark.slow
@pytest.mark.usefixtures('straight_auto')
def test_labels_of_another_subject_do_not_hide_the_network(tmp_path):
    """Two subjects, labelled by turns: the labels of each frame teach about both."""
    propagator = VideoPosePropagator(use_stdpose=False)
    state = propagator.init_state(FRAMES, skeleton=SKELETON)
    for frame in range(0, NUM_FRAMES, 6):
        propagator.add_labels(state, frame, 0, dots_label(frame).keypoints)
        propagator.add_labels(state, frame + 3, 1, dots_label(frame + 3).keypoints)
    network = propagator.learn(state, tmp_path / 'n.onnx', 10, steps=1).network
    propagator.use_network(network)
    members = []
    locate = network.locate

    def listen(pictures: Any, boxes: Any, asked: Any, prior: Any) -> Any:
        members.append(asked)
        return locate(pictures, boxes, asked, prior)

    network.locate = listen  # type: ignore[method-assign]
    list(propagator.propagate_in_video(state))
    assert {*members} == {(0, 1)}


@pytest.mark.slow
@pytest.mark.usefixtures('straight_auto')
def test_a_network_that_was_given_stays_beside_one_that_is_learned(
    learned_dots, tmp_path, monkeypatch
):
    files = [PoseNetworkFiles.parse(str(learned_dots))]
    propagator = VideoPosePropagator(use_stdpose=False, pose_networks=files)
    assert propagator.learned_network is None
    monkeypatch.setattr(LearningOutcome, 'helped', True)
    propagator.learn(opened(propagator), tmp_path / 'n.onnx', 10, steps=1)
    used = propagator.propagator
    assert isinstance(used, LearnedPropagator)
    assert used.network.name == 'n.onnx'
    assert isinstance(used.base, LearnedPropagator)
    assert used.base.network.name == learned_dots.name


@pytest.mark.slow
@pytest.mark.usefixtures('straight_auto')
def test_what_was_learned_of_a_single_joint_is_measured_on_hidden_labels(tmp_path):
    propagator = VideoPosePropagator(use_stdpose=False)
    state = propagator.init_state(FRAMES, skeleton=Skeleton(('head',)))
    for frame in range(0, NUM_FRAMES, 6):
        propagator.add_labels(state, frame, 0, pose_at(frame)[:1])
    outcome = propagator.learn(state, tmp_path / 'n.onnx', 10, steps=4)
    assert len(outcome.after) == len(np.unique(outcome.groups, axis=0)) == 4
    assert 'of 100 joints' in str(outcome)


@pytest.mark.parametrize(
    ('method', 'sentence'),
    [
        ('flow', "^learning needs method 'auto', got 'flow'$"),
        ('auto', '1 labelled frame cannot teach'),
    ],
)
def test_what_cannot_be_learned_from_is_one_sentence(tmp_path, method, sentence):
    propagator = VideoPosePropagator(method=method)
    state = propagator.init_state(FRAMES, skeleton=SKELETON)
    propagator.add_labels(state, 0, 0, pose_at(0))
    with pytest.raises(InputError, match=sentence):
        propagator.learn(state, tmp_path / 'n.onnx')
    assert not (tmp_path / 'n.onnx').exists()


def test_videos_of_other_joints_are_refused(tmp_path):
    propagator = VideoPosePropagator()
    other = propagator.init_state(FRAMES)
    propagator.add_labels(other, 0, 0, np.zeros((5, 2)) + 9)
    with pytest.raises(InputError, match=r'have different joints \(3 and 5\), learn from them sep'):
        propagator.learn([opened(propagator), other], tmp_path / 'n.onnx')
