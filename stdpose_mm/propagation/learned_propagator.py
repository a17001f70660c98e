"""Propagation with a network that has learned from the labels of the project."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import merge
from itertools import repeat
from pathlib import Path

import numpy as np
from scipy.special import gammaincinv

from stdpose_mm.evaluation.functional import pose_sizes
from stdpose_mm.inference.window_backend import read_batches
from stdpose_mm.io.video import FrameSource
from stdpose_mm.pose_networks.learned_network import BATCH_SIZE, LearnedNetwork
from stdpose_mm.structures import NOT_LABELLED, Skeleton
from stdpose_mm.structures.joint_mapping import JointMapping

from .base import BasePropagator, GapCache, GapPoses
from .gap_filler import GapFiller
from .gaps import Gap, GapKey

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
    finished: GapCache | None = field(default=None, compare=False)

    @property
    def skeleton(self) -> Skeleton | None:  # type: ignore[override]
        """See :attr:`BasePropagator.skeleton`."""
        return self.base.skeleton

    @property
    def reads_second_labels(self) -> bool:  # type: ignore[override]
        """See :attr:`BasePropagator.reads_second_labels`."""
        return self.base.reads_second_labels

    @property
    def reads_other_people(self) -> bool:  # type: ignore[override]
        """See :attr:`BasePropagator.reads_other_people`."""
        return self.base.reads_other_people

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
    ) -> Iterator[GapPoses]:
        """Fill gaps in order of time, each frame read once for everyone in it.

        See :meth:`BasePropagator.propagate`.
        """
        finished = {} if self.finished is None else self.finished
        base = GapFiller(self.base, frames, gaps, skeleton, finished)
        mapping = JointMapping.by_meaning(skeleton, self.network.skeleton)
        if mapping is None or not self.members:
            yield from map(base.poses_of, gaps)
            return
        opened: list[_Refinement] = []

        def poses_by_frame() -> Iterator[tuple[int, tuple[_Refinement, int]]]:
            refinements: dict[int, _Refinement] = {}
            times = (zip(gap.frames, repeat(number)) for number, gap in enumerate(gaps))
            for frame, number in merge(*times):
                row = frame - gaps[number].frames[0]
                if row == 0:
                    poses = base.poses_of(gaps[number])
                    refinements[number] = self._open(frames, poses, mapping)
                    opened.append(refinements[number])
                if refinements[number].seen[row].any():
                    yield frame, (refinements[number], row)
                if frame == gaps[number].frames[-1]:
                    del refinements[number]

        for batch, pictures in read_batches(frames, poses_by_frame(), BATCH_SIZE):
            self._refine(batch, pictures, mapping)
            yield from [refinement.poses for refinement in opened if not refinement.pending]
            opened[:] = [refinement for refinement in opened if refinement.pending]
        # Gaps without any joint.
        yield from [refinement.poses for refinement in opened]

    def _open(self, frames: FrameSource, poses: GapPoses, mapping: JointMapping) -> _Refinement:
        """Prepare the poses of a gap by the other method to be refined."""
        seen = poses.visibility > NOT_LABELLED
        rows = seen.any(axis=1)
        boxes = np.zeros((len(rows), 4))
        prior = np.full((len(rows), mapping.num_model, 2), np.nan)
        boxes[rows], prior[rows] = self._aim(frames, poses.keypoints[rows], seen[rows], mapping)
        copied = replace(poses, keypoints=poses.keypoints.copy(), scores=poses.scores.copy())
        sizes = pose_sizes(poses.keypoints, seen)
        return _Refinement(copied, seen, sizes, boxes, prior, int(rows.sum()))

    def _refine(
        self,
        batch: Sequence[tuple[_Refinement, int]],
        pictures: Sequence[np.ndarray],
        mapping: JointMapping,
    ) -> None:
        """Combine poses in some pictures with the estimates of the network."""
        keypoints, scores, sizes, boxes, prior = (
            np.stack(values)
            for values in zip(*(refinement.at(row) for refinement, row in batch), strict=True)
        )
        places, probability = self.network.locate(pictures, boxes, self.members, prior)
        joints = np.ix_(np.arange(len(batch)), mapping.shared)
        keypoints[joints], scores[joints] = combine(
            keypoints[joints],
            scores[joints],
            places[:, mapping.in_model],
            probability[:, mapping.in_model],
            sizes,
            self.network.odds(self.members)[mapping.in_model],
        )
        for (refinement, row), *refined in zip(batch, keypoints, scores, strict=True):
            refinement.set(row, *refined)

    def look(
        self,
        frames: FrameSource,
        indices: Sequence[int],
        keypoints: np.ndarray,
        seen: np.ndarray,
        mapping: JointMapping,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Locate the joints of a subject around its poses of the other method.

        Args:
            frames: The video.
            indices: N frames, ascending.
            keypoints: [N, K, 2] pixels of the other method.
            seen: [N, K] bool: joints that have a place.
            mapping: From these K joints to the network's.

        Returns:
            See :meth:`~stdpose_mm.pose_networks.learned_network.LearnedNetwork.locate`.
        """
        boxes, prior = self._aim(frames, keypoints, seen, mapping)
        pictures = [frames[index] for index in indices]
        return self.network.locate(pictures, boxes, self.members, prior)

    def _aim(
        self, frames: FrameSource, keypoints: np.ndarray, seen: np.ndarray, mapping: JointMapping
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the boxes [N, 4] of poses, and the poses [N, K, 2] as the network's joints."""
        prior = np.full((len(keypoints), mapping.num_model, 2), np.nan)
        estimates = np.where(seen[..., None], keypoints, np.nan)
        prior[:, mapping.in_model] = estimates[:, mapping.shared]
        return self.network.boxes(frames, keypoints, seen), prior


@dataclass(eq=False)
class _Refinement:
    """The poses of a gap while the network refines them.

    Args:
        poses: The poses of the other method, which refined ones replace.
        seen: [F, K] bool: joints that have a place.
        sizes: [F] sizes of the poses in pixels.
        boxes: [F, 4] boxes in which the network looks.
        prior: [F, K, 2] the poses, as joints of the network.
        pending: Number of frames that are not refined yet.
    """

    poses: GapPoses
    seen: np.ndarray
    sizes: np.ndarray
    boxes: np.ndarray
    prior: np.ndarray
    pending: int

    def at(self, row: int) -> tuple[np.ndarray, ...]:
        """Return keypoints, scores, size, box and prior in one frame."""
        poses = self.poses
        arrays = poses.keypoints, poses.scores, self.sizes, self.boxes, self.prior
        return tuple(values[row] for values in arrays)

    def set(self, row: int, keypoints: np.ndarray, scores: np.ndarray) -> None:
        """Replace the pose [K, 2] and the scores [K] in one frame where it has joints."""
        seen = self.seen[row]
        self.poses.keypoints[row, seen] = keypoints[seen]
        self.poses.scores[row, seen] = scores[seen]
        self.pending -= 1


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
