"""Let MMPose's transforms treat the poses of a window as people of one picture."""

from __future__ import annotations

import numpy as np

_PAIRS = (('keypoints', 'aux_keypoints'), ('keypoints_visible', 'aux_keypoints_visible'))
_TRANSFORMED = ('transformed_keypoints', 'transformed_aux_keypoints')


def as_one(results: dict) -> dict:
    """Bring all poses into the order of the frames: ``keypoints`` becomes [F, K, 2] and so on."""
    for key, aux in _PAIRS:
        left, right = results.pop(aux)
        results[key] = np.concatenate([left[None], results[key], right[None]])
    return results


def split(results: dict) -> dict:
    """Undo :func:`as_one`, for the transformed keypoints too where there are some."""
    pairs = _PAIRS + ((_TRANSFORMED,) if _TRANSFORMED[0] in results else ())
    for key, aux in pairs:
        results[key], results[aux] = results[key][1:-1], results[key][[0, -1]]
    return results
