"""Trained gap fusers as ONNX files."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import torch

from stdpose_mm.errors import require_packages
from stdpose_mm.io import atomic_path
from stdpose_mm.propagation.auto.evidence_maps import MAP_SIDE, MAP_STEPS
from stdpose_mm.propagation.auto.fusion_features import MAPS, SCALARS, VECTORS
from stdpose_mm.propagation.auto.trained_fuser import ONNX_RECORD, TrainedFuser

from .onnx_export import OPSET, quiet_exporter

_FRAMES, _JOINTS = 5, 4
"""Sizes that the network is traced with; both are free in the file."""


def export_fuser(fuser: TrainedFuser, path: str | Path) -> None:
    """Write a fuser as one ONNX file that :meth:`TrainedFuser.load` reads.

    Its inputs are those of :meth:`GapFuser.forward` for one gap (``vectors`` [1, F, K, V, 2],
    ``scalars`` [1, F, K, S], ``maps`` [1, F, K, R, M, 9, 9], ``base_weights`` [1, F, K, 3],
    ``known`` [1, K], ``present`` [1, F]), its outputs ``offsets`` [1, F, K, 2] and ``log_scale``
    [1, F, K]; F frames and K joints are free. Calibration, shrinkage and what it was trained on
    are in the metadata.

    Args:
        fuser: A fuser in PyTorch on the CPU.
        path: The file to write.

    Raises:
        InputError: If onnx is missing or the file cannot be written.
    """
    require_packages('the export', 'onnx')
    onnx: Any = importlib.import_module('onnx')
    network: Any = fuser.network
    joints = {
        'vectors': torch.zeros(1, _FRAMES, _JOINTS, len(VECTORS), 2),
        'scalars': torch.zeros(1, _FRAMES, _JOINTS, len(SCALARS)),
        'maps': torch.zeros(1, _FRAMES, _JOINTS, len(MAP_STEPS), len(MAPS), MAP_SIDE, MAP_SIDE),
        'base_weights': torch.zeros(1, _FRAMES, _JOINTS, 3),
    }
    known = torch.ones(1, _JOINTS, dtype=torch.bool)
    present = torch.ones(1, _FRAMES, dtype=torch.bool)
    axes = {name: {1: 'frames', 2: 'joints'} for name in (*joints, 'offsets', 'log_scale')}
    axes.update(known={1: 'joints'}, present={1: 'frames'})
    # ONNX has this operator, PyTorch's exporter does not know it.
    torch.onnx.register_custom_op_symbolic(
        'aten::asinh', lambda graph, value: graph.op('Asinh', value), OPSET
    )
    with atomic_path(path) as temporary:
        with quiet_exporter(), torch.no_grad():
            torch.onnx.export(
                network.eval(),
                (*joints.values(), known, present),
                str(temporary),
                input_names=[*joints, 'known', 'present'],
                output_names=['offsets', 'log_scale'],
                dynamic_axes=axes,
                opset_version=OPSET,
                dynamo=False,
            )
        model = onnx.load(temporary)
        onnx.helper.set_model_props(model, {ONNX_RECORD: json.dumps(fuser.record())})
        onnx.save(model, temporary)
