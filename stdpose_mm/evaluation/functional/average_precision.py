"""PoseTrack's per-frame average precision (AP) per joint."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .padded_poses import PaddedPoses


@dataclass(frozen=True)
class JointPrecision:
    """Summary of the precision-recall curve of every joint, each [J] in per cent.

    ``precision`` and ``recall`` are those at the end of the curve. A joint that is predicted but
    never annotated has AP and recall NaN; a joint that is never predicted has 0.
    """

    ap: np.ndarray
    precision: np.ndarray
    recall: np.ndarray


@dataclass
class ApAccumulator:
    """Collector of scored joints over frames and videos; ``result`` is their average precision."""

    num_joints: int
    num_truth: np.ndarray = field(init=False)
    _scores: list[np.ndarray] = field(default_factory=list, init=False)
    _labels: list[np.ndarray] = field(default_factory=list, init=False)
    _joints: list[np.ndarray] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.num_truth = np.zeros(self.num_joints, dtype=np.int64)

    def add(self, gt: PaddedPoses, pred: PaddedPoses, match: np.ndarray) -> None:
        """Add frames.

        Args:
            gt: Ground truth, F frames, G people.
            pred: Predictions, F frames, P people.
            match: [F, J, G, P] bool: joint pairs within the threshold.
        """
        correct = match_poses(gt.exists, match)
        frames, joints, people = np.nonzero(pred.exists.transpose(0, 2, 1))
        self.num_truth += gt.exists.sum(axis=(0, 1))
        self._scores.append(pred.scores[frames, people, joints])
        self._labels.append(correct[frames, joints, people])
        self._joints.append(joints)

    def update(self, other: ApAccumulator) -> None:
        """Add the joints of another accumulator, for example of another video."""
        self.num_truth += other.num_truth
        self._scores += other._scores
        self._labels += other._labels
        self._joints += other._joints

    def result(self) -> JointPrecision:
        """Compute the AP of all joints added so far."""
        joints = np.concatenate([np.zeros(0, dtype=np.int64), *self._joints])
        scores = np.concatenate([np.zeros(0), *self._scores])
        labels = np.concatenate([np.zeros(0, dtype=bool), *self._labels])
        curves = [
            average_precision(scores[joints == j], labels[joints == j], int(self.num_truth[j]))
            for j in range(self.num_joints)
        ]
        ap, precision, recall = 100 * np.array(curves).reshape(-1, 3).T
        return JointPrecision(ap, precision, recall)


def match_poses(gt_exists: np.ndarray, match: np.ndarray) -> np.ndarray:
    """Match predicted joints to true ones.

    The score of a prediction for a ground-truth pose is the number of matched joints divided by the
    number of annotated ones. Every prediction keeps its best ground truth; every ground truth then
    takes the prediction with the highest score above 0; the first one wins ties. There is no second
    round, and confidences are not used.

    Args:
        gt_exists: [F, G, J] bool.
        match: [F, J, G, P] bool.

    Returns:
        [F, J, P] bool.
    """
    annotated = np.maximum(gt_exists.sum(axis=2), 1)
    share = match.sum(axis=1) / annotated[:, :, None]
    best_gt = share.argmax(axis=1)
    is_best = np.arange(share.shape[1])[:, None] == best_gt[:, None, :]
    share = np.where(is_best, share, 0.0)

    best = share.argmax(axis=2)
    frames, people = np.nonzero(share.max(axis=2) > 0)
    assigned = np.zeros(best_gt.shape, dtype=bool)
    assigned[frames, best[frames, people]] = True
    at_best = np.take_along_axis(match, best_gt[:, None, None, :], axis=2)[:, :, 0]
    return at_best & assigned[:, None, :]


def average_precision(
    scores: np.ndarray, labels: np.ndarray, num_truth: int
) -> tuple[float, float, float]:
    """Compute the area under the precision-recall curve, interpolated at all points as in VOC.

    Args:
        scores: [N] confidences; equal ones keep their order.
        labels: [N] bool: true positives.
        num_truth: Number of annotated joints.

    Returns:
        Average precision, and precision and recall at the end of the curve, each in 0..1. Without
        scores all are 0; with scores but without truth, AP and recall are NaN.
    """
    if not len(scores):
        return 0.0, 0.0, 0.0
    hits = np.cumsum(labels[np.argsort(-scores, kind='stable')])
    precision = hits / np.arange(1, len(hits) + 1)
    if num_truth == 0:
        return float('nan'), float(precision[-1]), float('nan')
    recall = hits / num_truth
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    steps = np.diff(recall, prepend=0.0)
    return float(steps @ envelope), float(precision[-1]), float(recall[-1])
