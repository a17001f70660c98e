"""Tracing of PyTorch modules into ONNX files."""

from __future__ import annotations

import importlib
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

OPSET = 17
"""The first ONNX operator set with LayerNormalization as one operator."""


def trace_graph(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    outputs: Sequence[str],
    path: Path,
    keeps_weights: bool = False,
    axes: Mapping[str, Mapping[int, str]] | None = None,
) -> None:
    """Write a module as an ONNX file whose free sizes are, by default, those of the batch.

    Args:
        module: The module.
        inputs: Example of each input by name, batch first.
        outputs: Names of its outputs.
        path: The file.
        keeps_weights: Whether weights keep their names and values, so that they can be read back;
            otherwise they may be merged.
        axes: Input or output -> axis of free size -> name of the axis.

    Raises:
        torch.onnx.errors.OnnxExporterError: If a layer has no counterpart.
    """
    mode = torch.onnx.TrainingMode
    with quiet_exporter(), torch.no_grad():
        # The exporter by tracing, because the newer one needs two more packages for the same graph.
        torch.onnx.export(
            module.eval(),
            tuple(inputs.values()),
            str(path),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=axes or {name: {0: 'batch'} for name in (*inputs, *outputs)},
            opset_version=OPSET,
            training=mode.PRESERVE if keeps_weights else mode.EVAL,
            do_constant_folding=not keeps_weights,
            dynamo=False,
        )


def add_metadata(path: Path, entries: Mapping[str, str]) -> None:
    """Add entries to the metadata of an ONNX file."""
    onnx: Any = importlib.import_module('onnx')
    model = onnx.load(path)
    onnx.helper.set_model_props(model, dict(entries))
    onnx.save(model, path)


@contextmanager
def quiet_exporter() -> Iterator[None]:
    """Silence the exporter's warnings about itself and about shapes that never change."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)
