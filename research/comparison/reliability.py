"""Reliability of scores as probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stdpose_mm.evaluation.functional.calibration import check_scores


@dataclass(frozen=True)
class Reliability:
    """Reliability of scores as probabilities.

    Args:
        mean_scores: [B] mean score of every bin, ascending.
        accuracies: [B] share of right joints per bin; equals ``mean_scores`` if calibrated.
        counts: [B] joints per bin.
        expected_calibration_error: Mean over the joints of ``|mean_score - accuracy|``.
        brier: Mean squared distance between a score and its outcome (0 or 1).
        auroc: Probability that a right joint has a higher score than a wrong one, ties counting
            half; it measures the ranking only. NaN if all joints are right or all are wrong.
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

    All bins hold about the same number of joints. Most joints have high scores, so with bins of
    equal width nearly all joints would fall into the last bin, and the accuracy of the other bins
    would depend on a few joints. Equal scores share a bin.

    Args:
        scores: [N] in 0..1.
        correct: [N] bool, whether the joint is right.
        num_bins: Largest number of bins.

    Raises:
        InputError: If there is no joint, or a score is not in 0..1.
    """
    scores, correct = check_scores(scores, correct)
    _, of_value = np.unique(scores, return_inverse=True)
    # All joints with the same score go to the bin of the middle joint among them.
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


def _auroc(scores: np.ndarray, correct: np.ndarray) -> float:
    """Compute the Mann-Whitney statistic divided by its largest value."""
    right = int(correct.sum())
    wrong = len(correct) - right
    if not right or not wrong:
        return float('nan')
    from scipy.stats import rankdata

    ranks = rankdata(scores)[correct].sum()
    return float((ranks - right * (right + 1) / 2) / (right * wrong))
