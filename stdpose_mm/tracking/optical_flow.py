"""Optical flow between neighbouring pictures."""

from __future__ import annotations

from functools import lru_cache
from math import log2
from pathlib import Path
from threading import local
from typing import Any, Protocol

import cv2
import numpy as np
from scipy.special import softmax

from stdpose_mm.checkpoint_files import read_checkpoint_file
from stdpose_mm.errors import InputError

MOST_ENLARGED = 2.0
"""Small pictures are enlarged by up to this factor, because the flow of DIS has a grid of a few
pixels, too coarse for the limbs of a small person."""

MISS_SCALE = 0.1
"""Pose sizes; a track that misses the other label by this distance has weight 1/e there."""

_GRADIENT_WEIGHT = 30.0
"""Weight of the gradient term in DIS's refinement; OpenCV's default is 10. A larger weight follows
edges rather than brightness; chosen on training clips of JHMDB, see research/docs/real_clips.md."""

_INVERSION_STEPS = 5
"""Fixed-point steps to go against a flow, which is smooth: each divides the error by its slope."""

_MIN_SIDE = 16
"""Pixels; DIS fails on sides of less than 12."""

_RAFT_STRIDE = 8
_RAFT_MIN_SIDE = 128
"""RAFT needs sides that are multiples of 8 and, for its coarsest correlation, at least 128."""


class FlowEstimator(Protocol):
    """Estimator of optical flow; several threads may call it at once.

    Attributes:
        max_side: Larger side in pixels of the pictures that flow is computed on.
        single_threaded: Whether one field occupies little more than one thread, so that computing
            several at once uses more processors.
    """

    @property
    def max_side(self) -> int: ...

    @property
    def single_threaded(self) -> bool: ...

    def prepare(self, picture: np.ndarray, most: float = MOST_ENLARGED) -> np.ndarray:
        """Prepare a BGR picture uint8 [H, W, 3] for flow, see :func:`scale_picture`."""
        ...

    def __call__(self, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Return the flow [h, w, 2] from ``source`` to ``target``, in their pixels."""
        ...


class DISFlow:
    """DIS optical flow (Kroeger et al., ECCV 2016) by OpenCV on grey pictures.

    Args:
        max_side: Larger side in pixels of the pictures that flow is computed on.
        finest_scale: How often these pictures are halved for the finest level of the flow, which is
            then enlarged. 2 takes a quarter of the time of 1.
        refinements: Steps by which the field of each level is refined.
    """

    # With the few rows of small pictures OpenCV hardly uses more threads.
    single_threaded = True

    def __init__(self, max_side: int = 640, finest_scale: int = 1, refinements: int = 5) -> None:
        self.max_side = max_side
        self.finest_scale = finest_scale
        self.refinements = refinements

    def prepare(self, picture: np.ndarray, most: float = MOST_ENLARGED) -> np.ndarray:
        """See :class:`FlowEstimator`; [h, w] uint8."""
        return cv2.cvtColor(scale_picture(picture, self.max_side, most), cv2.COLOR_BGR2GRAY)

    def __call__(self, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        """See :class:`FlowEstimator`."""
        estimator = _DIS_ESTIMATORS.of_shape(source.shape, self.finest_scale, self.refinements)
        return estimator.calc(source, target, None)


class _DISEstimators(local):
    """OpenCV's estimators of one thread, each for pictures of one shape.

    An estimator may crash if two threads share it, or if it sees pictures of several sizes.
    """

    def __init__(self) -> None:
        self.of_shape = lru_cache(maxsize=16)(_build_dis_estimator)


def _build_dis_estimator(shape: tuple[int, ...], finest_scale: int, refinements: int) -> Any:
    """Build OpenCV's estimator for pictures of one shape."""
    estimator = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    # OpenCV halves pictures at most until they have this size. Given a larger finest scale, it
    # chooses scales by the width alone, and crashes on pictures that are wide and low.
    patch = estimator.getPatchSize()
    coarsest = min(log2(max(shape) / (4 * patch)) + 0.5, log2(min(shape) / patch))
    estimator.setFinestScale(max(0, min(finest_scale, int(coarsest))))
    estimator.setVariationalRefinementIterations(refinements)
    estimator.setVariationalRefinementGamma(_GRADIENT_WEIGHT)
    return estimator


_DIS_ESTIMATORS = _DISEstimators()


class RAFTFlow:
    """Optical flow by RAFT (Teed and Deng, ECCV 2020), torchvision's small variant.

    Args:
        weights: File with the weights of ``torchvision.models.optical_flow.raft_small``.
        max_side: Larger side in pixels of the pictures that flow is computed on.
        device: Where to run.

    Raises:
        InputError: If the file cannot be read or does not fit.
    """

    single_threaded = False

    def __init__(self, weights: str | Path, max_side: int = 640, device: str = 'cpu') -> None:
        from torchvision.models.optical_flow import raft_small

        self.max_side = max_side
        self._model = raft_small(weights=None)
        state_dict = read_checkpoint_file(weights)
        try:
            self._model.load_state_dict(state_dict)
        # RuntimeError of weights that do not fit, or any error that values other than tensors
        # cause.
        except Exception as error:
            raise InputError(
                f'flow weights {weights} cannot be used ({str(error).splitlines()[0]}), give '
                "the file of torchvision's raft_small"
            ) from error
        self._model.eval().to(device)
        self._device = device

    def prepare(self, picture: np.ndarray, most: float = MOST_ENLARGED) -> np.ndarray:
        """See :class:`FlowEstimator`; [h, w, 3] uint8 RGB."""
        return cv2.cvtColor(scale_picture(picture, self.max_side, most), cv2.COLOR_BGR2RGB)

    def __call__(self, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        """See :class:`FlowEstimator`."""
        import torch

        height, width = source.shape[:2]
        bottom, right = (
            max(-side % _RAFT_STRIDE, _RAFT_MIN_SIDE - side) for side in (height, width)
        )

        def batch(picture: np.ndarray) -> torch.Tensor:
            padded = cv2.copyMakeBorder(picture, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
            tensor = torch.from_numpy(padded).to(self._device).permute(2, 0, 1)[None]
            return tensor.float() / 127.5 - 1

        with torch.inference_mode():
            flow = self._model(batch(source), batch(target))[-1][0]
        return flow[:, :height, :width].permute(1, 2, 0).cpu().numpy()


def scale_picture(picture: np.ndarray, max_side: int, most: float = MOST_ENLARGED) -> np.ndarray:
    """Scale a picture to a larger side of ``max_side`` and a smaller side of at least 16 pixels.

    Args:
        picture: [H, W] or [H, W, 3].
        max_side: Pixels.
        most: Largest scale factor.
    """
    height, width = picture.shape[:2]
    factor = min(most, max_side / max(height, width))
    factor = max(factor, _MIN_SIDE / min(height, width))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    if size == (width, height):
        return picture
    interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return cv2.resize(picture, size, interpolation=interpolation)


def region_around(
    low: np.ndarray, high: np.ndarray, margin: float, size: tuple[int, ...]
) -> tuple[slice, slice]:
    """Find the rows and columns of a picture that flow is computed in.

    Args:
        low: [2] top left corner, which may lie outside the picture.
        high: [2] bottom right corner, likewise.
        margin: Pixels to add on each side.
        size: (width, height) of the picture.

    Returns:
        Slices of at least 16 pixels if the picture is large enough; smaller ones would be enlarged
        to that, together with the other side.
    """
    sides = np.array(size)
    low = np.clip(np.floor(low - margin), 0, np.maximum(sides - _MIN_SIDE, 0)).astype(int)
    high = np.minimum(np.maximum(np.ceil(high + margin), low + _MIN_SIDE), sides).astype(int)
    return slice(low[1], high[1]), slice(low[0], high[0])


def sample_bilinear(field: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Sample ``field`` [h, w, C] at ``points`` [K, 2] (x, y), clamped to its border."""
    from scipy.ndimage import map_coordinates

    rows_and_columns = points.T[::-1]
    return np.stack(
        [
            map_coordinates(channel, rows_and_columns, order=1, mode='nearest')
            for channel in np.moveaxis(field, -1, 0)
        ],
        axis=-1,
    )


def move_points(points: np.ndarray, field: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Move points along a flow; points outside move like the nearest border.

    Args:
        points: [..., 2] x, y in full pixels.
        field: [h, w, 2] flow in reduced pixels.
        scale: Reduced pixels per full pixel, along x and y.
    """
    reduced = ((points + 0.5) * scale - 0.5).reshape(-1, 2)
    return points + (sample_bilinear(field, reduced) / scale).reshape(points.shape)


def move_points_back(points: np.ndarray, field: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Find the points from which a flow comes to some points.

    Args:
        points: [..., 2] x, y in full pixels.
        field: [h, w, 2] flow in reduced pixels.
        scale: Reduced pixels per full pixel, along x and y.
    """
    origins = points
    for _ in range(_INVERSION_STEPS):
        origins = points - (move_points(origins, field, scale) - origins)
    return origins


def blend_weights(forward: np.ndarray, backward: np.ndarray, size: float) -> np.ndarray:
    """Weigh tracks by the distance from their start, and by how well they arrive at the other end.

    Args:
        forward: [F, K, 2] pixels, from the first frame on.
        backward: [F, K, 2] pixels, from the last frame back.
        size: Larger side of the pose in pixels.

    Returns:
        [F, K, 2] weights of the forward and the backward track, which sum to 1.
    """
    elapsed = np.linspace(0, 1, len(forward))[:, None]
    scale = MISS_SCALE * size
    forward_missed = np.linalg.norm(forward[-1] - backward[-1], axis=-1) / scale
    backward_missed = np.linalg.norm(backward[0] - forward[0], axis=-1) / scale
    with np.errstate(divide='ignore'):
        forward_log = np.log(1 - elapsed) - forward_missed * elapsed
        backward_log = np.log(elapsed) - backward_missed * (1 - elapsed)
    weights: np.ndarray = softmax(np.stack([forward_log, backward_log], axis=-1), axis=-1)
    return weights
