"""Tensors that backbone, neck and head hand to each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from mmpose.structures import PoseDataSample
from torch import Tensor

from stdpose_mm.structures.windows import KEY_FRAME as KEY_FRAME


class MaskedFeatures(NamedTuple):
    """Features of M masked places.

    Attributes:
        reconstructed: Features from the decoder [M, D].
        target: True features [M, D], without gradient.
    """

    reconstructed: Tensor
    target: Tensor


class Reconstruction(NamedTuple):
    """A neck's reconstruction of the masked tokens and frames of windows, in training.

    Attributes:
        tubes: Features under tubes; ``None`` if there are none.
        frames: Features of frames masked in whole; ``None`` if there are none.
        heatmaps: Heatmaps of these frames [F, K, h, w], in the order of ``hidden_frames``.
        hidden_frames: Mask of these frames, bool [N, T].
    """

    tubes: MaskedFeatures | None = None
    frames: MaskedFeatures | None = None
    heatmaps: Tensor | None = None
    hidden_frames: Tensor | None = None


class SpatioTemporalRepresentation(NamedTuple):
    """Output of the neck, input of the head. A field is ``None`` where its module is left out.

    Attributes:
        frame_feature: F_t, feature of the key frame [N, D, h', w'].
        fused_feature: F~_t, feature of the window [N, D, h', w'].
        frame_heatmaps: H_l, H_t, H_r [N, 3, K, h, w], given labels in place of predictions.
        merged_heatmaps: H~_t, merged heatmaps [N, K, h, w].
        reconstruction: Reconstruction of what was masked; in training only.
    """

    frame_feature: Tensor
    fused_feature: Tensor | None = None
    frame_heatmaps: Tensor | None = None
    merged_heatmaps: Tensor | None = None
    reconstruction: Reconstruction | None = None


class AuxiliaryLabels(NamedTuple):
    """Labels of the auxiliary frames that the model may see, and the place of the key frame.

    Attributes:
        heatmaps: Maps of the left and right frame [N, 2, K, h, w].
        mask: Joints whose given maps replace the network's, bool [N, 2, K].
        prior: Map of the pose interpolated to the key frame [N, K, h, w]; empty where a label is
            missing.
        position: Position of the key frame between the left (0) and the right frame (1), [N].
    """

    heatmaps: Tensor
    mask: Tensor
    prior: Tensor
    position: Tensor

    @classmethod
    def from_data_samples(cls, data_samples: Sequence[PoseDataSample]) -> AuxiliaryLabels | None:
        """Collect the labels of a batch; a sample without any gives nothing.

        Args:
            data_samples: Samples whose ``gt_fields`` may hold ``given_heatmaps`` [2K, h, w] and
                ``prior_heatmaps`` [K, h, w], and ``gt_instance_labels.given_mask`` [1, 2, K];
                metainfo ``window_position``, half way if it is missing.

        Returns:
            The labels, or ``None`` if no sample gives any.
        """
        per_sample = [cls._from_data_sample(sample) for sample in data_samples]
        template = next((labels for labels in per_sample if labels is not None), None)
        if template is None:
            return None
        empty = cls(*(torch.zeros_like(field) for field in template))
        nothing = empty._replace(position=torch.full_like(template.position, 0.5))
        filled = [nothing if labels is None else labels for labels in per_sample]
        return cls(*(torch.stack(fields) for fields in zip(*filled, strict=True)))

    @classmethod
    def _from_data_sample(cls, sample: PoseDataSample) -> AuxiliaryLabels | None:
        if 'gt_fields' not in sample or 'given_heatmaps' not in sample.gt_fields:
            return None
        heatmaps = sample.gt_fields.given_heatmaps.unflatten(0, (2, -1))
        mask = sample.gt_instance_labels.given_mask[0] > 0
        position = heatmaps.new_tensor(sample.metainfo.get('window_position', 0.5))
        return cls(heatmaps, mask, sample.gt_fields.prior_heatmaps, position)

    def flip(self, flip_indices: Sequence[int]) -> AuxiliaryLabels:
        """Mirror the maps horizontally and swap the left and right joints."""
        joints = list(flip_indices)
        return AuxiliaryLabels(
            self.heatmaps.flip(-1)[:, :, joints],
            self.mask[:, :, joints],
            self.prior.flip(-1)[:, joints],
            self.position,
        )

    def substitute(self, frame_heatmaps: Tensor) -> Tensor:
        """Replace the network's maps of the auxiliary frames where a label is given.

        Args:
            frame_heatmaps: H_l, H_t, H_r with shape [N, 3, K, h, w].

        Returns:
            New tensor of the same shape; the key frame's maps are unchanged.
        """
        left, key, right = frame_heatmaps.unbind(1)
        given_left, given_right = self.heatmaps.to(frame_heatmaps.dtype).unbind(1)
        left_mask, right_mask = self.mask[..., None, None].unbind(1)
        return torch.stack(
            (
                torch.where(left_mask, given_left, left),
                key,
                torch.where(right_mask, given_right, right),
            ),
            dim=1,
        )
