"""Mirror a whole window."""

from __future__ import annotations

from mmpose.datasets.transforms import RandomFlip
from mmpose.registry import TRANSFORMS

from ._joint_poses import as_one, split


@TRANSFORMS.register_module()
class WindowRandomFlip(RandomFlip):
    """MMPose's RandomFlip on all three frames and the labels of all three.

    Left and right joints change places in the auxiliary labels as they do in the key frame's.

    Required and modified keys: as RandomFlip, and

        - aux_keypoints: [2, K, 2]
        - aux_keypoints_visible: [2, K]
    """

    def transform(self, results: dict) -> dict:
        """Flip, or do not, the frames and labels in ``results``."""
        return split(super().transform(as_one(results)))
