"""Export of trained gap fusers to ONNX files, and import into PyTorch."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor

from research.training.gap_fuser import build_fuser
from stdpose_mm.errors import InputError
from stdpose_mm.export.graph_tracing import OPSET, add_metadata, trace_graph
from stdpose_mm.io import atomic_path
from stdpose_mm.labelling.propagation.auto.evidence_maps import MAP_SIDE, MAP_STEPS
from stdpose_mm.labelling.propagation.auto.fusion_features import MAPS, SCALARS, VECTORS
from stdpose_mm.labelling.propagation.auto.trained_fuser import ONNX_RECORD, TrainedFuser

_FRAMES, _JOINTS = 5, 4
"""Sizes with which the network is traced; both are free in the file."""


def export_fuser(fuser: TrainedFuser, path: str | Path) -> None:
    """Write a fuser as one ONNX file that :meth:`TrainedFuser.load` reads.

    Its inputs are those of :meth:`GapFuser.forward` for one gap (``vectors`` [1, F, K, V, 2],
    ``scalars`` [1, F, K, S], ``maps`` [1, F, K, R, M, 9, 9], ``base_weights`` [1, F, K, 3],
    ``known`` [1, K], ``present`` [1, F]), its outputs ``offsets`` [1, F, K, 2] and ``log_scale``
    [1, F, K]; F frames and K joints are free. Calibration, shrinkage and the description of the
    training data are in the metadata.

    Args:
        fuser: A fuser in PyTorch on the CPU.
        path: The file to write.

    Raises:
        InputError: If the file cannot be written.
    """
    joints = {
        'vectors': torch.zeros(1, _FRAMES, _JOINTS, len(VECTORS), 2),
        'scalars': torch.zeros(1, _FRAMES, _JOINTS, len(SCALARS)),
        'maps': torch.zeros(1, _FRAMES, _JOINTS, len(MAP_STEPS), len(MAPS), MAP_SIDE, MAP_SIDE),
        'base_weights': torch.zeros(1, _FRAMES, _JOINTS, 3),
    }
    masks = {
        'known': torch.ones(1, _JOINTS, dtype=torch.bool),
        'present': torch.ones(1, _FRAMES, dtype=torch.bool),
    }
    network: Any = fuser.network
    outputs = ('offsets', 'log_scale')
    axes = {name: {1: 'frames', 2: 'joints'} for name in (*joints, *outputs)}
    axes.update(known={1: 'joints'}, present={1: 'frames'})
    # ONNX has this operator, but PyTorch's exporter does not know it.
    torch.onnx.register_custom_op_symbolic(
        'aten::asinh', lambda graph, value: graph.op('Asinh', value), OPSET
    )
    with atomic_path(path) as temporary:
        trace_graph(network, joints | masks, outputs, temporary, axes=axes)
        add_metadata(temporary, {ONNX_RECORD: json.dumps(fuser.record())})


def import_fuser(path: str | Path) -> TrainedFuser:
    """Read a file that :func:`export_fuser` wrote back into PyTorch, to continue its training.

    Args:
        path: The file.

    Raises:
        InputError: If the file cannot be used, or is of another network.
    """
    fuser = TrainedFuser.load(path)
    network = build_fuser()
    found = _named_weights(onnx.load(path).graph)
    try:
        network.load_state_dict(found)
    except RuntimeError as error:
        raise InputError(
            f'{path} holds other weights than the fuser of this version, train it again'
        ) from error
    return replace(fuser, network=network.eval())


def _named_weights(graph: Any) -> dict[str, Tensor]:
    """Collect the weights of a graph by their names in PyTorch.

    The exporter keeps all names except those of matrices, which it transposes: here, a matrix gets
    its name from the bias that is added to its product.
    """
    values = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    users = {name: node for node in graph.node for name in node.input}
    weights = {}
    for node in graph.node:
        if node.op_type == 'MatMul' and node.input[1] in values:
            following = users.get(node.output[0])
            for name in following.input if following is not None else ():
                if name.endswith('bias') and name in values:
                    weights[f'{name[:-4]}weight'] = values.pop(node.input[1]).T
    return {name: torch.from_numpy(value.copy()) for name, value in (values | weights).items()}
