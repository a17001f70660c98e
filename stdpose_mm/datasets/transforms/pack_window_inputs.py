"""Packing of a window for the model."""

from __future__ import annotations

from typing import Any

from mmengine.structures import PixelData
from mmpose.datasets.transforms import PackPoseInputs
from mmpose.registry import TRANSFORMS

from stdpose_mm.registration import register

WINDOW_META_KEYS = (
    *('img_index', 'video_name', 'frame_index', 'frame_indices', 'track_id'),
    *('window_position', 'label_sources', 'aux_given'),
)
"""Fields of a window that become metainfo, in addition to those of MMPose's PackPoseInputs."""


@register(TRANSFORMS)
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
        kwargs: As in PackPoseInputs: ``meta_keys``, ``pack_transformed``. With the latter, only the
            first key frame is packed, as a picture to be drawn by MMPose's browse_dataset.py:
            ``inputs`` [3, H, W'], ``heatmaps`` [K, h, w], and in ``gt_instances`` also the
            ``transformed_keypoints`` [1, K, 2] in pixels of the crop.
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

    def transform(self, results: dict) -> dict:
        """Pack a sample."""
        packed: dict = super().transform(results)
        if self.pack_transformed:
            sample, num_keys = packed['data_samples'], len(results['keypoints'])
            packed['inputs'] = packed['inputs'][(len(packed['inputs']) - num_keys) // 2]
            heatmaps = sample.gt_fields.heatmaps.chunk(num_keys)[0]
            sample.gt_fields = PixelData(heatmaps=heatmaps)
            sample.gt_instances = sample.gt_instances[:1]
        return packed
