"""Mirror a whole window."""

from __future__ import annotations

import cv2
from mmpose.datasets.transforms import RandomFlip
from mmpose.registry import TRANSFORMS

from ._joint_poses import as_one, split

OPENCV_AXES = {'horizontal': 1, 'vertical': 0, 'diagonal': -1}


@TRANSFORMS.register_module()
class WindowRandomFlip(RandomFlip):
    """MMPose's RandomFlip on all frames of a window and their labels.

    Left and right joints change places in the auxiliary labels, and in the weights of all labels,
    as they do in the key frame's.

    Required and modified keys: as RandomFlip, and

        - aux_keypoints: [T - 1, K, 2]
        - aux_keypoints_visible: [T - 1, K]
        - label_weights (optional): [F, K]
    """

    def transform(self, results: dict) -> dict:
        """Flip, or do not, the frames and labels in ``results``."""
        pictures = results['img']
        # MMPose mirrors by a view with negative strides, which the crop then has to copy, many
        # times slower than OpenCV's flip.
        results['img'] = []
        num_keys = len(results['keypoints'])
        results = split(super().transform(as_one(results)), num_keys)
        if results['flip']:
            axis = OPENCV_AXES[results['flip_direction']]
            pictures = [cv2.flip(picture, axis) for picture in pictures]
            # MMPose mirrors diagonally by half a turn, which leaves left and right as they are.
            if 'label_weights' in results and results['flip_direction'] != 'diagonal':
                weights = results['label_weights']
                results['label_weights'] = weights.take(results['flip_indices'], axis=1)
        results['img'] = pictures
        return results
