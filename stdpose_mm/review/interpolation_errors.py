"""Error probability of linear interpolation, estimated from the given labels alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from stdpose_mm.evaluation.functional import pose_sizes
from stdpose_mm.structures import PersonLabel


def interpolation_errors(frames: np.ndarray, labels: Mapping[int, PersonLabel]) -> np.ndarray:
    """Estimate the probability that linear interpolation between a person's labels is wrong.

    Args:
        frames: Frame indices [F].
        labels: Frame index -> given label, frames ascending; at least one.

    Returns:
        [F, K]; 0 on labelled frames, and for joints that are never labelled.
    """
    given = np.array(list(labels))
    keypoints = np.stack([label.keypoints for label in labels.values()])
    known = np.stack([label.labelled for label in labels.values()])
    sizes = pose_sizes(keypoints, known)
    size = sizes[sizes > 0].mean() if (sizes > 0).any() else 1.0
    errors = np.zeros((len(frames), keypoints.shape[1]))
    for joint in np.flatnonzero(known.any(axis=0)):
        shown = known[:, joint]
        errors[:, joint] = _joint_errors(frames, given[shown], keypoints[shown, joint] / size)
    return errors


def _joint_errors(frames: np.ndarray, labelled: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Estimate the probability [F] that a joint on straight lines between its labels is wrong.

    Logistic models, fitted on the training groups of the JHMDB clips. Between two labels: by the
    length of the gap, the place in it, the distance between the two labels of the joint, and the
    distance of these two from straight lines between their neighbours. Before the first label and
    after the last one: by the distance and the mean speed between the joint's labels.

    Args:
        frames: Frame indices [F].
        labelled: Frames of the joint's labels [L], ascending, at least one.
        points: Positions of these labels in pose sizes [L, 2].
    """
    from scipy.special import expit

    after = np.clip(np.searchsorted(labelled, frames), 0, len(labelled) - 1)
    before = np.maximum(after - 1, 0)
    distance = np.minimum(np.abs(frames - labelled[before]), np.abs(frames - labelled[after]))
    distance = np.maximum(distance, 1)
    if len(labelled) == 1:
        return np.where(frames == labelled[0], 0.0, expit(np.log(distance) - 2.54))
    step = np.linalg.norm(np.diff(points, axis=0), axis=-1)
    speed = step.sum() / (labelled[-1] - labelled[0])
    beyond = 1.37 * np.log(distance) + 1.32 * np.log(speed + 0.003) + 2.4
    gap = np.clip(np.searchsorted(labelled, frames, side='right') - 1, 0, len(step) - 1)
    length = np.diff(labelled)[gap]
    place = np.clip((frames - labelled[gap]) / length, 1e-3, 1 - 1e-3)
    log_length, log_place = np.log(length), np.log(4 * place * (1 - place))
    log_moved = np.log(step[gap] + 0.03)
    if len(labelled) > 2:
        log_missed = np.log(_deviation(labelled, points)[gap] + 0.03)
        odds = 1.03 * log_length + 2.09 * log_place + 1.3 * log_moved + 1.15 * log_missed + 0.35
    else:
        odds = 1.1 * log_length + 1.99 * log_place + 1.95 * log_moved - 1.15
    between = (frames > labelled[0]) & (frames < labelled[-1])
    return np.where(np.isin(frames, labelled), 0.0, expit(np.where(between, odds, beyond)))


def _deviation(labelled: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Compute the mean distance of each gap's two labels from lines between their neighbours."""
    share = ((labelled[1:-1] - labelled[:-2]) / (labelled[2:] - labelled[:-2]))[:, None]
    line = (1 - share) * points[:-2] + share * points[2:]
    inner = np.linalg.norm(points[1:-1] - line, axis=-1)
    missed = np.array([inner[0], *inner, inner[-1]])
    return (missed[:-1] + missed[1:]) / 2
