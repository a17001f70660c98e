"""Pose networks in ONNX files and TensorFlow graphs, each with a description of its inputs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

import cv2
import numpy as np

from stdpose_mm.errors import InputError, one_line
from stdpose_mm.io.fingerprint import fingerprint
from stdpose_mm.onnx_session import open_network, start_session
from stdpose_mm.structures import Skeleton

from .network_description import NetworkDescription
from .pose_network import PoseHeatmaps, PoseNetwork, compose, finish_heatmaps, smooth
from .simcc import simcc_heatmaps


class DescribedNetwork(PoseNetwork):
    """Run a network whose crops and outputs a :class:`NetworkDescription` describes.

    Args:
        path: Its file.
        description: Its inputs and outputs.
        input_size: (width, height) of its input.
    """

    def __init__(
        self, path: Path, description: NetworkDescription, input_size: tuple[int, int]
    ) -> None:
        super().__init__(path.name, Skeleton(description.joints))
        self.description = description
        self.input_size = input_size

    def estimate(self, pictures: Sequence[np.ndarray], boxes: np.ndarray) -> PoseHeatmaps:
        """See :meth:`PoseNetwork.estimate`."""
        to_crop = np.stack([self.crop_at(box) for box in boxes])
        crops = [
            cv2.warpAffine(picture, affine, self.input_size, flags=cv2.INTER_LINEAR)
            for picture, affine in zip(pictures, to_crop, strict=True)
        ]
        outputs = self._run(self._normalise(np.stack(crops)))
        heatmaps, from_crop = self._heatmaps(outputs)
        return finish_heatmaps(heatmaps, compose(from_crop, to_crop))

    def crop_at(self, box: np.ndarray) -> np.ndarray:
        """Compute the [2, 3] affine from pixels of the picture to pixels of the crop."""
        size = np.array(self.input_size, dtype=np.float64)
        extent = np.maximum(box[2:], 1.0)
        extent = np.maximum(extent, extent[::-1] * size / size[::-1]) * self.description.padding
        geometry = self.description.geometry
        scale = (size - 1 if geometry == 'udp' else size) / extent
        # Where the middle of the box falls.
        middle = size / 2 if geometry == 'mmpose' else (size - 1) / 2
        offset = middle - (box[:2] + box[2:] / 2) * scale
        return np.array([[scale[0], 0, offset[0]], [0, scale[1], offset[1]]])

    def _normalise(self, crops: np.ndarray) -> np.ndarray:
        """Normalise crops BGR uint8 [N, H, W, 3] to float32 [N, 3, H, W]."""
        if self.description.colours == 'rgb':
            crops = crops[..., ::-1]
        mean, std = (np.array(v, np.float32) for v in (self.description.mean, self.description.std))
        return np.ascontiguousarray(((crops - mean) / std).transpose(0, 3, 1, 2))

    def _heatmaps(self, outputs: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Turn outputs into heatmaps [N, K, h, w] and the affine from pixels of the crop to them.

        Raises:
            InputError: If the outputs do not match the description.
        """
        description, joints = self.description, self.skeleton.num_keypoints
        shapes = ' and '.join(str(list(output.shape)) for output in outputs)
        if description.output == 'simcc':
            if len(outputs) != 2 or any(v.ndim != 3 or v.shape[1] != joints for v in outputs):
                raise InputError(
                    f'{self.name} gives {shapes}, expected [N, {joints}, bins] for x and y, give '
                    'another description'
                )
            x, y = outputs
            return simcc_heatmaps(x, y, description.split_ratio, description.sharpness)
        maps = outputs[-1]
        if maps.ndim == 4 and maps.shape[1] != joints and maps.shape[3] == joints:
            maps = maps.transpose(0, 3, 1, 2)
        if maps.ndim != 4 or maps.shape[1] != joints:
            raise InputError(
                f'{self.name} gives {shapes}, expected heatmaps [N, {joints}, h, w], give another '
                'description'
            )
        maps = smooth(np.ascontiguousarray(maps, np.float32), description.smooth)
        cells, size = np.array(maps.shape[:1:-1]), np.array(self.input_size)
        udp = description.geometry == 'udp'
        scale = (cells - 1) / (size - 1) if udp else cells / size
        offset = (scale - 1) / 2 if description.geometry == 'centre' else np.zeros(2)
        return maps, np.array([[scale[0], 0, offset[0]], [0, scale[1], offset[1]]])

    @abstractmethod
    def _run(self, inputs: np.ndarray) -> list[np.ndarray]:
        """Run the network on float32 [N, 3, H, W]; return its outputs."""


class OnnxPoseNetwork(DescribedNetwork):
    """Run a pose network in an ONNX file by onnxruntime on the CPU.

    Args:
        path: The file. Inputs [N, 3, H, W], or [N, H, W, 3].
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
        self._input = inputs[0].name
        self._fixed_batch = shape[0]
        self._channels_last = shape[1] != 3
        stored = shape[1:3] if self._channels_last else shape[2:]
        height, width = stored
        size = None if height is None or width is None else (width, height)
        super().__init__(path, description, _input_size(path, description, size))
        names = self._session.outputs
        self._outputs = sorted(names) if {'simcc_x', 'simcc_y'} == set(names) else list(names)

    def _run(self, inputs: np.ndarray) -> list[np.ndarray]:
        if self._channels_last:
            inputs = np.ascontiguousarray(inputs.transpose(0, 2, 3, 1))
        if self._fixed_batch is None or self._fixed_batch == len(inputs):
            return self._session.run(self._outputs, {self._input: inputs})
        # A file with a fixed batch size gets full batches only: the last one is padded.
        size = self._fixed_batch
        missing = -len(inputs) % size
        padded = np.concatenate([inputs, np.repeat(inputs[-1:], missing, axis=0)])
        runs = [
            self._session.run(self._outputs, {self._input: padded[start : start + size]})
            for start in range(0, len(padded), size)
        ]
        return [np.concatenate(parts)[: len(inputs)] for parts in zip(*runs, strict=True)]


class TensorFlowPoseNetwork(DescribedNetwork):
    """Run a pose network in a frozen TensorFlow graph by OpenCV on the CPU.

    Args:
        path: The file (``.pb``); its last node gives heatmaps.
        description: Its inputs and outputs, with the input size.

    Raises:
        InputError: If the file cannot be read.
    """

    def __init__(self, path: Path, description: NetworkDescription) -> None:
        content = path.read_bytes()
        self.file_digest = fingerprint(content)
        super().__init__(path, description, _input_size(path, description, None))
        self._lock = Lock()
        try:
            self._network = cv2.dnn.readNetFromTensorflow(np.frombuffer(content, np.uint8))
            empty = self._network.empty()
        except cv2.error as error:
            raise InputError(
                f'{path} is no TensorFlow graph that OpenCV can run ({one_line(error)}), give a '
                'frozen graph (.pb) or an ONNX file'
            ) from error
        if empty:
            raise InputError(f'{path} holds no layers, give a frozen graph (.pb) or an ONNX file')

    def _run(self, inputs: np.ndarray) -> list[np.ndarray]:
        # OpenCV plans its memory for one size of batch; single pictures are as fast.
        return [np.concatenate([self._run_one(picture) for picture in inputs])]

    def _run_one(self, picture: np.ndarray) -> np.ndarray:
        # The network stores its input and output: another thread would overwrite them.
        with self._lock:
            self._network.setInput(picture[None])
            try:
                return self._network.forward()
            except cv2.error as error:
                raise InputError(
                    f'{self.name} cannot be run ({one_line(error)}), give a frozen graph and a '
                    'description of the input that it was made for'
                ) from error


def _input_size(
    path: Path, description: NetworkDescription, stored: tuple[int, int] | None
) -> tuple[int, int]:
    """Return the input size that the file or the description gives.

    Raises:
        InputError: If neither does, or they disagree.
    """
    wanted = description.input_size
    if wanted is not None and stored is not None and wanted != stored:
        raise InputError(
            f'{path} takes pictures of {stored[0]}x{stored[1]} but its description says '
            f'{wanted[0]}x{wanted[1]}, correct input_size or leave it out'
        )
    size = wanted or stored
    if size is None:
        raise InputError(
            f'nothing says the size of the pictures that {path} takes, add input_size to its '
            'description'
        )
    return size
