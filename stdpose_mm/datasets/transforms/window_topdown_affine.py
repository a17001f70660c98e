"""Crop a person out of the frames of a window."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmpose.datasets.transforms import TopdownAffine
from mmpose.registry import TRANSFORMS

from stdpose_mm.errors import InputError

from ._joint_poses import as_one, split

_OF_BOXES = ('bbox', 'bbox_score', 'bbox_center', 'bbox_scale', 'bbox_rotation')
_OF_KEY_FRAME = ('input_size', 'input_center', 'input_scale')
_CORNERS = np.array([[[0, 0], [1, 0], [0, 1]]], dtype=np.float64)


@TRANSFORMS.register_module()
class WindowTopdownAffine(TopdownAffine):
    """MMPose's TopdownAffine on the frames of a window and their labels.

    With one box all frames have the same crop. With one box per frame each frame is cropped at its
    own box; the boxes of the key frames remain.

    Required and modified keys: as TopdownAffine with F frames and one or F boxes, and

        - keypoints: [W, K, 2] of the key frames, left as it is
        - aux_keypoints: [T - 1, K, 2], left as it is
        - keypoints_visible: [W, K]
        - aux_keypoints_visible: [T - 1, K]

    Added Keys:

        - input_size, input_center, input_scale: of the first key frame
        - transformed_keypoints: [W, K, 2] in pixels of the crop
        - transformed_aux_keypoints: [T - 1, K, 2] in pixels of the crop
        - crop_warps (with a box per frame): [F, 2, 3] affines from the picture to the crops

    Raises:
        InputError: If an earlier transform has removed boxes, or rotated the boxes of a window by
            different angles, as MMPose's transforms for single pictures do.
    """

    def transform(self, results: dict) -> dict:
        """Warp the frames in ``results`` and add the labels in crop coordinates."""
        _require_boxes_of_a_window(results)
        num_keys = len(results['keypoints'])
        results = as_one(results)
        if len(results['bbox_center']) == 1:
            return split(super().transform(results), num_keys)
        return split(self._crop_each(results, num_keys), num_keys)

    def _crop_each(self, results: dict, num_keys: int) -> dict:
        """Crop every frame at its own box."""
        crops = [self._crop(results, frame) for frame in range(len(results['img']))]
        results['img'] = [crop['img'][0] for crop in crops]
        points = np.concatenate([crop['transformed_keypoints'] for crop in crops])
        origin, right, down = np.moveaxis(points[:, -3:], 1, 0)
        results['crop_warps'] = np.stack([right - origin, down - origin, origin], axis=-1)
        results['transformed_keypoints'] = points[:, :-3].astype(results['keypoints'].dtype)
        side = (len(crops) - num_keys) // 2
        for name in _OF_KEY_FRAME:
            results[name] = crops[side][name]
        for name in _OF_BOXES:
            if name in results:
                results[name] = results[name][side : side + num_keys]
        return results

    def _crop(self, results: dict, frame: int) -> dict[str, Any]:
        """Crop one frame, with three corners of the picture among its keypoints."""
        own = {name: results[name][frame : frame + 1] for name in _OF_BOXES if name in results}
        pose = results['keypoints'][frame : frame + 1]
        own['keypoints'] = np.concatenate([pose, _CORNERS], axis=1)
        return super().transform({**own, 'img': [results['img'][frame]]})


def _require_boxes_of_a_window(results: dict) -> None:
    expected, found = len(results['bbox']), len(results['bbox_center'])
    if found != expected:
        raise InputError(
            f'a transform before WindowTopdownAffine left {found} of the {expected} boxes of a '
            'window, use WindowRandomHalfBody in the place of RandomHalfBody'
        )
    turns = results.get('bbox_rotation', ())
    if len(set(turns)) > 1:
        raise InputError(
            f'a transform before WindowTopdownAffine turned the frames of a window by '
            f'{", ".join(f"{turn:.0f}" for turn in turns)} degrees, use WindowRandomBBoxTransform '
            'in the place of RandomBBoxTransform'
        )
