"""Pose networks in TensorFlow Lite files."""

from __future__ import annotations

import importlib
import math
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from stdpose_mm.errors import InputError, one_line, require_packages
from stdpose_mm.io.fingerprint import fingerprint
from stdpose_mm.onnx_session import thread_limit

from .described_network import DescribedNetwork
from .load_pose_network import PoseNetworkFiles
from .network_description import NetworkDescription

TASK_MEMBER = 'pose_landmarks_detector.tflite'
"""Name of the pose network in a ``.task`` file of MediaPipe, which also holds a person detector."""

MAX_BYTES = 2**31
"""Size of the largest network that is read: these files hold signed 32-bit offsets."""

MAX_TENSOR_BYTES = 2**30
"""Largest tensor, such as 1024x1024 pixels with 256 channels; the runtime itself has no limit."""

_STDERR = 2
_STDERR_LOCK = Lock()


class TFLitePoseNetwork(DescribedNetwork):
    """Pose network in a TensorFlow Lite file, run by LiteRT on the CPU.

    The input is [1, H, W, 3] or [1, 3, H, W], in float32 or in integers with a scale. The last
    output with as many channels as the network has joints holds the heatmaps.

    Args:
        path: The file (``.tflite``), or a ``.task`` file of MediaPipe that holds it.
        description: Its inputs and outputs; the file may give the input size instead.

    Raises:
        InputError: If LiteRT is missing or cannot run the file, it has other inputs or outputs, or
            the input size is given nowhere.
    """

    def __init__(self, path: Path, description: NetworkDescription) -> None:
        require_packages(f'pose network {path}', 'ai_edge_litert')
        if description.output != 'heatmap':
            raise InputError(
                f'{path} is read for heatmaps, but its description says {description.output!r}, '
                'give a network with heatmaps, or an ONNX file'
            )
        content = _read_network(path)
        self.file_digest = fingerprint(content)
        self._lock = Lock()
        self._interpreter = _start(path, content)
        inputs = self._interpreter.get_input_details()
        shapes = [node['shape_signature'].tolist() for node in inputs]
        # A size of -1 stands for any size.
        super().__init__(path, description, [[n if n > 0 else None for n in s] for s in shapes])
        self._input = inputs[0]
        # The runtime crashes on other data types.
        _require_numbers(path, self._input)
        self._prepare(path)
        self._output, self._joint_axis = self._find_heatmaps(path)
        _require_numbers(path, self._output)

    def _prepare(self, path: Path) -> None:
        """Allocate the runtime's memory for single pictures of the input size."""
        width, height = self.input_size
        shape = (1, height, width, 3) if self._channels_last else (1, 3, height, width)
        try:
            if tuple(self._input['shape']) != shape:
                self._interpreter.resize_tensor_input(self._input['index'], shape)
            with _quiet_runtime():
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise InputError(
                f'{path} cannot be run on pictures of {width}x{height} ({one_line(error)}), give '
                'another network, or another input_size in its description'
            ) from error

    def _find_heatmaps(self, path: Path) -> tuple[Mapping[str, Any], int]:
        """Return the output that holds the heatmaps, and the axis of their joints."""
        joints = self.skeleton.num_keypoints
        outputs = self._interpreter.get_output_details()
        # Most converters give the outputs the layout of the input.
        for axis in (3, 1) if self._channels_last else (1, 3):
            for output in reversed(outputs):
                if len(output['shape']) == 4 and output['shape'][axis] == joints:
                    return output, axis
        shapes = ' and '.join(str(output['shape'].tolist()) for output in outputs)
        raise InputError(
            f'{path} gives {shapes}, expected heatmaps [1, h, w, {joints}], give another '
            'description'
        )

    def _run(self, inputs: np.ndarray) -> list[np.ndarray]:
        # Most files take a single picture.
        maps = np.concatenate([self._run_one(picture[None]) for picture in inputs])
        return [np.moveaxis(maps, self._joint_axis, 1)]

    def _run_one(self, picture: np.ndarray) -> np.ndarray:
        if (kind := self._input['dtype']) != np.float32:
            scale, zero = self._input['quantization']
            limits = np.iinfo(kind)
            picture = np.rint(picture / scale + zero).clip(limits.min, limits.max).astype(kind)
        # The runtime stores inputs and outputs, which another thread would overwrite.
        with self._lock:
            try:
                self._interpreter.set_tensor(self._input['index'], picture)
                self._interpreter.invoke()
                maps = self._interpreter.get_tensor(self._output['index'])
            except (ValueError, RuntimeError) as error:
                raise InputError(
                    f'{self.name} cannot be run ({one_line(error)}), give another network'
                ) from error
        if self._output['dtype'] == np.float32:
            return maps
        scale, zero = self._output['quantization']
        return (maps.astype(np.float32) - zero) * np.float32(scale)


def _read_network(path: Path) -> bytes:
    """Read the network that a ``.tflite`` or ``.task`` file holds.

    Raises:
        InputError: If it holds none.
    """
    try:
        if path.suffix == '.task':
            with zipfile.ZipFile(path) as archive:
                # zipfile unpacks no more than this stated size, whatever is compressed.
                if archive.getinfo(TASK_MEMBER).file_size > MAX_BYTES:
                    raise zipfile.BadZipFile('it is too large')
                content = archive.read(TASK_MEMBER)
        else:
            content = path.read_bytes() if path.stat().st_size <= MAX_BYTES else b''
        if content[4:8] != b'TFL3':
            raise ValueError('it has no TFL3 identifier')
    # zipfile and its decompressors raise various errors for damaged or encrypted files.
    except Exception as error:
        raise InputError(
            f'{path} holds no TensorFlow Lite network ({one_line(error)}), give a .tflite file or '
            'a pose_landmarker file of MediaPipe'
        ) from error
    return content


def _start(path: Path, content: bytes) -> Any:
    """Load the network into the runtime."""
    runtime = importlib.import_module('ai_edge_litert.interpreter')
    try:
        interpreter = runtime.Interpreter(model_content=content, num_threads=thread_limit() or None)
        _ = interpreter.get_input_details(), interpreter.get_output_details()
    except (ValueError, RuntimeError) as error:
        raise InputError(
            f'{path} is not a network that LiteRT can run ({one_line(error)}), give a .tflite file '
            'of a pose network'
        ) from error
    for tensor in interpreter.get_tensor_details():
        size = math.prod(tensor['shape'].tolist()) * np.dtype(tensor['dtype']).itemsize
        if size > MAX_TENSOR_BYTES:
            raise InputError(
                f'{path} has a tensor {tensor["shape"].tolist()}, larger than any pose network '
                'needs, give another network'
            )
    return interpreter


def _require_numbers(path: Path, node: Mapping[str, Any]) -> None:
    """Require float32, or integers of 8 or 16 bits with a scale.

    Raises:
        InputError: If the node has another type.
    """
    kind, (scale, _) = np.dtype(node['dtype']), node['quantization']
    if kind != np.float32 and not (kind.kind in 'iu' and kind.itemsize <= 2 and scale > 0):
        raise InputError(
            f'{path} has an input or output of {kind} with the scale {scale:g}, expected float32 '
            'or integers of 8 or 16 bits with a scale above 0, convert the network to that'
        )


@contextmanager
def _quiet_runtime() -> Iterator[None]:
    """Keep the runtime from announcing its CPU kernels on stderr, which no setting prevents."""
    with _STDERR_LOCK, open(os.devnull, 'w') as nothing:
        stderr = os.dup(_STDERR)
        os.dup2(nothing.fileno(), _STDERR)
        try:
            yield
        finally:
            os.dup2(stderr, _STDERR)
            os.close(stderr)


def load_tflite(files: PoseNetworkFiles, device: str) -> TFLitePoseNetwork:
    """Load a network from a TensorFlow Lite file."""
    description = NetworkDescription.of_network(files.path, files.companion)
    return TFLitePoseNetwork(files.path, description)
