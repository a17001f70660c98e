"""Reliability of scores as probabilities."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.evaluation.functional import CORRECT_WITHIN, joint_errors
from stdpose_mm.evaluation.functional.calibration import check_scores
from stdpose_mm.evaluation.functional.keypoint_accuracy import pair_videos
from stdpose_mm.structures import VideoLabels
from stdpose_mm.visualization.plots import make_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Reliability:
    """Reliability of scores as probabilities.

    Args:
        mean_scores: [B] mean score of every bin, ascending.
        accuracies: [B] share of right joints per bin; equals ``mean_scores`` if calibrated.
        counts: [B] joints per bin.
        expected_calibration_error: Mean over the joints of ``|mean_score - accuracy|``.
        brier: Mean squared distance between a score and its outcome (0 or 1).
        auroc: Probability that a right joint scores higher than a wrong one, ties counting half:
            how well the scores rank, whatever their values. NaN if all joints are right or all
            are wrong.
    """

    mean_scores: np.ndarray
    accuracies: np.ndarray
    counts: np.ndarray
    expected_calibration_error: float
    brier: float
    auroc: float

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON values; null stands for NaN."""
        return {
            'expected_calibration_error': self.expected_calibration_error,
            'brier': self.brier,
            'auroc': None if np.isnan(self.auroc) else self.auroc,
            'bins': [
                {'mean_score': score, 'accuracy': accuracy, 'joints': count}
                for score, accuracy, count in zip(
                    self.mean_scores.tolist(),
                    self.accuracies.tolist(),
                    self.counts.tolist(),
                    strict=True,
                )
            ],
        }


def reliability(scores: np.ndarray, correct: np.ndarray, num_bins: int = 10) -> Reliability:
    """Compare scores with the share of right joints.

    All bins hold about the same number of joints. Most joints score high, so with bins of equal
    width the last bin would hide the spread of nearly all joints, and the accuracy of the other
    bins would rest on a few joints. Equal scores share a bin.

    Args:
        scores: [N] in 0..1.
        correct: [N] bool, whether the joint is right.
        num_bins: Largest number of bins.

    Raises:
        InputError: If there is no joint, or a score is not in 0..1.
    """
    scores, correct = check_scores(scores, correct)
    if num_bins < 1:
        raise ValueError(f'num_bins must be at least 1, got {num_bins}')
    _, of_value = np.unique(scores, return_inverse=True)
    # All joints with the same score go to the bin of the middle one.
    middle = np.cumsum(np.bincount(of_value)) - np.bincount(of_value) / 2
    bin_of_value = np.floor(middle * num_bins / len(scores)).astype(np.int64)
    _, bins = np.unique(bin_of_value[of_value], return_inverse=True)
    counts = np.bincount(bins)
    mean_scores = np.bincount(bins, weights=scores) / counts
    accuracies = np.bincount(bins, weights=correct) / counts
    return Reliability(
        mean_scores=mean_scores,
        accuracies=accuracies,
        counts=counts,
        expected_calibration_error=float(
            np.average(np.abs(mean_scores - accuracies), weights=counts)
        ),
        brier=float(np.mean((scores - correct) ** 2)),
        auroc=_auroc(scores, correct),
    )


def scored_joints(
    truth: Sequence[VideoLabels],
    predictions: Sequence[VideoLabels],
    frames: Sequence[Collection[int]] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Collect the scores of the propagated joints, and which of them are right.

    Given labels are left out, as are joints that the truth does not label or that have no
    prediction: there is no score to judge.

    Args:
        truth: The annotated videos; people carry track ids.
        predictions: The predicted videos in the same order, with the same joints and track ids.
        frames: Per video the frame indices to take, all by default.

    Returns:
        [N] scores, and [N] bool, whether the joint lies within ``CORRECT_WITHIN`` pose sizes of
        the truth.

    Raises:
        InputError: If the videos do not pair, their joints differ, someone has no track id, or a
            predicted person has no scores.
    """
    paired = pair_videos(truth, predictions, frames)
    scores, correct = [], []
    for prediction, pairs in zip(predictions, paired, strict=True):
        errors = joint_errors(pairs)
        taken = errors.sized & pairs.has_prediction & pairs.scored[:, None] & ~pairs.given
        if np.isnan(pairs.scores[taken]).any():
            raise InputError(
                f'the predicted labels of video {prediction.name!r} have no scores, '
                'give labels that were written by a propagation'
            )
        scores.append(pairs.scores[taken])
        correct.append(errors.relative[taken] <= CORRECT_WITHIN)
    return np.concatenate(scores), np.concatenate(correct)


def reliability_curves(results: Mapping[str, Reliability]) -> Figure:
    """Plot the ratio of correct joints against the score, one curve for each set of scores.

    Calibrated scores lie on the diagonal. Bars are 95 % intervals of a ratio (Wilson), as if the
    joints of a bin were independent of each other; those of one video are not, so that they are a
    lower bound.

    Args:
        results: Name of the scores, such as the method's -> their reliability.
    """
    from scipy.stats import binomtest

    figure, (axis,) = make_figure(1, width=5.5)
    figure.set_figheight(5)
    axis.plot([0, 1], [0, 1], color='grey', linestyle='--', linewidth=1)
    for name, result in results.items():
        ratios, counts = result.accuracies, result.counts
        intervals = [
            binomtest(round(ratio * count), count).proportion_ci(method='wilson')
            for ratio, count in zip(ratios.tolist(), counts.tolist(), strict=True)
        ]
        low, high = np.array(intervals).T
        label = (
            f'{name}: calibration error {result.expected_calibration_error:.3f}, '
            f'Brier {result.brier:.3f}, AUROC {result.auroc:.3f}'
        )
        bars = np.maximum([ratios - low, high - ratios], 0)
        axis.errorbar(result.mean_scores, ratios, bars, marker='o', markersize=3, label=label)
    axis.set_aspect('equal')
    axis.set_xlabel('mean score of a bin')
    axis.set_ylabel("ratio within a tenth of the pose's size")
    axis.legend(fontsize='x-small', loc='lower right')
    return figure


def _auroc(scores: np.ndarray, correct: np.ndarray) -> float:
    """Compute the Mann-Whitney statistic divided by its largest value."""
    right = int(correct.sum())
    wrong = len(correct) - right
    if not right or not wrong:
        return float('nan')
    from scipy.stats import rankdata

    ranks = rankdata(scores)[correct].sum()
    return float((ranks - right * (right + 1) / 2) / (right * wrong))
