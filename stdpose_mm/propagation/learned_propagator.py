"""Propagation with a network that has learned from the labels of the project."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.special import gammaincinv

from stdpose_mm.evaluation.functional import pose_sizes
from stdpose_mm.io.video import FrameSource
from stdpose_mm.pose_networks.learned_network import LearnedNetwork, pose_box
from stdpose_mm.structures import NOT_LABELLED, Skeleton
from stdpose_mm.structures.joint_mapping import JointMapping

from .base import BasePropagator, GapPoses, PropagatedPose, collect_gaps
from .gaps import Gap, GapKey

AGREEMENT = 0.1
"""Distance in pose sizes below which two estimates of a joint are taken for the same place and
averaged."""

_CERTAIN = 0.5
"""Minimum probability of being right at which an estimate is averaged with another one."""

_ODDS = 3.0
"""Factor of the network's odds. Its members are judged one by one and are right more often
together. Besides, where both are equally likely to be within a tenth of the pose's size, the
network is nearer, because it does not drift (research/docs/tried.md, "More from a learned
network")."""


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
        finished: Gaps that ``base`` has filled in the video, by their fingerprint.
    """

    base: BasePropagator
    network: LearnedNetwork
    finished: MutableMapping[str, GapPoses] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        for name in ('skeleton', 'reads_second_labels', 'reads_other_people'):
            object.__setattr__(self, name, getattr(self.base, name))

    def describe(self, skeleton: Skeleton) -> str:
        """See :meth:`BasePropagator.describe`."""
        poses = self.network.record.num_poses
        return f'{self.base.describe(skeleton)}; with a network that learned from {poses} labels'

    def warn_of_evidence(self, skeleton: Skeleton) -> None:
        """See :meth:`BasePropagator.warn_of_evidence`."""
        self.base.warn_of_evidence(skeleton)

    def require_evidence(self, frames: FrameSource) -> None:
        """See :meth:`BasePropagator.require_evidence`."""
        self.base.require_evidence(frames)

    def describe_use(
        self, warn_for_video: str | None = None, among: Collection[GapKey] | None = None
    ) -> list[str]:
        """See :meth:`BasePropagator.describe_use`."""
        return self.base.describe_use(warn_for_video, among)

    def files_of(self, video: str) -> Sequence[Mapping[str, Path]]:
        """See :meth:`BasePropagator.files_of`."""
        return self.base.files_of(video)

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
        """Combine the poses of a gap with the estimates of the network.

        Members of the network that have learned from a label of the subject inside the gap do not
        count. Such labels are hidden to measure accuracy.
        """
        shown = poses.visibility > NOT_LABELLED
        rows = np.flatnonzero(shown.any(axis=1))
        boxes = pose_box(poses.keypoints, shown)
        labelled = {label.frame_index for label in gap.inner}
        unlabelled = {
            gap.frames[row]: boxes[row] for row in rows if gap.frames[row] not in labelled
        }
        members = self.network.unseen_members(frames, unlabelled)
        if not members or not len(rows):
            return poses
        prior = np.full((len(rows), mapping.num_model, 2), np.nan)
        estimates = np.where(shown[..., None], poses.keypoints, np.nan)
        prior[:, mapping.in_model] = estimates[np.ix_(rows, mapping.shared)]
        places, probability = self.network.locate(
            frames,
            [gap.frames[row] for row in rows],
            boxes[rows],
            members,
            prior,
        )
        keypoints, scores = poses.keypoints.copy(), poses.scores.copy()
        known = np.ix_(rows, mapping.shared)
        keypoints[known], scores[known] = combine(
            keypoints[known],
            scores[known],
            places[:, mapping.in_model],
            probability[:, mapping.in_model],
            pose_sizes(poses.keypoints, shown)[rows],
        )
        keypoints, scores = (
            np.where(shown[..., None], keypoints, poses.keypoints),
            np.where(shown, scores, poses.scores),
        )
        return GapPoses(keypoints, poses.visibility, scores)

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
) -> tuple[np.ndarray, np.ndarray]:
    """Combine the poses of another method and of the network, joint by joint.

    The more probable estimate is taken, with ``_ODDS`` in favour of the network. Where both are
    likely and less than ``AGREEMENT`` apart, it is their mean, weighted by precision. Errors are
    assumed to follow a planar Laplace distribution, whose scale follows from the probability of an
    error below a tenth of the pose's size.

    Args:
        base: [N, K, 2] pixels of the other method.
        base_scores: [N, K] probabilities that these are right.
        other: [N, K, 2] pixels of the network.
        other_scores: [N, K] likewise.
        sizes: [N] sizes of the poses in pixels.

    Returns:
        Poses [N, K, 2] and scores [N, K].
    """
    distance = np.linalg.norm(other - base, axis=-1) / np.maximum(sizes, 1e-9)[:, None]
    trusted = _ODDS * other_scores / (1 + (_ODDS - 1) * other_scores)
    precision, other_precision = (
        np.square(gammaincinv(2, np.clip(scores, 0, 0.999))) for scores in (base_scores, trusted)
    )
    share = np.where(trusted > base_scores, 1.0, 0.0)
    total = np.maximum(precision + other_precision, 1e-9)
    averaged = (np.minimum(base_scores, trusted) > _CERTAIN) & (distance <= AGREEMENT)
    share = np.where(averaged, other_precision / total, share)
    keypoints = base + share[..., None] * (other - base)
    return keypoints, np.maximum(base_scores, other_scores)
