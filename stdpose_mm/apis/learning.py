"""Learning from the labels of videos, and its effect on their poses."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stdpose_mm.errors import InputError, require_packages
from stdpose_mm.io.atomic import atomic_path
from stdpose_mm.io.cache_folder import CacheFolder
from stdpose_mm.pose_networks.learned_network import LearnedNetwork, pose_box
from stdpose_mm.review import HiddenLabel, LabelAccuracy, choose_hidden_labels
from stdpose_mm.structures import Skeleton

from .propagation_state import PropagationState

LEARN_MINUTES = 5.0
"""Default training time."""

HIDDEN_FRAMES = 12
"""Largest number of labelled frames per video that are filled in without and with the network."""


@dataclass(frozen=True)
class LearningOutcome:
    """A network that learned from labels, and its effect on accuracy.

    Args:
        network: The network.
        before: Accuracy of the method alone on labels that a member of the network has not seen;
            None if no such label lies between two others.
        after: Accuracy of the method with the network on the same labels.
    """

    network: LearnedNetwork
    before: LabelAccuracy | None
    after: LabelAccuracy | None

    @property
    def helped(self) -> bool:
        """Return whether more joints are right; smaller errors of wrong joints do not count."""
        if self.before is None or self.after is None:
            return False
        return bool(self.after.right.sum() > self.before.right.sum())

    def __str__(self) -> str:
        poses = self.network.record.num_poses
        if self.before is None or self.after is None:
            return (
                f'learned from {poses} labelled poses, but there is no label that it has not seen '
                'between two others to check whether it helps: it is not used'
            )
        change = (
            f'of 100 joints {100 * self.after.right.mean():.1f} are right instead of '
            f'{100 * self.before.right.mean():.1f}'
        )
        verdict = 'it is used' if self.helped else 'it is not used'
        return (
            f'learned from {poses} labelled poses: in {len(self.after.labels)} of them that were '
            f'hidden, {change}; {verdict}'
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
    from stdpose_mm.training.learner import LabelledVideo, learn_network

    skeleton = _shared_skeleton(states)
    videos = [LabelledVideo(state.frames, state.tracks) for state in states]
    folder = states[0].folder
    finished: dict[str, bytes] = {}
    kept = (
        finished
        if folder is None
        else CacheFolder(folder).open(
            ('learned network', videos, skeleton, minutes, earlier, steps, device),
            states[0].frames.name,
            lambda content: {'network': np.frombuffer(content, np.uint8)},
            lambda arrays: arrays['network'].tobytes(),
        )
    )
    content = kept.get('network')
    if content is not None:
        with atomic_path(out) as temporary:
            temporary.write_bytes(content)
        return LearnedNetwork(out)
    heard = 0.0

    def listen(done: float, right: float | None) -> None:
        nonlocal heard
        heard = done
        listener(done, right)

    network = learn_network(
        videos, skeleton, out, minutes, earlier, steps, listener=listen, device=device
    )
    # An interrupted training is not cached, since the same call would give another result.
    if heard == 1:
        kept['network'] = out.read_bytes()
    return network


def hidden_labels(
    state: PropagationState, network: LearnedNetwork, most: int = HIDDEN_FRAMES
) -> list[list[HiddenLabel]]:
    """Choose labels, frame by frame, that a member of the network has not seen."""

    def is_unseen(label: HiddenLabel) -> bool:
        return bool(network.unseen_members(state.frames, _box_of(state, label)))

    number = len(state.frames)
    return choose_hidden_labels(state.tracks, number, state.life_span, most, is_unseen)


def _box_of(state: PropagationState, hidden: HiddenLabel) -> dict[int, np.ndarray]:
    label = state.tracks[hidden.track_id][hidden.frame_index]
    return {hidden.frame_index: pose_box(label.keypoints, label.labelled)}


def _shared_skeleton(states: Sequence[PropagationState]) -> Skeleton:
    known = [state.skeleton for state in states if state.skeleton is not None]
    if not known:
        raise InputError('there are no labels to learn from, label some frames')
    for state in states:
        names = known[0].keypoint_names
        if state.skeleton is not None and state.skeleton.keypoint_names != names:
            raise InputError(
                f'{states[0].frames.name} and {state.frames.name} have different joints '
                f'({len(names)} and {state.skeleton.num_keypoints}), learn from them separately'
            )
    return known[0]
