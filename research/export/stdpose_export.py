"""Export of trained STDPoses to ONNX files for ``auto``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from stdpose_mm.errors import InputError
from stdpose_mm.export.graph_tracing import trace_graph
from stdpose_mm.export.onnx_export import FrameEncoder
from stdpose_mm.inference.onnx_window_backend import (
    FRAME_OUTPUTS,
    FRAMES_FILE,
    ONNX_RECORD,
    WINDOW_INPUTS,
    WINDOWS_FILE,
)
from stdpose_mm.inference.window_model import WindowModel
from stdpose_mm.io import atomic_path
from stdpose_mm.models.structures import AuxiliaryLabels
from stdpose_mm.structures import NUM_FRAMES

from .half_weights import halve_file


def export_stdpose(window_model: WindowModel, folder: str | Path, trained_on: str) -> None:
    """Write an STDPose as two files with weights in half precision.

    ``OnnxWindowBackend.from_stdpose`` reads them.

    - ``stdpose_frames.onnx``: ``crops`` [M, 3, H, W] uint8 BGR -> ``features`` [M, D, h', w'] and
      ``frame_heatmaps`` [M, K, h, w].
    - ``stdpose_windows.onnx``: these outputs for windows [N, 3, ...] and their given labels
      (:class:`~stdpose_mm.models.structures.AuxiliaryLabels`), ``given_heatmaps`` [N, 2, K, h, w],
      ``given_mask`` [N, 2, K], ``prior`` [N, K, h, w] and ``position`` [N] -> ``heatmaps``
      [N, K, h, w].

    M and N are free.

    Args:
        window_model: A model on the CPU that has not been packed.
        folder: Folder to write to.
        trained_on: Short description of its training data.

    Raises:
        InputError: If a file cannot be written, or the model is not an STDPose of three frames that
            takes labels, has a frame head and runs without flip testing.
    """
    model = window_model.model
    encoder = FrameEncoder(model)
    width, height = window_model.input_size
    crops = torch.zeros((2, 3, height, width), dtype=torch.uint8)
    with torch.no_grad():
        frames = encoder.named_outputs(crops)
    if (
        tuple(frames) != FRAME_OUTPUTS
        or not model.takes_labels
        or model.num_frames != NUM_FRAMES
        or model.test_cfg.get('flip_test')
        or model.test_cfg.get('use_frame_head')
    ):
        raise InputError(
            'this model is not an STDPose of three frames with labels, a frame head and no flip '
            'testing, give one of configs/stdpose_tiny_propagation_synthetic_appearance*.py'
        )
    num_joints, *size = frames['frame_heatmaps'].shape[1:]
    windows = (frames[name][:, None].repeat_interleave(NUM_FRAMES, 1) for name in FRAME_OUTPUTS)
    labels = (
        torch.zeros(2, 2, num_joints, *size),
        torch.ones(2, 2, num_joints, dtype=torch.bool),
        torch.zeros(2, num_joints, *size),
        torch.full((2,), 0.5),
    )
    record = dict(
        joints=window_model.skeleton.keypoint_names,
        trained=window_model.trained_joints.tolist(),
        input_size=window_model.input_size,
        heatmap_size=window_model.heatmap_size,
        sigma=window_model.codec['sigma'],
        padding=window_model.crop_padding,
        crops=window_model.crops,
        trained_on=trained_on,
    )
    folder = Path(folder)
    _write(folder / FRAMES_FILE, encoder, {'crops': crops}, FRAME_OUTPUTS, record)
    inputs = dict(zip(WINDOW_INPUTS, (*windows, *labels), strict=True))
    _write(folder / WINDOWS_FILE, _LabelledFusion(model), inputs, ('heatmaps',), record)


class _LabelledFusion(nn.Module):
    """Module that fuses windows with the labels of their auxiliary frames."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, features: Tensor, frame_heatmaps: Tensor, *labels: Tensor) -> Tensor:
        given = AuxiliaryLabels(*labels)
        return self.model.head.forward(self.model.fuse(features, frame_heatmaps, given))


def _write(
    path: Path,
    module: nn.Module,
    inputs: dict[str, Tensor],
    outputs: tuple[str, ...],
    record: dict[str, Any],
) -> None:
    with atomic_path(path) as temporary:
        trace_graph(module, inputs, outputs, temporary)
        halve_file(temporary, {ONNX_RECORD: json.dumps(record)})
