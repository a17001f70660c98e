"""Propagation with a network that has learned from the labels of the project."""

from __future__ import annotations

from collections.abc import Collection, Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.special import gammaincinv

from stdpose_mm.evaluation.functional import pose_sizes
from stdpose_mm.io.video import FrameSource
from stdpose_mm.pose_networks.learned_network import LearnedNetwork
from stdpose_mm.structures import NOT_LABELLED, Skeleton
from stdpose_mm.structures.joint_mapping import JointMapping

from .base import BasePropagator, GapPoses, PropagatedPose, collect_gaps
from .gaps import Gap

AGREEMENT = 0.1
"""Distance in pose sizes below which two estimates of a joint are taken for the same place and
averaged."""

_CERTAIN = 0.5
"""Minimum probability of being right at which an estimate is averaged with another one."""

ODDS = (0.0, 1 / 9, 1 / 3, 1.0, 3.0, 9.0)
"""Factors of the network's odds that :func:`fit_odds` chooses from; 0 leaves a joint alone."""

_POOLED = 50
"""Number of joints of any kind that count as much as all labels of one joint: with few labels, all
joints have nearly the same odds."""

_GROSS = 0.5
"""Error in pose sizes above which errors count the same, so that few joints do not decide."""

_OF_BASE = (
    *('skeleton', 'reads_second_labels', 'reads_other_people'),
    *('warn_of_evidence', 'require_evidence', 'describe_use', 'files_of'),
)
"""Attributes and methods of :class:`BasePropagator` that are those of the other method."""


@dataclass(frozen=True, eq=False)
class LearnedPropagator(BasePropagator):
    """Propagator that refines the poses of another method with a network that knows the subject.

    In each frame of a gap, the network looks at the pose of the other method, so that the track
    decides whose joints it looks for, and then again at the pose that it finds itself. Each joint
    is taken from the estimate that is more likely right, or averaged where both are likely and
    agree.

    Args:
        base: The other method, whose scores are probabilities.
        network: The network.
        members: The members of the network that look; by default all. Without any, the poses of
            ``base`` stay as they are.
        finished: Gaps that ``base`` has filled in the video, by their fingerprint.
    """

    base: BasePropagator
    network: LearnedNetwork
    members: tuple[int, ...] = (0, 1)
    finished: MutableMapping[str, GapPoses] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        for name in _OF_BASE:
            object.__setattr__(self, name, getattr(self.base, name))

    def describe(self, skeleton: Skeleton) -> str:
        """See :meth:`BasePropagator.describe`."""
        poses = self.network.record.num_poses
        return f'{self.base.describe(skeleton)}; with a network that learned from {poses} labels'

    def hiding(self, frames: FrameSource, hidden: Collection[int]) -> LearnedPropagator:
        """See :meth:`BasePropagator.hiding`: only members look that have not seen these labels."""
        unseen = self.network.unseen_members(frames, hidden)
        members = tuple(member for member in self.members if member in unseen)
        return replace(self, base=self.base.hiding(frames, hidden), members=members)

    def propagate(
        self, frames: FrameSource, gaps: Sequence[Gap], skeleton: Skeleton
    ) -> Iterator[PropagatedPose]:
        """Fill gap by gap; see :meth:`BasePropagator.propagate`."""
        mapping = JointMapping.by_meaning(skeleton, self.network.skeleton)
        for gap, poses in self._base_poses(frames, gaps, skeleton):
            refined = poses
            if mapping is not None:
                refined = self.refine(frames, gap, poses, mapping)
            for frame in gap.frames:
                yield refined.pose_at(gap, frame)

    def refine(
        self, frames: FrameSource, gap: Gap, poses: GapPoses, mapping: JointMapping
    ) -> GapPoses:
        """Combine the poses of a gap with the estimates of the network."""
        shown = poses.visibility > NOT_LABELLED
        rows = np.flatnonzero(shown.any(axis=1))
        if not self.members or not len(rows):
            return poses
        places, probability = self.look(
            frames, [gap.frames[row] for row in rows], poses.keypoints[rows], shown[rows], mapping
        )
        keypoints, scores = poses.keypoints.copy(), poses.scores.copy()
        known = np.ix_(rows, mapping.shared)
        keypoints[known], scores[known] = combine(
            keypoints[known],
            scores[known],
            places[:, mapping.in_model],
            probability[:, mapping.in_model],
            pose_sizes(poses.keypoints, shown)[rows],
            self.network.odds(self.members)[mapping.in_model],
        )
        keypoints, scores = (
            np.where(shown[..., None], keypoints, poses.keypoints),
            np.where(shown, scores, poses.scores),
        )
        return GapPoses(keypoints, poses.visibility, scores)

    def look(
        self,
        frames: FrameSource,
        indices: Sequence[int],
        keypoints: np.ndarray,
        shown: np.ndarray,
        mapping: JointMapping,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Locate the joints of a subject around its poses of the other method.

        Args:
            frames: The video.
            indices: N frames, ascending.
            keypoints: [N, K, 2] pixels of the other method.
            shown: [N, K] bool: joints that have a place.
            mapping: From these K joints to the network's.

        Returns:
            See :meth:`~stdpose_mm.pose_networks.learned_network.LearnedNetwork.locate`.
        """
        prior = np.full((len(indices), mapping.num_model, 2), np.nan)
        estimates = np.where(shown[..., None], keypoints, np.nan)
        prior[:, mapping.in_model] = estimates[:, mapping.shared]
        boxes = self.network.boxes(frames, keypoints, shown)
        return self.network.locate(frames, indices, boxes, self.members, prior)

    def _base_poses(
        self, frames: FrameSource, gaps: Sequence[Gap], skeleton: Skeleton
    ) -> Iterator[tuple[Gap, GapPoses]]:
        """Yield the poses of the other method gap by gap, starting with the finished ones."""
        finished = {} if self.finished is None else self.finished
        keys = {gap: gap.fingerprint(self.base.reads_second_labels) for gap in gaps}
        todo = []
        for gap in gaps:
            try:
                poses = finished[keys[gap]]
            except KeyError:
                todo.append(gap)
            else:
                yield gap, poses
        for gap, poses in collect_gaps(self.base.propagate(frames, todo, skeleton)):
            finished[keys[gap]] = poses
            yield gap, poses


def combine(
    base: np.ndarray,
    base_scores: np.ndarray,
    other: np.ndarray,
    other_scores: np.ndarray,
    sizes: np.ndarray,
    odds: np.ndarray | float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Combine the poses of another method and of the network, joint by joint.

    The more probable estimate is taken. Where both are likely and less than ``AGREEMENT`` apart, it
    is their mean, weighted by precision. Errors are assumed to follow a planar Laplace
    distribution, whose scale follows from the probability of an error below a tenth of the pose's
    size.

    Args:
        base: [N, K, 2] pixels of the other method.
        base_scores: [N, K] probabilities that these are right.
        other: [N, K, 2] pixels of the network.
        other_scores: [N, K] likewise.
        sizes: [N] sizes of the poses in pixels.
        odds: [K] factors of the network's odds.

    Returns:
        Poses [N, K, 2] and scores [N, K].
    """
    distance = np.linalg.norm(other - base, axis=-1) / np.maximum(sizes, 1e-9)[:, None]
    trusted = odds * other_scores / (1 + (odds - 1) * other_scores)
    precision, other_precision = (
        np.square(gammaincinv(2, np.clip(scores, 0, 0.999))) for scores in (base_scores, trusted)
    )
    weight = np.where(trusted > base_scores, 1.0, 0.0)
    total = np.maximum(precision + other_precision, 1e-9)
    averaged = (np.minimum(base_scores, trusted) > _CERTAIN) & (distance <= AGREEMENT)
    weight = np.where(averaged, other_precision / total, weight)
    keypoints = base + weight[..., None] * (other - base)
    return keypoints, np.maximum(base_scores, np.minimum(other_scores, trusted))


def fit_odds(
    base: np.ndarray,
    base_scores: np.ndarray,
    other: np.ndarray,
    other_scores: np.ndarray,
    sizes: np.ndarray,
    truth: np.ndarray,
) -> np.ndarray:
    """Fit how far each joint of the network is trusted beside another method.

    For each joint, the factor of ``ODDS`` with the smallest error of :func:`combine` is taken, and
    the smaller one of two that are equally good.

    Args:
        base: See :func:`combine`; here and below for frames whose labels neither has seen.
        base_scores: See :func:`combine`.
        other: See :func:`combine`.
        other_scores: See :func:`combine`.
        sizes: See :func:`combine`.
        truth: [N, K, 2] pixels of these labels, NaN without a label.

    Returns:
        [K] factors of the network's odds.
    """
    costs = []
    for odds in ODDS:
        keypoints, _ = combine(base, base_scores, other, other_scores, sizes, odds)
        errors = np.linalg.norm(keypoints - truth, axis=-1) / np.maximum(sizes, 1e-9)[:, None]
        costs.append(np.minimum(errors, _GROSS))
    cost = np.stack(costs)
    labelled = ~np.isnan(cost)
    total = np.where(labelled, cost, 0)
    pooled = total.sum(axis=(1, 2)) / np.maximum(labelled.sum(axis=(1, 2)), 1)
    return np.array(ODDS)[(total.sum(axis=1) + _POOLED * pooled[:, None]).argmin(axis=0)]
