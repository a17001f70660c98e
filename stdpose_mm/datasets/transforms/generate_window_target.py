"""Heatmaps of a window: targets, given labels, and the pose interpolated between labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.registry import KEYPOINT_CODECS, TRANSFORMS

from stdpose_mm.errors import InputError, require_ratio
from stdpose_mm.registration import register
from stdpose_mm.structures.windows import interpolate_pose

HEATMAP_CODECS = ('MSRAHeatmap', 'UDPHeatmap', 'MegviiHeatmap')
"""Codecs of MMPose that encode each joint as one heatmap."""


@register(TRANSFORMS)
class GenerateWindowTarget(BaseTransform):
    """Transform that encodes the poses of a window as heatmaps.

    If an auxiliary frame has a given label, the label's maps replace those of the network (in
    testing wherever ``aux_given`` says so). A model that never sees given labels in training cannot
    use them, so training shows them, too, with jitter and dropout that prevent the model from
    merely copying them.

    Required Keys:

        - transformed_keypoints: [W, K, 2] of the key frames in pixels of the crop
        - keypoints_visible: [W, K]
        - transformed_aux_keypoints: [T - 1, K, 2] of the auxiliary frames in pixels of the crop
        - aux_keypoints_visible: [T - 1, K]
        - aux_given: [2] bool, of the first and the last of these, the left and the right frame
        - window_position: position of each key frame, from 0 at the left frame to 1 at the right
          one; a single number for one key frame
        - label_weights (optional): [F, K], loss weights of the labels of each frame
        - crop_warps (optional): [F, 2, 3] affines from the picture to each frame's crop; without
          them all frames have the same crop

    Added Keys (h x w is the heatmap, all float32):

        - heatmaps: [WK, h, w] targets of the key frames
        - keypoint_weights: [W, K], 0 for joints without a label or outside the crop, otherwise the
          weight of the label
        - aux_heatmaps: [(T - 1)K, h, w] targets of the auxiliary frames
        - aux_keypoint_weights: [W, T - 1, K], the same for every key frame
        - given_heatmaps: [2K, h, w] maps of the labels given in the left and the right frame, empty
          without a label
        - given_mask: [W, 2, K], the same for every key frame: 1 where the given map counts, also
          for a given joint outside the crop, whose map is empty
        - prior_heatmaps: [WK, h, w] maps of the pose interpolated linearly between the given
          labels, empty for joints that are not given on both sides

    Args:
        encoder: Config of the heatmap codec, ``dict(type='BoundedUDPHeatmap', ...)``.
        aux_label_prob: Probability that a window's given labels are shown in training; 0 in the
            paper's text.
        label_jitter: Standard deviation of the noise on given labels, in heatmap pixels.
        label_dropout: Probability that a given joint is withheld.
        test_mode: Whether to show every given label unchanged, without random draws.

    Raises:
        InputError: If an argument is out of range, or the codec does not encode one heatmap per
            joint.
    """

    def __init__(
        self,
        encoder: dict[str, Any],
        aux_label_prob: float = 1.0,
        label_jitter: float = 0.0,
        label_dropout: float = 0.0,
        test_mode: bool = False,
    ) -> None:
        super().__init__()
        require_ratio(aux_label_prob=aux_label_prob, label_dropout=label_dropout)
        if label_jitter < 0:
            raise InputError(f'label_jitter must not be negative, got {label_jitter}')
        self.encoder = KEYPOINT_CODECS.build(encoder)
        _require_heatmaps(self.encoder)
        self.aux_label_prob = aux_label_prob
        self.label_jitter = label_jitter
        self.label_dropout = label_dropout
        self.test_mode = test_mode

    def transform(self, results: dict) -> dict:
        """Add the heatmaps and their masks to ``results``."""
        keys, aux = results['transformed_keypoints'], results['transformed_aux_keypoints']
        num_keys, num_keypoints = keys.shape[:2]
        num_aux = len(aux)
        keys_visible = results['keypoints_visible'] > 0
        aux_visible = results['aux_keypoints_visible'] > 0

        outermost = [0, -1]
        is_shown = aux_visible[outermost] & np.asarray(results['aux_given'], dtype=bool)[:, None]
        labels = aux[outermost]
        if not self.test_mode:
            is_shown &= self._draw_shown(num_keypoints)
            labels = self._jitter(labels)
        positions = np.atleast_1d(results['window_position'])
        per_key = labels_in_key_crops(labels, num_keys, results.get('crop_warps'))
        priors, prior_shown = interpolate_pose(per_key, is_shown, positions[:, None, None])

        # One call of the codec: poses of key and auxiliary frames, left and right labels, priors.
        poses = np.concatenate([keys, aux, labels, priors])
        visible = np.concatenate(
            [keys_visible, aux_visible, is_shown, np.tile(prior_shown, (num_keys, 1))]
        )
        encoded = self.encoder.encode(
            poses.reshape(1, -1, 2), visible.reshape(1, -1).astype(np.float32)
        )
        maps = encoded['heatmaps']
        weights = encoded['keypoint_weights'].reshape(-1, num_keypoints)
        ends = np.cumsum([num_keys, num_aux, 2]) * num_keypoints
        for name, part in zip(
            ('heatmaps', 'aux_heatmaps', 'given_heatmaps', 'prior_heatmaps'),
            np.split(maps, ends),
            strict=True,
        ):
            results[name] = part
        label_weights = results.get('label_weights', np.ones((num_keys + num_aux, 1), np.float32))
        before, of_keys, after = np.split(label_weights, [num_aux // 2, num_aux // 2 + num_keys])
        aux_weights = weights[num_keys : num_keys + num_aux] * np.concatenate([before, after])
        results['keypoint_weights'] = weights[:num_keys] * of_keys
        results['aux_keypoint_weights'] = np.tile(aux_weights, (num_keys, 1, 1))
        results['given_mask'] = np.tile(is_shown.astype(np.float32), (num_keys, 1, 1))
        return results

    def _draw_shown(self, num_keypoints: int) -> np.ndarray:
        is_shown = np.random.rand(1, 1) < self.aux_label_prob
        joints = np.random.rand(2, num_keypoints) >= self.label_dropout
        return is_shown & joints

    def _jitter(self, keypoints: np.ndarray) -> np.ndarray:
        noise = np.random.standard_normal(keypoints.shape) * self.label_jitter
        return (keypoints + noise * self.encoder.scale_factor).astype(keypoints.dtype)


def _require_heatmaps(codec: Any) -> None:
    """Refuse codecs of MMPose that encode something else than one heatmap per joint."""
    name = type(codec).__name__
    is_other = type(codec).__module__.startswith('mmpose.') and name not in HEATMAP_CODECS
    if is_other or getattr(codec, 'heatmap_type', 'gaussian') == 'combined':
        raise InputError(
            f'GenerateWindowTarget encodes one heatmap per joint, which {name} with these settings '
            f'does not, use BoundedUDPHeatmap, {", ".join(HEATMAP_CODECS)} as encoder and decoder'
        )


def labels_in_key_crops(
    labels: np.ndarray, num_keys: int, crop_warps: np.ndarray | None
) -> np.ndarray:
    """Convert the auxiliary poses from pixels of their own crops to those of the key frames' crops.

    Args:
        labels: [2, K, 2] the left and the right pose, each in its own frame's crop.
        num_keys: Number W of key frames.
        crop_warps: [F, 2, 3] affines from the picture to the crops, the key frames' in the middle;
            None if all crops are the same.

    Returns:
        [2, W, K, 2].
    """
    if crop_warps is None:
        return np.repeat(labels[:, None], num_keys, axis=1)
    linear, offset = crop_warps[..., :2], crop_warps[:, None, :, 2]
    in_picture = (labels - offset[[0, -1]]) @ np.linalg.inv(linear[[0, -1]]).swapaxes(1, 2)
    side = (len(crop_warps) - num_keys) // 2
    linear, offset = linear[side : side + num_keys], offset[side : side + num_keys]
    return in_picture[:, None] @ linear.swapaxes(1, 2) + offset
