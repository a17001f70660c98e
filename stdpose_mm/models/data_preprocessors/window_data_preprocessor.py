from __future__ import annotations

import math
from typing import Any

import torch
from mmengine.utils import is_seq_of
from mmpose.models.data_preprocessors import PoseDataPreprocessor
from mmpose.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class WindowDataPreprocessor(PoseDataPreprocessor):
    """Normalise windows of crops: a batch of [T, 3, H, W] becomes [N, T, 3, H, W].

    The frames are folded into the batch before MMPose's own preprocessing, because that flips the
    first axis of every sample to go from BGR to RGB, which in a window are the frames. Arguments
    are those of :class:`PoseDataPreprocessor`.
    """

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Move to the device, convert to RGB, normalise, pad.

        Args:
            data: ``inputs``, a list of N tensors [T, 3, H, W] or one tensor [N, T, 3, H, W], and
                ``data_samples``, a list of N samples.
            training: Whether batch augmentations apply.

        Returns:
            The same keys; ``inputs`` is float32 [N, T, 3, H, W].

        Raises:
            ValueError: If the inputs are not windows of one common shape.
        """
        inputs = data['inputs']
        if is_seq_of(inputs, Tensor):
            shapes = {tuple(window.shape) for window in inputs}
            if len(shapes) != 1:
                raise ValueError(
                    f'expected windows [T, 3, H, W] of one shape, got {sorted(shapes)}'
                )
            inputs = torch.stack(list(inputs))
        if inputs.ndim != 5 or inputs.shape[2] != 3:
            raise ValueError(f'expected windows [N, T, 3, H, W], got {list(inputs.shape)}')
        folded = super().forward({**data, 'inputs': inputs.flatten(0, 1)}, training)
        folded['inputs'] = folded['inputs'].unflatten(0, inputs.shape[:2])
        return folded

    def _get_pad_shape(self, data: dict[str, Any]) -> list[tuple[int, int]]:
        """Return the padded (height, width) of every frame; MMPose's reads (channels, height)."""
        inputs = data['inputs']
        height, width = (
            math.ceil(size / self.pad_size_divisor) * self.pad_size_divisor
            for size in inputs.shape[-2:]
        )
        return [(height, width)] * len(inputs)
