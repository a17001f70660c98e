"""Shift, scale and turn the boxes of a window together."""

from __future__ import annotations

import numpy as np
from mmpose.datasets.transforms import RandomBBoxTransform
from mmpose.registry import TRANSFORMS


@TRANSFORMS.register_module()
class WindowRandomBBoxTransform(RandomBBoxTransform):
    """MMPose's RandomBBoxTransform with the same draw for all boxes of a window.

    A shift is a share of each box's size, a scale and an angle are the same for all, so that a
    person moves between the crops as in the video.
    """

    def _get_transform_params(self, num_bboxes: int) -> tuple[np.ndarray, ...]:
        params = super()._get_transform_params(1)
        return tuple(np.repeat(values, num_bboxes, axis=0) for values in params)
