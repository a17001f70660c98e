"""Tensors that backbone, neck and head pass to each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmpose.structures import PoseDataSample
from torch import Tensor

from stdpose_mm.errors import InputError
from stdpose_mm.structures import key_index


class MaskedFeatures(NamedTuple):
    """Features of M masked places.

    Attributes:
        reconstructed: Features from the decoder [M, D].
        target: True features [M, D], without gradient.
    """

    reconstructed: Tensor
    target: Tensor


class Reconstruction(NamedTuple):
    """A neck's reconstruction of the masked tokens and frames of windows, in training only.

    Attributes:
        tubes: Features under tubes; ``None`` if there are none.
        frames: Features of wholly masked frames; ``None`` if there are none.
        heatmaps: Heatmaps of these frames [F, K, h, w], in the order of ``hidden_frames``.
        hidden_frames: Mask of these frames, bool [N, T].
    """

    tubes: MaskedFeatures | None = None
    frames: MaskedFeatures | None = None
    heatmaps: Tensor | None = None
    hidden_frames: Tensor | None = None


class SpatioTemporalRepresentation(NamedTuple):
    """Output of the neck and input of the head; fields of omitted modules are ``None``.

    Attributes:
        frame_feature: F_t, feature of the key frame [N, D, h', w'].
        fused_feature: F~_t, feature of the window [N, D, h', w'].
        frame_heatmaps: H_l, H_t, H_r [N, T, K, h, w], given labels instead of predictions.
        merged_heatmaps: H~_t, merged heatmaps [N, K, h, w].
        merged_feature: Feature [N, C, h, w] from which these were computed.
        reconstruction: Reconstruction of the masked tokens and frames; in training only.
    """

    frame_feature: Tensor
    fused_feature: Tensor | None = None
    frame_heatmaps: Tensor | None = None
    merged_heatmaps: Tensor | None = None
    merged_feature: Tensor | None = None
    reconstruction: Reconstruction | None = None


class EncodedSamples(NamedTuple):
    """Encoded windows of samples.

    Attributes:
        representation: Input of the head for the N * W windows.
        backbone_outputs: All outputs of the backbone for the M encoded frames, with the features
            last; M = N * F or, without a neck, N * W.
        frame_heatmaps: Heatmaps of all frames [N, F, K, h, w]; ``None`` if they were not predicted.
    """

    representation: SpatioTemporalRepresentation
    backbone_outputs: tuple[Tensor, ...]
    frame_heatmaps: Tensor | None = None


def split_windows(sample: PoseDataSample) -> list[PoseDataSample]:
    """Split a training sample of several key frames into one sample per window.

    Args:
        sample: Sample with W key frames, as packed by ``PackWindowInputs``.

    Returns:
        W samples that share the auxiliary frames' maps; for W = 1 the sample itself.
    """
    labels = sample.gt_instance_labels
    num_windows = len(labels)
    if num_windows == 1:
        return [sample]
    fields = sample.gt_fields
    targets = fields.heatmaps.unflatten(0, (num_windows, -1))
    priors = fields.prior_heatmaps.unflatten(0, (num_windows, -1))
    windows = []
    for index in range(num_windows):
        maps = PixelData(
            heatmaps=targets[index],
            aux_heatmaps=fields.aux_heatmaps,
            given_heatmaps=fields.given_heatmaps,
            prior_heatmaps=priors[index],
        )
        metainfo = {**sample.metainfo, 'window_position': sample.window_position[index]}
        windows.append(
            PoseDataSample(metainfo=metainfo, gt_fields=maps, gt_instance_labels=labels[index])
        )
    return windows


class AuxiliaryLabels(NamedTuple):
    """Labels of the auxiliary frames that the model may see, and the position of the key frame.

    If there are more than two auxiliary frames, only the first and the last (left and right) have
    labels.

    Attributes:
        heatmaps: Maps of the left and right frame [N, 2, K, h, w].
        mask: Joints whose given maps replace the network's, bool [N, 2, K].
        prior: Map of the pose interpolated to the key frame [N, K, h, w]; empty if a label is
            missing.
        position: Position [N] of the key frame between the left (0) and the right frame (1); half
            way if nothing is given.
    """

    heatmaps: Tensor
    mask: Tensor
    prior: Tensor
    position: Tensor

    # PyTorch's compiler cannot trace through samples to a named tuple.
    @classmethod
    @torch.compiler.disable
    def from_data_samples(cls, data_samples: Sequence[PoseDataSample]) -> AuxiliaryLabels | None:
        """Collect the labels of a batch; samples may have none.

        Args:
            data_samples: Samples whose ``gt_fields`` may hold ``given_heatmaps`` [2K, h, w] and
                ``prior_heatmaps`` [K, h, w], and ``gt_instance_labels.given_mask`` [1, 2, K];
                metainfo ``window_position``, half way if it is missing.

        Returns:
            The labels, or ``None`` if no sample has any.
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
        # A window without given joints is the same as one without these fields.
        place = sample.metainfo.get('window_position', 0.5) if mask.any() else 0.5
        position = heatmaps.new_tensor(place)
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
        """Replace the network's maps of the auxiliary frames by given labels.

        Args:
            frame_heatmaps: H_l, H_t, H_r with shape [N, T, K, h, w].

        Returns:
            New tensor of the same shape; maps between the outermost frames are unchanged.

        Raises:
            InputError: If the maps of the labels have another size or other joints.
        """
        labels, predicted = self.heatmaps.shape[2:], frame_heatmaps.shape[2:]
        if labels != predicted:
            raise InputError(
                f'the heatmaps of the labels are {list(labels)} (joints, height, width) and those '
                f'of the frame_head {list(predicted)}, set heatmap_size of the codec, and '
                'out_channels and layers of the heads, to the same'
            )
        left, *between, right = frame_heatmaps.unbind(1)
        given_left, given_right = self.heatmaps.to(frame_heatmaps.dtype).unbind(1)
        left_mask, right_mask = self.mask[..., None, None].unbind(1)
        return torch.stack(
            (
                torch.where(left_mask, given_left, left),
                *between,
                torch.where(right_mask, given_right, right),
            ),
            dim=1,
        )


def position_of(aux_labels: AuxiliaryLabels | None, like: Tensor) -> Tensor:
    """Return the position of the key frames: half way between the outermost ones without labels.

    Args:
        aux_labels: Labels of N windows.
        like: A tensor whose type the result has.

    Returns:
        [N], or [1] without labels, of the type of ``like``.
    """
    return like.new_full((1,), 0.5) if aux_labels is None else aux_labels.position.to(like.dtype)


def append_prior(maps: Tensor, aux_labels: AuxiliaryLabels | None) -> Tensor:
    """Append the maps of the interpolated poses as one more frame; they are empty without labels.

    Args:
        maps: [N, M, K, h, w].
        aux_labels: Labels of N windows.

    Returns:
        [N, M + 1, K, h, w].
    """
    if aux_labels is None:
        return F.pad(maps, (0, 0, 0, 0, 0, 0, 0, 1))
    return torch.cat((maps, aux_labels.prior.to(maps.dtype)[:, None]), dim=1)


def key_of(frames: Tensor) -> Tensor:
    """Take the key frames [N, ...] of windows [N, T, ...]."""
    return frames[:, key_index(frames.shape[1])]


def auxiliary_of(frames: Tensor) -> Tensor:
    """Take the auxiliary frames [N, T - 1, ...] of windows [N, T, ...], in order."""
    key = key_index(frames.shape[1])
    return torch.cat((frames[:, :key], frames[:, key + 1 :]), dim=1)


def relative_times(position: Tensor, num_frames: int) -> Tensor:
    """Compute the times of the frames of windows.

    The key frame is at 0, the outermost frames are 1 apart, and the frames between are evenly
    spaced, as :func:`~stdpose_mm.structures.fill_window` places them up to rounding.

    Args:
        position: Position of the key frame between the left (0) and the right frame (1), [N].
        num_frames: Number T of frames.

    Returns:
        [N, T], ascending.
    """
    shares = _shares(num_frames)
    before = [-position * share for share in reversed(shares)]
    after = [(1 - position) * share for share in shares]
    return torch.stack((*before, torch.zeros_like(position), *after), dim=1)


def nearness_of(position: Tensor, num_frames: int) -> Tensor:
    """Compute the nearness of the auxiliary frames to the key frame: 1 less the distance in time.

    Args:
        position: Position of the key frame between the left (0) and the right frame (1), [N].
        num_frames: Number T of frames.

    Returns:
        [N, T - 1]; ``1 - position`` and ``position`` for the left and right frame.
    """
    shares = _shares(num_frames)
    before = [1 - position * share for share in reversed(shares)]
    after = [(1 - share) + position * share for share in shares]
    return torch.stack((*before, *after), dim=1)


def _shares(num_frames: int) -> list[float]:
    """List the distances of one side's frames from the key frame, as shares, ascending."""
    side = key_index(num_frames)
    return [n / side for n in range(1, side + 1)]
