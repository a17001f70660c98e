"""Let MMPose's transforms treat the poses of a window as three people of one picture."""

from __future__ import annotations

import numpy as np

_PAIRS = (('keypoints', 'aux_keypoints'), ('keypoints_visible', 'aux_keypoints_visible'))
_TRANSFORMED = ('transformed_keypoints', 'transformed_aux_keypoints')


def as_one(results: dict) -> dict:
    """Append the auxiliary poses to the key pose: ``keypoints`` becomes [3, K, 2] and so on."""
    for key, aux in _PAIRS:
        results[key] = np.concatenate([results[key], results.pop(aux)])
    return results


def split(results: dict) -> dict:
    """Undo :func:`as_one`, for the transformed keypoints too where there are some."""
    pairs = _PAIRS + ((_TRANSFORMED,) if _TRANSFORMED[0] in results else ())
    for key, aux in pairs:
        results[key], results[aux] = results[key][:1], results[key][1:]
    return results
