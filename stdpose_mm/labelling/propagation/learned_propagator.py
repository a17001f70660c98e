"""Propagation with a network that has learned from the labels of the project."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from scipy.special import gammaincinv

from stdpose_mm.evaluation.functional import pose_sizes
from stdpose_mm.inference.window_backend import read_batches
from stdpose_mm.io.video import FrameSource
from stdpose_mm.labelling.evidence.learned_network import BATCH_SIZE, LearnedNetwork
from stdpose_mm.structures import NOT_LABELLED, Skeleton
from stdpose_mm.structures.joint_mapping import JointMapping

from .base import BasePropagator, GapCache, GapPoses
from .gap_filler import GapFiller
from .gaps import Gap, split_into_chunks

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
        self, warn_for_video: str | None = None, among: Collection[str] | None = None
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
        """Fill the gaps that overlap in time together; see :meth:`BasePropagator.propagate`."""
        finished = {} if self.finished is None else self.finished
        base = GapFiller(self.base, frames, gaps, skeleton, finished)
        mapping = JointMapping.by_meaning(skeleton, self.network.skeleton)
        for group in split_into_chunks(gaps):
            poses = [base.poses_of(gap) for gap in group]
            yield from poses if mapping is None else self._refine(frames, poses, mapping)

    def _refine(
        self, frames: FrameSource, poses: Sequence[GapPoses], mapping: JointMapping
    ) -> Sequence[GapPoses]:
        """Combine the poses of some gaps with the estimates of the network."""
        times, keypoints, visibility, scores = (
            np.concatenate([getattr(of_gap, name) for of_gap in poses])
            for name in ('frames', 'keypoints', 'visibility', 'scores')
        )
        seen = visibility > NOT_LABELLED
        rows = np.argsort(times, kind='stable')
        rows = rows[seen[rows].any(axis=1)]
        if not self.members or not len(rows):
            return poses
        places, probability = self.look(
            frames, times[rows].tolist(), keypoints[rows], seen[rows], mapping
        )
        refined, certainty = keypoints.copy(), scores.copy()
        shared = np.ix_(rows, mapping.shared)
        refined[shared], certainty[shared] = combine(
            keypoints[shared],
            scores[shared],
            places[:, mapping.in_model],
            probability[:, mapping.in_model],
            pose_sizes(keypoints, seen)[rows],
            self.network.odds(self.members)[mapping.in_model],
        )
        bounds = np.cumsum([len(of_gap.frames) for of_gap in poses])[:-1]
        keypoints = np.split(np.where(seen[..., None], refined, keypoints), bounds)
        scores = np.split(np.where(seen, certainty, scores), bounds)
        arrays = zip(poses, keypoints, scores, strict=True)
        return [replace(of_gap, keypoints=k, scores=s) for of_gap, k, s in arrays]

    def look(
        self,
        frames: FrameSource,
        indices: Sequence[int],
        keypoints: np.ndarray,
        seen: np.ndarray,
        mapping: JointMapping,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Locate the joints of subjects around their poses of the other method.

        Args:
            frames: The video.
            indices: N frames, ascending; each is read once for all subjects in it.
            keypoints: [N, K, 2] pixels of the other method.
            seen: [N, K] bool: joints that have a place.
            mapping: From these K joints to the network's.

        Returns:
            See :meth:`~stdpose_mm.labelling.evidence.learned_network.LearnedNetwork.locate`.
        """
        prior = np.full((len(indices), mapping.num_model, 2), np.nan)
        estimates = np.where(seen[..., None], keypoints, np.nan)
        prior[:, mapping.in_model] = estimates[:, mapping.shared]
        boxes = self.network.boxes(frames, keypoints, seen)
        wanted = zip(indices, range(len(boxes)), strict=True)
        looks = []
        for rows, pictures in read_batches(frames, wanted, BATCH_SIZE):
            batch = list(rows)
            looks.append(self.network.locate(pictures, boxes[batch], self.members, prior[batch]))
        places, probability = (np.concatenate(values) for values in zip(*looks, strict=True))
        return places, probability


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
