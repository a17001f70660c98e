"""Pose networks in ONNX files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.onnx_session import open_network, run_given, start_session

from .described_network import DescribedNetwork
from .network_description import NetworkDescription

DTYPES = ('float32', 'float16')
"""Types of the values that a file may take."""


class OnnxPoseNetwork(DescribedNetwork):
    """Run a pose network in an ONNX file by onnxruntime on the CPU.

    Args:
        path: The file. Inputs [N, 3, H, W], or [N, H, W, 3], in one of ``DTYPES``.
        description: Its inputs and outputs; the file may give the input size instead.

    Raises:
        InputError: If the file cannot be run, has other inputs, or the input size is given nowhere.
    """

    def __init__(self, path: Path, description: NetworkDescription) -> None:
        with open_network(path) as file:
            self._session = start_session(file, 'a pose network')
        inputs = self._session.inputs
        shape = inputs[0].shape if len(inputs) == 1 else ()
        if len(shape) != 4 or 3 not in (shape[1], shape[3]):
            taken = ' and '.join(str(list(node.shape)) for node in inputs)
            raise InputError(
                f'{path} takes {taken}, expected one '
                'batch of pictures [N, 3, H, W], give a pose network that looks at single people'
            )
        if inputs[0].dtype not in DTYPES:
            raise InputError(
                f'{path} takes pictures in {inputs[0].dtype}, expected {" or ".join(DTYPES)}, '
                'convert the network to one of them'
            )
        self._dtype = np.dtype(inputs[0].dtype)
        self._input = inputs[0].name
        self._fixed_batch = shape[0]
        self._channels_last = shape[1] != 3
        stored = shape[1:3] if self._channels_last else shape[2:]
        height, width = stored
        size = None if height is None or width is None else (width, height)
        super().__init__(path, description, size)
        names = self._session.outputs
        self._outputs = sorted(names) if {'simcc_x', 'simcc_y'} == set(names) else list(names)

    def _run(self, inputs: np.ndarray) -> list[np.ndarray]:
        if self._channels_last:
            inputs = np.ascontiguousarray(inputs.transpose(0, 2, 3, 1))
        inputs = inputs.astype(self._dtype, copy=False)
        if self._fixed_batch is None or self._fixed_batch == len(inputs):
            return self._run_batch(inputs)
        # A file with a fixed batch size gets full batches only: the last one is padded.
        size = self._fixed_batch
        missing = -len(inputs) % size
        padded = np.concatenate([inputs, np.repeat(inputs[-1:], missing, axis=0)])
        runs = [
            self._run_batch(padded[start : start + size]) for start in range(0, len(padded), size)
        ]
        return [np.concatenate(parts)[: len(inputs)] for parts in zip(*runs, strict=True)]

    def _run_batch(self, batch: np.ndarray) -> list[np.ndarray]:
        """Run the network on a batch as its file takes it; return its outputs in float32."""
        found = run_given(
            self._session, self._outputs, {self._input: batch}, self.name, 'another network'
        )
        return [values.astype(np.float32, copy=False) for values in found]
