"""Let MMPose's transforms treat the poses of a window as people of one picture."""

from __future__ import annotations

import numpy as np

_PAIRS = (('keypoints', 'aux_keypoints'), ('keypoints_visible', 'aux_keypoints_visible'))
_TRANSFORMED = ('transformed_keypoints', 'transformed_aux_keypoints')


def as_one(results: dict) -> dict:
    """Bring all poses into the order of the frames: ``keypoints`` becomes [F, K, 2] and so on."""
    for key, aux in _PAIRS:
        before, after = np.split(results.pop(aux), 2)
        results[key] = np.concatenate([before, results[key], after])
    return results


def split(results: dict, num_keys: int) -> dict:
    """Undo :func:`as_one`, also for the transformed keypoints if there are any."""
    pairs = _PAIRS + ((_TRANSFORMED,) if _TRANSFORMED[0] in results else ())
    for key, aux in pairs:
        side = (len(results[key]) - num_keys) // 2
        before, results[key], after = np.split(results[key], [side, side + num_keys])
        results[aux] = np.concatenate([before, after])
    return results
