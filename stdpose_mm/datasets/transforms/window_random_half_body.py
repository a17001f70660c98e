"""Crop half of the body in all frames of a window."""

from __future__ import annotations

from mmpose.datasets.transforms import RandomHalfBody
from mmpose.registry import TRANSFORMS


@TRANSFORMS.register_module()
class WindowRandomHalfBody(RandomHalfBody):
    """MMPose's RandomHalfBody on all boxes of a window.

    The half body is that of the first key frame. With a box per frame, the boxes of the other
    frames shift by the same share of their size and scale by the same factor, so that a person
    moves between the crops as in the video. MMPose's own transform would keep only the first W
    boxes.
    """

    def transform(self, results: dict) -> dict:
        """Change the boxes in ``results``, or do not.

        Args:
            results: ``bbox_center`` and ``bbox_scale`` [1, 2] or [F, 2], ``keypoints`` [W, K, 2]
                and ``keypoints_visible`` [W, K] of the key frames, and joints of both halves.
        """
        centers, scales = results['bbox_center'], results['bbox_scale']
        if len(centers) == 1:
            return super().transform(results)
        first_key = (len(centers) - len(results['keypoints'])) // 2
        own = slice(first_key, first_key + 1)
        of_key = super().transform(
            {
                **results,
                'bbox_center': centers[own],
                'bbox_scale': scales[own],
                'keypoints': results['keypoints'][:1],
                'keypoints_visible': results['keypoints_visible'][:1],
            }
        )
        shift = (of_key['bbox_center'] - centers[own]) / scales[own]
        results['bbox_center'] = centers + shift * scales
        results['bbox_scale'] = scales * (of_key['bbox_scale'] / scales[own])
        return results
