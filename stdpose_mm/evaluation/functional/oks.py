"""COCO's object keypoint similarity (OKS)."""

from __future__ import annotations

import numpy as np


def object_keypoint_similarity(
    truth: np.ndarray,
    labelled: np.ndarray,
    predicted: np.ndarray,
    areas: np.ndarray,
    sigmas: np.ndarray,
) -> np.ndarray:
    """OKS of N pairs of poses: mean over the labelled joints of ``exp(-d^2 / (8 s^2 area))``.

    Args:
        truth: [N, K, 2] pixels.
        labelled: [N, K] bool, joints of the truth that count.
        predicted: [N, K, 2] pixels.
        areas: [N] square pixels, the size of the subject.
        sigmas: [K] per-joint standard deviations of the labelling, in units of the square root
            of the area.

    Returns:
        [N] in 0..1; NaN for a pair without labelled joints.
    """
    distance2 = ((predicted - truth) ** 2).sum(axis=-1)
    spread = 2 * (2 * sigmas) ** 2 * areas[:, None]
    # A subject without extent tolerates no distance at all.
    exponent = np.divide(
        distance2, spread, out=np.where(distance2 > 0, np.inf, 0.0), where=spread > 0
    )
    similarity = np.where(labelled, np.exp(-exponent), 0.0).sum(axis=-1)
    counts = labelled.sum(axis=-1)
    return np.divide(similarity, counts, out=np.full(len(counts), np.nan), where=counts > 0)
