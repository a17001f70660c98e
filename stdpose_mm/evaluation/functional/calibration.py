"""Calibration of scores: the probability that a joint is right.

A joint is right if it lies within a tenth of the pose's size of the truth, which is what PCK@0.1
counts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.structures import VideoLabels

from .keypoint_accuracy import joint_errors, pair_videos

CORRECT_WITHIN = 0.1
"""Largest distance of a right joint, as a share of :func:`~.keypoint_accuracy.pose_sizes`."""

_MARGIN = 1e-3
"""Scores are clipped to this distance from 0 and 1 before their log odds are computed."""


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
    scores, correct = _checked(scores, correct)
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


@dataclass(frozen=True)
class ScoreCalibrator:
    """Map scores to probabilities: ``sigmoid(slope * logit(score) + offset + weight * covariate)``.

    Few parameters (Platt scaling of the score's log odds) rather than isotonic regression: a few
    videos are enough to fit them, they extrapolate beyond the fitted scores, and among joints of
    the same covariate unequal scores stay unequal, so that their ranking is kept: all but those
    within 0.001 of 0 or of 1, which become equal, because their log odds are clipped. Isotonic
    regression makes steps, and its outermost steps rest on few joints of few videos.

    Args:
        slope: At least 0, so that a higher score never means a lower probability.
        offset: Added log odds.
        weight: Added log odds for each unit of a covariate: something else than the score that
            tells how hard a joint is.
    """

    slope: float = 1.0
    offset: float = 0.0
    weight: float = 0.0

    def __post_init__(self) -> None:
        parameters = (self.slope, self.offset, self.weight)
        if not (np.isfinite(parameters).all() and self.slope >= 0):
            raise ValueError(
                'slope must be a finite number of at least 0, offset and weight finite numbers, '
                f'got {self.slope}, {self.offset} and {self.weight}'
            )

    @classmethod
    def fit(
        cls, scores: np.ndarray, correct: np.ndarray, covariate: np.ndarray | None = None
    ) -> ScoreCalibrator:
        """Fit the most likely parameters.

        The outcomes 1 and 0 are smoothed by one virtual joint of either kind (Platt, 1999), so
        that the parameters stay finite if scores separate right from wrong joints.

        Args:
            scores: [N] in 0..1.
            correct: [N] bool, whether the joint is right.
            covariate: [N] finite numbers; without it, the weight is 0.

        Raises:
            InputError: If there is no right or no wrong joint, or a score is not in 0..1.
        """
        from scipy.optimize import minimize
        from scipy.special import expit, logit

        scores, correct = _checked(scores, correct)
        right = int(correct.sum())
        wrong = len(correct) - right
        if not right or not wrong:
            raise InputError(
                f'{right} of the {len(correct)} joints are right, expected right and wrong ones '
                'to calibrate scores on, give more videos'
            )
        target = np.where(correct, (right + 1) / (right + 2), 1 / (wrong + 2))
        features = [_log_odds(scores), np.ones(len(scores))]
        if covariate is not None:
            features.append(np.asarray(covariate, np.float64))
        design = np.stack(features, axis=-1)

        def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
            z = design @ parameters
            value = np.mean(np.logaddexp(0.0, z) - target * z)
            return float(value), (expit(z) - target) @ design / len(target)

        start = [1.0, float(logit(target.mean())), 0.0][: len(features)]
        bounds = [(0.0, None), (None, None), (None, None)][: len(features)]
        found = minimize(loss, start, jac=True, method='L-BFGS-B', bounds=bounds)
        return cls(*found.x.tolist())

    def __call__(self, scores: np.ndarray, covariate: np.ndarray | float = 0.0) -> np.ndarray:
        """Map scores of any shape, with a covariate that can be broadcast to it."""
        from scipy.special import expit

        odds = _log_odds(np.asarray(scores, np.float64))
        return expit(self.slope * odds + self.offset + self.weight * np.asarray(covariate))

    def to_dict(self) -> dict[str, float]:
        """Convert to JSON values."""
        return {'slope': self.slope, 'offset': self.offset, 'weight': self.weight}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> ScoreCalibrator:
        """Restore from the result of :meth:`to_dict`.

        Raises:
            InputError: If it is something else.
        """
        try:
            # Earlier versions had no weight.
            weight = float(fields.get('weight', 0.0))
            return cls(float(fields['slope']), float(fields['offset']), weight)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f'a score calibrator has a slope of at least 0 and an offset, got {fields!r}, '
                'fit it again'
            ) from error


def pool_probabilities(probabilities: Sequence[np.ndarray]) -> np.ndarray:
    """Pool several opinions on the same events: the mean of their log odds, as a probability.

    Args:
        probabilities: Arrays of one shape, in 0..1.
    """
    from scipy.special import expit

    return expit(np.mean([_log_odds(each) for each in probabilities], axis=0))


def _checked(scores: np.ndarray, correct: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scores = np.asarray(scores, dtype=np.float64)
    correct = np.asarray(correct, dtype=bool)
    if scores.ndim != 1 or scores.shape != correct.shape:
        raise ValueError(
            f'scores and correct must have one shape [N], got {list(scores.shape)} and '
            f'{list(correct.shape)}'
        )
    if not len(scores):
        raise InputError('there is no joint to judge scores by, give videos with hidden labels')
    outside = ~((scores >= 0) & (scores <= 1))
    if outside.any():
        raise InputError(f'scores must be in 0..1, got {scores[outside][0]}')
    return scores, correct


def _log_odds(scores: np.ndarray) -> np.ndarray:
    from scipy.special import logit

    return logit(np.clip(scores, _MARGIN, 1 - _MARGIN))


def _auroc(scores: np.ndarray, correct: np.ndarray) -> float:
    """Compute the Mann-Whitney statistic divided by its largest value."""
    right = int(correct.sum())
    wrong = len(correct) - right
    if not right or not wrong:
        return float('nan')
    from scipy.stats import rankdata

    ranks = rankdata(scores)[correct].sum()
    return float((ranks - right * (right + 1) / 2) / (right * wrong))
