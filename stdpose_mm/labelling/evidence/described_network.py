"""Pose networks in files without a config, each with a description of its inputs and outputs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from scipy.special import expit

from stdpose_mm.errors import InputError
from stdpose_mm.onnx_session import OnnxSession, start_session
from stdpose_mm.structures import Skeleton
from stdpose_mm.structures.boxes import crop_affine

from .network_description import NetworkDescription
from .pose_network import (
    PersonCrop,
    PoseHeatmaps,
    PoseNetwork,
    finish_heatmaps,
    scaling,
    simcc_heatmaps,
)

ONNX_DTYPES = ('float32', 'float16')
"""Data types that the input of an ONNX network may have."""


class DescribedNetwork(PoseNetwork):
    """Network whose crops and outputs a :class:`NetworkDescription` describes.

    Args:
        path: Its file.
        description: Its inputs and outputs.
        input_shapes: Shape of each input as the file has it, [N, 3, H, W] or [N, H, W, 3], with
            None for any size.

    Raises:
        InputError: If it takes anything but pictures, the input size is given nowhere, or file and
            description disagree.
    """

    border = cv2.BORDER_CONSTANT
    """OpenCV's mode of extending pictures."""

    def __init__(
        self,
        path: Path,
        description: NetworkDescription,
        input_shapes: Sequence[Sequence[int | None]],
    ) -> None:
        super().__init__(path.name, Skeleton(description.joints))
        self.description = description
        shape = input_shapes[0] if len(input_shapes) == 1 else ()
        if len(shape) != 4 or 3 not in (shape[1], shape[3]):
            taken = ' and '.join(str(list(input_shape)) for input_shape in input_shapes)
            raise InputError(
                f'{path} takes {taken}, expected one batch of pictures [N, 3, H, W], give another '
                'pose network'
            )
        self._channels_last = shape[1] != 3
        height, width = shape[1:3] if self._channels_last else shape[2:]
        stored = None if height is None or width is None else (width, height)
        wanted = description.input_size
        if wanted and stored and wanted != stored:
            raise InputError(
                f'{path} takes pictures of {stored[0]}x{stored[1]} but its description says '
                f'{wanted[0]}x{wanted[1]}, correct input_size or leave it out'
            )
        size = wanted or stored
        if size is None:
            raise InputError(
                f'neither {path} nor its description gives the size of the pictures that it takes, '
                'add input_size to the description'
            )
        self.input_size = size

    def view(self, picture: np.ndarray, box: np.ndarray) -> PersonCrop:
        """See :meth:`PoseNetwork.view`."""
        affine = crop_affine(
            box, self.input_size, self.description.padding, self.description.geometry
        )
        crop = cv2.warpAffine(picture, affine, self.input_size, borderMode=self.border)
        return PersonCrop(crop, affine)

    def estimate_crops(self, crops: Sequence[PersonCrop]) -> PoseHeatmaps:
        """See :meth:`PoseNetwork.estimate_crops`."""
        pictures, to_crop = map(np.stack, zip(*crops, strict=True))
        return finish_heatmaps(*self._heatmaps(self._run(self._normalise(pictures))), to_crop)

    def _normalise(self, crops: np.ndarray) -> np.ndarray:
        """Normalise crops BGR uint8 [N, H, W, 3] to the network's input in float32."""
        if self.description.colours == 'rgb':
            crops = crops[..., ::-1]
        mean, std = (np.array(v, np.float32) for v in (self.description.mean, self.description.std))
        if not self._channels_last:
            # Planes of one colour are several times faster to compute with, and bytes to move.
            crops = np.ascontiguousarray(crops.transpose(0, 3, 1, 2))
            mean, std = mean[:, None, None], std[:, None, None]
        inputs = np.subtract(crops, mean, dtype=np.float32)
        inputs /= std
        return np.ascontiguousarray(inputs)

    def _heatmaps(
        self, outputs: Sequence[np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Turn outputs into the arguments of :func:`finish_heatmaps`.

        Raises:
            InputError: If the outputs do not match the description.
        """
        description, joints = self.description, self.skeleton.num_keypoints
        is_simcc = description.output == 'simcc'
        maps = outputs[-1]
        if maps.ndim == 4 and maps.shape[1] != joints:
            maps = maps.transpose(0, 3, 1, 2)
        parts = outputs if is_simcc else [maps]
        sizes = (2, 3) if is_simcc else (1, 4)
        if sizes != (len(parts), maps.ndim) or any(part.shape[1] != joints for part in parts):
            expected = f'[N, {joints}, bins] for x and y' if is_simcc else f'[N, {joints}, h, w]'
            raise InputError(
                f'{self.name} gives {" and ".join(str(list(values.shape)) for values in outputs)}, '
                f'expected {description.output} {expected}, give another description'
            )
        if is_simcc:
            x, y = outputs
            ratio = description.split_ratio
            bins, exact = np.array([x.shape[2], y.shape[2]]), np.array(self.input_size) * ratio
            # The exact number may be rounded up or down; any other number would misplace joints.
            if (np.abs(bins - exact) >= 1).any():
                width, height = self.input_size
                raise InputError(
                    f'{self.name} gives {bins[0]} and {bins[1]} bins for an input of '
                    f'{width}x{height}, so {bins[0] / width:g} and {bins[1] / height:g} per pixel, '
                    f'but its description says split_ratio {ratio:g}, correct it or input_size, or '
                    'export x before y'
                )
            return simcc_heatmaps(x, y, ratio, description.sharpness)
        maps = np.ascontiguousarray(maps, np.float32)
        if description.activation == 'sigmoid':
            maps = expit(maps)
        if description.smooth:
            planes = maps.reshape(-1, *maps.shape[2:])
            smoothed = [cv2.GaussianBlur(plane, (0, 0), description.smooth) for plane in planes]
            maps = np.stack(smoothed).reshape(maps.shape)
        cells, size = np.array(maps.shape[:1:-1]), np.array(self.input_size)
        scale = (cells - 1) / (size - 1) if description.geometry == 'udp' else cells / size
        offset = (scale - 1) / 2 if description.geometry == 'centre' else np.zeros(2)
        return maps, scaling(scale, offset), None

    @abstractmethod
    def _run(self, inputs: np.ndarray) -> list[np.ndarray]:
        """Run the network on float32 [N, 3, H, W], or [N, H, W, 3]; return its outputs."""


class OnnxPoseNetwork(DescribedNetwork):
    """Pose network in an ONNX file, run by onnxruntime on the CPU.

    Args:
        path: The file. Inputs [N, 3, H, W], or [N, H, W, 3], in one of ``ONNX_DTYPES``.
        description: Its inputs and outputs; the file may give the input size instead.
        session: The file, if it is loaded already.

    Raises:
        InputError: If the file cannot be run, has other inputs, or the input size is given nowhere.
    """

    def __init__(
        self, path: Path, description: NetworkDescription, session: OnnxSession | None = None
    ) -> None:
        self._session = session or start_session(path, 'another pose network')
        inputs = self._session.inputs
        super().__init__(path, description, [node.shape for node in inputs])
        if inputs[0].dtype not in ONNX_DTYPES:
            raise InputError(
                f'{path} takes pictures in {inputs[0].dtype}, expected '
                f'{" or ".join(ONNX_DTYPES)}, convert the network to one of them'
            )
        self._dtype = np.dtype(inputs[0].dtype)
        self._input = inputs[0].name
        self._fixed_batch = inputs[0].shape[0]
        names = self._session.outputs
        self._outputs = sorted(names) if {'simcc_x', 'simcc_y'} == set(names) else list(names)

    def _run(self, inputs: np.ndarray) -> list[np.ndarray]:
        inputs = inputs.astype(self._dtype, copy=False)
        # A file with a fixed batch size gets full batches only: the last one is padded.
        size = self._fixed_batch or len(inputs)
        padded = np.concatenate([inputs, np.repeat(inputs[-1:], -len(inputs) % size, axis=0)])
        runs = [
            self._session.run(self._outputs, {self._input: padded[start : start + size]})
            for start in range(0, len(padded), size)
        ]
        return [
            np.concatenate(parts)[: len(inputs)].astype(np.float32, copy=False)
            for parts in zip(*runs, strict=True)
        ]
