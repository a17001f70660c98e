"""Reliability of scores as probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import mannwhitneyu

from stdpose_mm.evaluation.functional.calibration import check_scores


@dataclass(frozen=True)
class Reliability:
    """Reliability of scores as probabilities.

    Args:
        expected_calibration_error: Mean over the joints of the distance between the mean score of
            their bin and the share of right joints in it.
        brier: Mean squared distance between a score and its outcome (0 or 1).
        auroc: Probability that a right joint has a higher score than a wrong one, ties counting
            half; it measures the ranking only. NaN if all joints are right or all are wrong.
    """

    expected_calibration_error: float
    brier: float
    auroc: float


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
    bins = np.floor(middle * num_bins / len(scores)).astype(np.int64)[of_value]
    # The number of joints of a bin cancels out in its share of the mean.
    gaps = np.abs(np.bincount(bins, weights=scores - correct))
    right, wrong = scores[correct], scores[~correct]
    auroc = np.nan
    if len(right) and len(wrong):
        # The largest value of the Mann-Whitney statistic is the number of pairs.
        auroc = mannwhitneyu(right, wrong, method='asymptotic').statistic / right.size / wrong.size
    return Reliability(
        expected_calibration_error=float(gaps.sum() / len(scores)),
        brier=float(np.mean((scores - correct) ** 2)),
        auroc=float(auroc),
    )
