"""Trained joint matchers as ONNX files."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import torch

from research.training.joint_matcher import JointMatcher
from stdpose_mm.errors import require_packages
from stdpose_mm.export.graph_tracing import OPSET, quiet_exporter
from stdpose_mm.io import atomic_path
from stdpose_mm.propagation.auto.trained_matcher import CROP_SIDE

from .half_weights import halve_weights


def export_matcher(matcher: JointMatcher, path: str | Path) -> None:
    """Write a matcher as one ONNX file that ``TrainedMatcher`` reads, weights in half precision.

    Its input is ``crops`` [N, 3, 160, 160], BGR from 0 to 255, its output ``descriptors``
    [N, D, 80, 80]; N is free.

    Args:
        matcher: A matcher on the CPU.
        path: The file to write.

    Raises:
        InputError: If onnx is missing or the file cannot be written.
    """
    require_packages('the export', 'onnx')
    onnx: Any = importlib.import_module('onnx')
    crops = torch.zeros(2, 3, CROP_SIDE, CROP_SIDE)
    with atomic_path(path) as temporary:
        with quiet_exporter(), torch.no_grad():
            torch.onnx.export(
                matcher.eval(),
                (crops,),
                str(temporary),
                input_names=['crops'],
                output_names=['descriptors'],
                dynamic_axes={'crops': {0: 'crops'}, 'descriptors': {0: 'crops'}},
                opset_version=OPSET,
                dynamo=False,
            )
        network = onnx.load(temporary)
        halve_weights(network)
        onnx.save(network, temporary)
