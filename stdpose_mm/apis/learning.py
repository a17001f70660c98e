"""Learning from the labels of videos, and its effect on their poses."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from stdpose_mm.errors import InputError, require_packages
from stdpose_mm.evaluation.functional import CORRECT_WITHIN, ScoreCalibrator, label_sizes
from stdpose_mm.io.cache_folder import CacheFolder
from stdpose_mm.io.fingerprint import NOT_DECIDING, code_fingerprint
from stdpose_mm.labelling.evidence.learned_network import (
    ONNX_RECORD,
    LearnedNetwork,
    fit_calibrator,
)
from stdpose_mm.labelling.propagation import BasePropagator
from stdpose_mm.labelling.propagation.learned_propagator import LearnedPropagator, combine, fit_odds
from stdpose_mm.labelling.review import HiddenLabel, choose_hidden_labels
from stdpose_mm.structures import PersonLabel, Skeleton
from stdpose_mm.structures.joint_mapping import JointMapping
from stdpose_mm.text import counted

from .propagation_state import PropagationState

COMPARED_FRAMES = 12
"""Largest number of labelled frames per video that are filled in without and with the network."""

CONFIDENCE = 0.95
"""Confidence with which a network has to be better before it is used."""


@dataclass(frozen=True)
class LearningOutcome:
    """A network that learned from labels, and its effect on the poses of hidden labels.

    The labels had been hidden from the member that was asked. Neither it nor how far it is trusted
    was chosen on them, so they are new to all that is compared.

    Args:
        network: The network.
        before: Error of each of N joints of hidden labels, in sizes of the pose, with the method
            alone.
        after: The same with the network.
        groups: Number of the video and the frame of each joint, [N, 2].
        in_use: The same as ``before`` with the network from which training continued, if any.
    """

    network: LearnedNetwork
    before: np.ndarray
    after: np.ndarray
    groups: np.ndarray
    in_use: np.ndarray | None = None

    @property
    def helped(self) -> bool:
        """Return whether the network is certainly better.

        More joints must be right with a confidence of ``CONFIDENCE`` in a paired t test over the
        frames, since the joints of a frame are often right or wrong together, and the mean error
        must not grow. No fewer may be right than with the network in use.
        """
        from scipy.stats import ttest_1samp

        right, right_before = (errors <= CORRECT_WITHIN for errors in (self.after, self.before))
        frames, frame_of = np.unique(self.groups, axis=0, return_inverse=True)
        if len(frames) < 2 or self.after.mean() > self.before.mean():
            return False
        if self.in_use is not None and right.sum() < (self.in_use <= CORRECT_WITHIN).sum():
            return False
        gained = np.bincount(frame_of.ravel(), right.astype(float) - right_before)
        gains = gained / np.bincount(frame_of.ravel())
        if np.ptp(gains) == 0:
            return bool(gains[0] > 0)
        return bool(ttest_1samp(gains, 0, alternative='greater').pvalue < 1 - CONFIDENCE)

    def __str__(self) -> str:
        poses = self.network.record.num_poses
        if not len(self.after):
            return (
                f'learned from {poses} labelled poses, but there is no label that it has not seen '
                'between two others to check whether it helps: it is not used'
            )
        right, before = _percent_right(self.after), _percent_right(self.before)
        frames = len(np.unique(self.groups, axis=0))
        verdict = 'it is used' if self.helped else 'it is not certainly better, so it is not used'
        if self.in_use is not None:
            before = f'{_percent_right(self.in_use)} with the network in use ({before} without)'
            verdict = 'it is used' if self.helped else 'it is not better, so that one stays in use'
        return (
            f'learned from {poses} labelled poses: in {counted(frames, "frame")} whose labels were '
            f'hidden, of 100 joints {right} are right instead of {before}; {verdict}'
        )


def _percent_right(errors: np.ndarray) -> str:
    return f'{100 * (errors <= CORRECT_WITHIN).mean():.1f}'


@dataclass(frozen=True)
class HiddenComparison:
    """Poses of a method and of a network for M hidden labels.

    Args:
        base: [M, K, 2] pixels of the method; K joints of the labels.
        base_scores: [M, K] probabilities that these are right.
        other: [M, K, 2] pixels of the network.
        certainty: [M, K] certainty of the network.
        truth: [M, K, 2] labels, NaN for joints that cannot be compared.
        sizes: [M] sizes of the labelled poses in pixels.
        fitted: [M] index of the calibrator and the odds that were not fitted on the label.
        groups: [M, 2] number of the video, and frame.
        in_use: [M, K, 2] pixels with the network from which training continued; else as ``base``.
    """

    base: np.ndarray
    base_scores: np.ndarray
    other: np.ndarray
    certainty: np.ndarray
    truth: np.ndarray
    sizes: np.ndarray
    fitted: np.ndarray
    groups: np.ndarray
    in_use: np.ndarray

    def fit(self, rows: np.ndarray, trained: ScoreCalibrator) -> tuple[ScoreCalibrator, np.ndarray]:
        """Fit the calibrator, and the odds [K] of the network's joints, on some of the labels.

        In training, hidden labels are shown at their own boxes, which are better than those in use.
        Here they lie in gaps twice as long as in use. So the calibrator is the mean of both.

        Args:
            rows: [M] bool: the labels.
            trained: The calibrator of the training.
        """
        errors = np.linalg.norm(self.other - self.truth, axis=-1) / self.sizes[:, None]
        is_known = ~np.isnan(errors) & rows[:, None]
        fitted = fit_calibrator(self.certainty[is_known], errors[is_known] <= CORRECT_WITHIN)
        calibrator = ScoreCalibrator(
            (fitted.slope + trained.slope) / 2, (fitted.offset + trained.offset) / 2
        )
        arrays = self.base, self.base_scores, self.other, calibrator(self.certainty)
        return calibrator, fit_odds(*(a[rows] for a in (*arrays, self.sizes, self.truth)))

    def compare(
        self, network: LearnedNetwork, fits: Sequence[tuple[ScoreCalibrator, np.ndarray]]
    ) -> LearningOutcome:
        """Compare with the labels, each combined by the fit that has not seen it."""
        combined = self.base.copy()
        for index, (calibrator, odds) in enumerate(fits):
            rows = self.fitted == index
            combined[rows], _ = combine(
                self.base[rows],
                self.base_scores[rows],
                self.other[rows],
                calibrator(self.certainty[rows]),
                self.sizes[rows],
                odds,
            )
        before, after, in_use = (
            np.linalg.norm(poses - self.truth, axis=-1) / self.sizes[:, None]
            for poses in (self.base, combined, self.in_use)
        )
        is_known = ~np.isnan(before)
        groups = np.broadcast_to(self.groups[:, None], (*is_known.shape, 2))
        return LearningOutcome(
            network, before[is_known], after[is_known], groups[is_known], in_use[is_known]
        )


def train_on(
    states: Sequence[PropagationState],
    out: Path,
    minutes: float,
    earlier: LearnedNetwork | None,
    listener: Callable[[float, float | None], None],
    steps: int | None,
    device: str,
) -> LearnedNetwork:
    """Train a network on the labels of opened videos, or take it from their cache.

    Raises:
        InputError: See :meth:`~.VideoPosePropagator.learn`.
        KeyboardInterrupt: If training was interrupted before there was anything to keep.
    """
    # On a busy machine, threads that spin while they wait for each other take four times as long.
    os.environ.setdefault('GOMP_SPINCOUNT', '1000')
    require_packages('learning from labels', 'torch', 'onnx', extra='learn')
    from stdpose_mm.labelling.learning.learner import LabelledVideo, learn_network

    skeleton = _shared_skeleton(states)
    videos = [LabelledVideo(state.frames, state.tracks) for state in states]
    folder = states[0].folder
    finished: dict[str, bytes] = {}
    # Unlike those of gaps, these results depend on the code of training and export.
    code = code_fingerprint(
        tuple(n for n in NOT_DECIDING if n not in ('export', 'labelling/learning'))
    )
    cache = (
        finished
        if folder is None
        else CacheFolder(folder).open(
            ('learned network', code, videos, skeleton, minutes, earlier, steps, device),
            states[0].frames.name,
            lambda content: {'network': np.frombuffer(content, np.uint8)},
            lambda arrays: arrays['network'].tobytes(),
        )
    )
    content = cache.get('network')
    if content is not None:
        out.write_bytes(content)
        return LearnedNetwork(out)
    progress = 0.0

    def listen(done: float, right: float | None) -> None:
        nonlocal progress
        progress = done
        listener(done, right)

    network = learn_network(
        videos, skeleton, out, minutes, earlier, steps, listener=listen, device=device
    )
    # An interrupted training is not cached, since the same call would give another result.
    if progress == 1:
        cache['network'] = out.read_bytes()
    return network


def judge_network(
    propagator: LearnedPropagator,
    states: Sequence[PropagationState],
    fill: Callable[..., Sequence[PersonLabel]],
    in_use: LearnedPropagator | None = None,
) -> LearningOutcome:
    """Compare a method with and without a network on hidden labels.

    The network is shown the poses of the method, as in use. Calibrators and odds are fitted to what
    it finds there, and replace those in its file.

    Args:
        propagator: The method with the network.
        states: The videos that it has learned from.
        fill: Fills in the hidden labels of a frame by a propagator: of a video, from its labels.
        in_use: The method with the network from which training continued, if any. Labels hidden
            from a member of the new network were hidden from, or are new to, that member of it.

    Returns:
        The outcome, with the network as it was stored.
    """
    from stdpose_mm.export.graph_tracing import add_metadata

    network = propagator.network
    groups: list[_HiddenGroup] = []
    for number, state in enumerate(states):
        # As many labels of each member, since those of one are judged by what the others say.
        for alone in (replace(propagator, members=(member,)) for member in propagator.members):
            for hidden in hidden_labels(state, alone, COMPARED_FRAMES // len(propagator.members)):
                labels = hidden, state.tracks, state.skeleton
                filled = fill(alone.base, state, *labels)
                before = filled if in_use is None else fill(in_use, state, *labels)
                groups.append(_look_at_hidden(alone, number, state, hidden, filled, before))
    if not groups:
        empty = np.zeros(0)
        return LearningOutcome(network, empty, empty, empty.reshape(0, 2))
    poses = HiddenComparison(*(np.concatenate(arrays) for arrays in zip(*groups, strict=True)))
    trained = network.record.calibrators
    fits = [poses.fit(poses.fitted != kind, of_kind) for kind, of_kind in enumerate(trained)]
    stored = [*fits[:-1], poses.fit(np.full(len(poses.fitted), True), trained[-1])]
    record = replace(
        network.record,
        calibrators=[calibrator for calibrator, _ in stored],
        odds=[odds.tolist() for _, odds in stored],
    )
    add_metadata(network.path, {ONNX_RECORD: record.to_json()})
    outcome = poses.compare(LearnedNetwork(network.path), fits)
    return outcome if in_use is not None else replace(outcome, in_use=None)


_HiddenGroup = tuple[np.ndarray, ...]
"""The fields of :class:`HiddenComparison` for the labels of one frame."""


def _look_at_hidden(
    propagator: LearnedPropagator,
    number: int,
    state: PropagationState,
    hidden: Sequence[HiddenLabel],
    filled: Sequence[PersonLabel],
    in_use: Sequence[PersonLabel],
) -> _HiddenGroup:
    """Look at the hidden labels of a frame around the poses of the method."""
    frame, network = hidden[0].frame_index, copy(propagator.network)
    # Then its probabilities are certainties.
    plain = [ScoreCalibrator()] * len(network.record.calibrators)
    network.record = replace(network.record, calibrators=plain)
    unaware = replace(propagator, network=network).hiding(state.frames, [frame])
    assert state.skeleton is not None
    mapping = JointMapping.by_meaning(state.skeleton, network.skeleton)
    assert mapping is not None
    by_person = {person.track_id: person for person in filled}
    places_in_use = {person.track_id: person.keypoints for person in in_use}
    rows = []
    for place in hidden:
        track, person = state.tracks[place.track_id], by_person[place.track_id]
        label, pose = track[frame], (person.keypoints[None], person.labelled[None])
        places, certainty = unaware.look(state.frames, [frame], *pose, mapping)
        rows.append(
            (
                person.keypoints,
                np.asarray(person.scores),
                places[0, mapping.in_model],
                certainty[0, mapping.in_model],
                np.where((label.given & person.labelled)[:, None], label.keypoints, np.nan),
                # A label without extent is measured by the others of its subject.
                label_sizes([label.only_given(), *track.values()])[0],
                network.record.fitted_for(unaware.members),
                (number, frame),
                places_in_use[place.track_id],
            )
        )
    return tuple(np.stack(arrays) for arrays in zip(*rows, strict=True))


def hidden_labels(
    state: PropagationState, propagator: BasePropagator, most: int
) -> list[list[HiddenLabel]]:
    """Choose labels, frame by frame, that a member of each learned network has not seen."""

    def is_unseen(label: HiddenLabel) -> bool:
        used = propagator.hiding(state.frames, [label.frame_index])
        while isinstance(used, LearnedPropagator):
            if not used.members:
                return False
            used = used.base
        return True

    number = len(state.frames)
    return choose_hidden_labels(state.tracks, number, state.life_span, most, is_unseen)


def _shared_skeleton(states: Sequence[PropagationState]) -> Skeleton:
    skeletons = [state.skeleton for state in states if state.skeleton is not None]
    if not skeletons:
        raise InputError('there are no labels to learn from, label some frames')
    for state in states:
        names = skeletons[0].keypoint_names
        if state.skeleton is not None and state.skeleton.keypoint_names != names:
            raise InputError(
                f'{states[0].frames.name} and {state.frames.name} have different joints '
                f'({len(names)} and {state.skeleton.num_keypoints}), learn from them separately'
            )
    return skeletons[0]
