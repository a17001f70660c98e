from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from mmengine.structures import BaseDataElement
from mmengine.utils import is_seq_of
from mmpose.models.data_preprocessors import PoseDataPreprocessor
from mmpose.registry import MODELS
from torch import Tensor

from stdpose_mm.errors import InputError
from stdpose_mm.registration import register
from stdpose_mm.text import listed


@register(MODELS)
class WindowDataPreprocessor(PoseDataPreprocessor):
    """Data preprocessor that normalises windows of crops, [T, 3, H, W] each, to [N, T, 3, H, W].

    Frames are folded into the batch before MMPose's own preprocessing, which flips the first axis
    of every sample to convert BGR to RGB; in a window that axis holds the frames. The arguments are
    those of :class:`PoseDataPreprocessor`.
    """

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Move a batch to the device, convert it to RGB, normalise and pad it.

        Args:
            data: ``inputs``, a list of N tensors [T, 3, H, W] or one tensor [N, T, 3, H, W], and
                ``data_samples``, a list of N samples. Single pictures [3, H, W], as pipelines of
                MMPose pack them, are windows of one frame.
            training: Whether batch augmentations apply.

        Returns:
            The same keys; ``inputs`` is float32 [N, T, 3, H, W].

        Raises:
            InputError: If the samples have different shapes.
        """
        inputs = data['inputs']
        if is_seq_of(inputs, Tensor):
            shapes = sorted({str(tuple(sample.shape)) for sample in inputs})
            if len(shapes) > 1:
                raise InputError(
                    f'samples of a batch have the shapes {listed(shapes, 4)} (frames, channels, '
                    'height, width), set input_size of all pipelines, num_frames of LoadWindow and '
                    'of the datasets, and keys_per_sample=1 beside pictures, to the same'
                )
            inputs = torch.stack(list(inputs))
        if inputs.ndim == 4:
            inputs = inputs[:, None]
        folded = super().forward({**data, 'inputs': inputs.flatten(0, 1)}, training)
        folded['inputs'] = folded['inputs'].unflatten(0, inputs.shape[:2])
        return folded

    def cast_data(self, data: Any) -> Any:
        """Move a batch to the device, its samples in place.

        MMEngine's method copies each sample with its metainfo and moves each tensor separately,
        which takes more than a millisecond per sample.
        """
        if is_seq_of(data, BaseDataElement):
            move_samples(data, self.device)
            return data
        return super().cast_data(data)

    def _get_pad_shape(self, data: dict[str, Any]) -> list[tuple[int, int]]:
        """Return the padded (height, width) of every frame; MMPose's reads (channels, height)."""
        inputs = data['inputs']
        height, width = (
            math.ceil(size / self.pad_size_divisor) * self.pad_size_divisor
            for size in inputs.shape[-2:]
        )
        return [(height, width)] * len(inputs)


def move_samples(samples: Sequence[BaseDataElement], device: torch.device | str) -> None:
    """Move the tensors of samples in place, with one transfer per data type."""
    device = torch.device(device)
    elsewhere = defaultdict(list)
    for owner, name, tensor in _tensors(samples):
        if tensor.device != device:
            elsewhere[tensor.device, tensor.dtype].append((owner, name, tensor))
    for group in elsewhere.values():
        tensors = [tensor for _, _, tensor in group]
        moved = torch.cat([tensor.flatten() for tensor in tensors]).to(device)
        parts = moved.split([tensor.numel() for tensor in tensors])
        for (owner, name, tensor), part in zip(group, parts, strict=True):
            setattr(owner, name, part.view(tensor.shape))


def _tensors(elements: Sequence[BaseDataElement]) -> Iterator[tuple[BaseDataElement, str, Tensor]]:
    """Yield the tensors of elements, and of elements in them, with their owners and names."""
    for element in elements:
        for name, value in list(element.items()):
            if isinstance(value, Tensor):
                yield element, name, value
            elif isinstance(value, BaseDataElement):
                yield from _tensors([value])
