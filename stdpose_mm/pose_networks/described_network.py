"""Pose networks in files without a config, each with a description of its inputs and outputs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from scipy.special import expit

from stdpose_mm.errors import InputError
from stdpose_mm.structures import Skeleton

from .crop_geometry import crop_affine
from .network_description import NetworkDescription
from .pose_network import PoseHeatmaps, PoseNetwork, compose, finish_heatmaps, smooth
from .simcc import simcc_heatmaps


class DescribedNetwork(PoseNetwork):
    """Run a network whose crops and outputs a :class:`NetworkDescription` describes.

    Args:
        path: Its file.
        description: Its inputs and outputs.
        stored_size: (width, height) of its input, as the file says; None if it does not.

    Raises:
        InputError: If the input size is given nowhere, or file and description disagree.
    """

    def __init__(
        self, path: Path, description: NetworkDescription, stored_size: tuple[int, int] | None
    ) -> None:
        super().__init__(path.name, Skeleton(description.joints))
        self.description = description
        self.input_size = _choose_input_size(path, description, stored_size)

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
        description = self.description
        return crop_affine(box, self.input_size, description.padding, description.geometry)

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
            self._require_bins(x.shape[2], y.shape[2])
            return simcc_heatmaps(x, y, description.split_ratio, description.sharpness)
        maps = outputs[-1]
        if maps.ndim == 4 and maps.shape[1] != joints and maps.shape[3] == joints:
            maps = maps.transpose(0, 3, 1, 2)
        if maps.ndim != 4 or maps.shape[1] != joints:
            raise InputError(
                f'{self.name} gives {shapes}, expected heatmaps [N, {joints}, h, w], give another '
                'description'
            )
        maps = np.ascontiguousarray(maps, np.float32)
        if description.activation == 'sigmoid':
            maps = expit(maps)
        maps = smooth(maps, description.smooth)
        cells, size = np.array(maps.shape[:1:-1]), np.array(self.input_size)
        udp = description.geometry == 'udp'
        scale = (cells - 1) / (size - 1) if udp else cells / size
        offset = (scale - 1) / 2 if description.geometry == 'centre' else np.zeros(2)
        return maps, np.array([[scale[0], 0, offset[0]], [0, scale[1], offset[1]]])

    def _require_bins(self, bins_x: int, bins_y: int) -> None:
        """Require as many bins of the width and of the height as the description says.

        Raises:
            InputError: If there are others; joints would be found in wrong places.
        """
        (width, height), ratio = self.input_size, self.description.split_ratio
        if _is_rounded(bins_x, width * ratio) and _is_rounded(bins_y, height * ratio):
            return
        given = f'{self.name} gives {bins_x} and {bins_y} bins for an input of {width}x{height}'
        if _is_rounded(bins_y, width * ratio) and _is_rounded(bins_x, height * ratio):
            raise InputError(
                f'{given}, so width and height are exchanged, correct input_size or export the '
                'outputs in the order x, y'
            )
        per_pixel = dict.fromkeys(
            f'{bins / size:g}' for bins, size in ((bins_x, width), (bins_y, height))
        )
        raise InputError(
            f'{given}, so {" and ".join(per_pixel)} a pixel, but its description says split_ratio '
            f'{ratio:g}, correct it{" or input_size" if len(per_pixel) > 1 else ""}'
        )

    @abstractmethod
    def _run(self, inputs: np.ndarray) -> list[np.ndarray]:
        """Run the network on float32 [N, 3, H, W]; return its outputs."""


def _is_rounded(bins: int, exact: float) -> bool:
    """Return whether a number of bins is the exact one, rounded up or down."""
    return abs(bins - exact) < 1


def _choose_input_size(
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
