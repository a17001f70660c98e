"""Calibration of scores: the probability that a joint is right.

A joint is right if it lies within a tenth of the pose's size of the truth, as in PCK@0.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stdpose_mm.errors import InputError

CORRECT_WITHIN = 0.1
"""Maximum error of a right joint, as a share of :func:`~.keypoint_accuracy.pose_sizes`."""

_MARGIN = 1e-3
"""Scores are clipped to this distance from 0 and 1 before their log odds are computed."""


@dataclass(frozen=True)
class ScoreCalibrator:
    """Calibrator of scores: ``sigmoid(slope * logit(score) + offset + weight * covariate)``.

    It has few parameters (Platt scaling of the score's log odds) and is no isotonic regression. A
    few videos are enough to fit it, it extrapolates beyond the fitted scores, and it keeps the
    ranking of joints with the same covariate. The exception are scores within 0.001 of 0 or of 1,
    which become equal because their log odds are clipped. Isotonic regression gives steps, and its
    outermost steps depend on few joints of few videos.

    Args:
        slope: At least 0, so that a higher score never means a lower probability.
        offset: Added log odds.
        weight: Added log odds per unit of a covariate: a number other than the score that tells how
            hard a joint is.
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

        The outcomes 1 and 0 are smoothed by one virtual joint of each kind (Platt, 1999), so that
        the parameters stay finite if scores separate right from wrong joints.

        Args:
            scores: [N] in 0..1.
            correct: [N] bool: whether the joint is right.
            covariate: [N] finite numbers; without it, the weight is 0.

        Raises:
            InputError: If there is no right or no wrong joint, or a score is not in 0..1.
        """
        from scipy.optimize import minimize
        from scipy.special import expit, logit

        scores, correct = check_scores(scores, correct)
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
        solution = minimize(loss, start, jac=True, method='L-BFGS-B', bounds=bounds)
        return cls(*solution.x.tolist())

    def __call__(self, scores: np.ndarray, covariate: np.ndarray | float = 0.0) -> np.ndarray:
        """Calibrate scores of any shape, with a covariate that can be broadcast to it."""
        from scipy.special import expit

        odds = _log_odds(np.asarray(scores, np.float64))
        return expit(self.slope * odds + self.offset + self.weight * np.asarray(covariate))

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> ScoreCalibrator:
        """Restore a calibrator from its fields, such as those in a file.

        Raises:
            InputError: If ``fields`` is something else.
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
    """Pool several probabilities of the same events: their mean log odds, as a probability.

    Args:
        probabilities: Arrays of one shape, in 0..1.
    """
    from scipy.special import expit

    return expit(np.mean([_log_odds(member) for member in probabilities], axis=0))


def check_scores(scores: np.ndarray, correct: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Check N >= 1 scores in 0..1, and whether each joint is right; return both as arrays.

    Raises:
        InputError: If they are something else.
    """
    scores = np.asarray(scores, dtype=np.float64)
    correct = np.asarray(correct, dtype=bool)
    if not len(scores):
        raise InputError('there is no joint to judge scores by, give videos with hidden labels')
    outside = ~((scores >= 0) & (scores <= 1))
    if outside.any():
        raise InputError(f'scores must be in 0..1, got {scores[outside][0]}')
    return scores, correct


def _log_odds(scores: np.ndarray) -> np.ndarray:
    from scipy.special import logit

    return logit(np.clip(scores, _MARGIN, 1 - _MARGIN))
