"""Crop the key frame's person out of a whole window."""

from __future__ import annotations

from mmpose.datasets.transforms import TopdownAffine
from mmpose.registry import TRANSFORMS

from ._joint_poses import as_one, split


@TRANSFORMS.register_module()
class WindowTopdownAffine(TopdownAffine):
    """MMPose's TopdownAffine: one affine for all three frames and the labels of all three.

    Required and modified keys: as TopdownAffine, and

        - aux_keypoints: [2, K, 2], left as it is
        - aux_keypoints_visible: [2, K]

    Added Keys:

        - input_size, input_center, input_scale
        - transformed_keypoints: [1, K, 2] in pixels of the crop
        - transformed_aux_keypoints: [2, K, 2] in pixels of the crop
    """

    def transform(self, results: dict) -> dict:
        """Warp the frames in ``results`` and add the labels in crop coordinates."""
        return split(super().transform(as_one(results)))
