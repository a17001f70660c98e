"""Packing of a window for the model."""

from __future__ import annotations

from typing import Any

from mmpose.datasets.transforms import PackPoseInputs
from mmpose.registry import TRANSFORMS

WINDOW_META_KEYS = (
    *('img_index', 'video_name', 'frame_index', 'frame_indices', 'track_id'),
    *('window_position', 'label_sources'),
)
"""Fields of a window that become metainfo, in addition to those of MMPose's PackPoseInputs."""


@TRANSFORMS.register_module()
class PackWindowInputs(PackPoseInputs):
    """MMPose's PackPoseInputs with the additional fields of a window.

    Packed fields:

        - inputs: uint8 tensor [F, 3, H, W] of F = W + T - 1 frames: W key frames, with half of the
          auxiliary frames before and half of them after these
        - data_samples: PoseDataSample with

          - metainfo ``meta_keys`` and ``WINDOW_META_KEYS``
          - ``gt_instances``: bboxes, bbox_scores, bbox_scales, keypoints, keypoints_visible
          - ``gt_fields``, float32, with frames flattened into the first axis because PixelData has
            three: ``heatmaps`` [WK, h, w], ``aux_heatmaps`` [(T - 1)K, h, w],
            ``given_heatmaps`` [2K, h, w], ``prior_heatmaps`` [WK, h, w]
          - ``gt_instance_labels``: ``keypoint_weights`` [W, K], ``aux_keypoint_weights``
            [W, T - 1, K], ``given_mask`` [W, 2, K]

    Args:
        kwargs: As in PackPoseInputs: ``meta_keys``, ``pack_transformed``.
    """

    field_mapping_table = {
        name: name for name in ('heatmaps', 'aux_heatmaps', 'given_heatmaps', 'prior_heatmaps')
    }
    label_mapping_table = {
        name: name for name in ('keypoint_weights', 'aux_keypoint_weights', 'given_mask')
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.meta_keys += WINDOW_META_KEYS
