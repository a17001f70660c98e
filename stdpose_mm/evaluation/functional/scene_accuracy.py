"""Accuracy of joints in space."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from stdpose_mm.errors import InputError
from stdpose_mm.structures.scene_poses import ScenePoses


def joint_distances(truth: ScenePoses, predicted: ScenePoses) -> dict[str, np.ndarray]:
    """Compute the distances of joints in space from the truth, such as for MPJPE.

    Frames are paired by their number, joints by their name, and people so that the mean distance
    is least.

    Returns:
        Joint -> [M] distances in the unit of the files, one for each true position; NaN where there
        is none in the predictions.

    Raises:
        InputError: If the two have no joint or no frame in common.
    """
    names = truth.skeleton.keypoint_names
    joints = [name for name in names if name in predicted.skeleton.keypoint_names]
    times = range(
        max(truth.times.start, predicted.times.start), min(truth.times.stop, predicted.times.stop)
    )
    if not joints or not times:
        what = 'frame' if joints else 'joint'
        raise InputError(f'truth and predictions have no {what} in common, give those of one scene')
    first, second = (
        poses.points[times.start - poses.times.start :][: len(times)][
            :, :, [poses.skeleton.index_of(name) for name in joints]
        ]
        for poses in (truth, predicted)
    )
    apart = np.linalg.norm(first[:, :, None] - second[:, None], axis=-1)
    has_both = np.isfinite(apart)
    total = np.where(has_both, apart, 0).sum(axis=(0, 3))
    total /= np.maximum(has_both.sum(axis=(0, 3)), 1)
    cost = np.where(has_both.any(axis=(0, 3)), total, 1e9)
    pairs = dict(zip(*linear_sum_assignment(cost), strict=True))
    distances = np.full(first.shape[:-1], np.nan)
    for person, other in pairs.items():
        distances[:, person] = apart[:, person, other]
    is_true = np.isfinite(first[..., 0])
    return {name: distances[..., k][is_true[..., k]] for k, name in enumerate(joints)}
