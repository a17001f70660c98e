"""Export of trained joint matchers to ONNX files."""

from __future__ import annotations

from pathlib import Path

import torch

from research.training.joint_matcher import JointMatcher
from stdpose_mm.export.graph_tracing import trace_graph
from stdpose_mm.io import atomic_path
from stdpose_mm.labelling.propagation.auto.joint_matching import CROP_SIDE

from .half_weights import halve_file


def export_matcher(matcher: JointMatcher, path: str | Path) -> None:
    """Write a matcher, with weights in half precision, as an ONNX file for ``TrainedMatcher``.

    Its input is ``crops`` [N, 3, 160, 160], BGR from 0 to 255, and its output ``descriptors``
    [N, D, 80, 80]; N is free.

    Args:
        matcher: A matcher on the CPU.
        path: The file to write.

    Raises:
        InputError: If the file cannot be written.
    """
    crops = torch.zeros(2, 3, CROP_SIDE, CROP_SIDE)
    with atomic_path(path) as temporary:
        trace_graph(matcher, {'crops': crops}, ['descriptors'], temporary)
        halve_file(temporary)
