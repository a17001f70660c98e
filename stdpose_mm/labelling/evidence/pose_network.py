"""Interface of all sources of heatmaps of people, and the steps that they share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.special import softmax

from stdpose_mm.structures import Skeleton
from stdpose_mm.structures.boxes import crop_affine
from stdpose_mm.structures.decode_gaussians import peak_windows

if TYPE_CHECKING:
    from stdpose_mm.io.video import FrameSource

MAX_MAP_SIDE = 128
"""Largest side of a map in cells; larger maps are reduced. A person is then about 100 cells high,
which is finer than the fuser samples maps, and the maps of a gap take some tens of megabytes."""

DRAWN_SIDE = 64
"""Side in cells of the maps that are drawn from poses and tracks of other programs."""

_DRAWN_PADDING = 1.5
"""Factor by which such a map is larger than the person's box, as joints may lie outside the box."""

SIMCC_CELL = 4
"""Pixels of the network's input per cell, as in the heatmaps of most networks."""

SIMCC_SPREAD = 1.5
"""Standard deviation in cells of the Gaussian, of height 1, that a certain prediction becomes."""


_BLUR = 11
"""Side in cells of the Gaussian filter before a peak is refined, as in MMPose's decoders."""

_MAX_STEP = 1.5
"""Largest refinement in cells; a larger one comes from a map without a clear peak."""

FlowPaths = Mapping[int, tuple[np.ndarray, np.ndarray]]
"""Frame of a label -> [F] frames, and the [F, K, 2] pixels to which optical flow carries the
label's joints in them; NaN for joints that are not labelled."""


class PersonFrames(NamedTuple):
    """A person in N frames of a gap.

    Attributes:
        frames: The video.
        indices: The N frames.
        boxes: [N, 4] boxes ``[x, y, w, h]`` of the person in pixels.
        labels: Frame -> [K, 2] pixels of the joints for which the frame holds the nearest label
            before or after the gap, or one of the two nearest if only one side has labels; NaN for
            other joints.
        flow: Paths of optical flow from the labels at the ends of the gap.
        views: What :meth:`HeatmapSource.view` has taken from the N pictures.
    """

    frames: FrameSource
    indices: Sequence[int]
    boxes: np.ndarray
    labels: Mapping[int, np.ndarray]
    flow: FlowPaths
    views: Sequence[Any] = ()


class PersonCrop(NamedTuple):
    """A person as a network sees it.

    Attributes:
        picture: [H', W', 3] in the network's input size.
        to_crop: [2, 3] affine from pixels of the whole picture to pixels of the crop.
    """

    picture: np.ndarray
    to_crop: np.ndarray


@dataclass(frozen=True)
class PoseHeatmaps:
    """The heatmaps of N people.

    Args:
        heatmaps: [N, K, h, w] float32 in 0..1: probability that a joint is near the cell.
        to_heatmap: [N, 2, 3] affine from pixels of each picture to cells of its maps; cell (0, 0)
            has its centre at (0, 0).
        known: [N, K] bool: whether the joint has a heatmap.
        joints: [N, K, 2] pixels of each picture where the network itself places the joints, if its
            output is finer than the heatmaps; None if the heatmaps are its output.
    """

    heatmaps: np.ndarray
    to_heatmap: np.ndarray
    known: np.ndarray
    joints: np.ndarray | None = None

    @classmethod
    def to_draw_on(cls, boxes: np.ndarray, num_joints: int) -> PoseHeatmaps:
        """Make empty maps around boxes [N, 4] of people, with no joint known."""
        size, shape = (DRAWN_SIDE, DRAWN_SIDE), (len(boxes), num_joints)
        affines = [crop_affine(box, size, _DRAWN_PADDING, 'centre') for box in boxes]
        maps = np.zeros((*shape, *size), np.float32)
        return cls(maps, np.stack(affines), np.zeros(shape, dtype=bool))


class HeatmapSource(ABC):
    """Source of heatmaps of people in frames of a video.

    Args:
        name: Name of the source in messages.
        skeleton: Its K joints.
    """

    question = 'are its preset and its joints right?'
    """Question that the user is asked if the heatmaps do not fit the labels."""

    follows_labels = False
    """Whether it starts from the labels and so knows whose joints it follows; otherwise it finds
    the joints of the person in front."""

    def __init__(self, name: str, skeleton: Skeleton) -> None:
        self.name = name
        self.skeleton = skeleton

    def files_of(self, video: str) -> dict[str, Path]:
        """List the files that only the heatmaps of this video depend on, for fingerprints.

        Raises:
            InputError: If the video needs a file and there is none.
        """
        return {}

    def require_video(self, frames: FrameSource) -> None:
        """Check, before any work begins, that it can give heatmaps of a video.

        Raises:
            InputError: If it cannot.
        """
        return

    def view(self, picture: np.ndarray, box: np.ndarray) -> Any:
        """Take from a picture what :meth:`estimate_frames` needs of it; by default nothing.

        A gap has more pictures than fit into memory, and each is read once for all sources.

        Args:
            picture: BGR uint8 [H, W, 3].
            box: [4] the person's box ``[x, y, w, h]`` in pixels.
        """
        return

    @abstractmethod
    def estimate_frames(self, person: PersonFrames) -> PoseHeatmaps:
        """Estimate the heatmaps of a person in N frames."""


class PoseNetwork(HeatmapSource):
    """Network that estimates heatmaps of people in boxes of pictures."""

    def estimate_frames(self, person: PersonFrames) -> PoseHeatmaps:
        """See :meth:`HeatmapSource.estimate_frames`."""
        return self.estimate_crops(person.views)

    @abstractmethod
    def view(self, picture: np.ndarray, box: np.ndarray) -> PersonCrop:
        """Crop a person, see :meth:`HeatmapSource.view`."""

    @abstractmethod
    def estimate_crops(self, crops: Sequence[PersonCrop]) -> PoseHeatmaps:
        """Estimate the heatmaps of the people in N crops."""

    def estimate(self, pictures: Sequence[np.ndarray], boxes: np.ndarray) -> PoseHeatmaps:
        """Estimate the heatmaps of a person in each of N pictures.

        Args:
            pictures: BGR uint8 [H, W, 3].
            boxes: [N, 4] person boxes ``[x, y, w, h]`` in pixels.
        """
        return self.estimate_crops([self.view(*pair) for pair in zip(pictures, boxes, strict=True)])

    def find(
        self, pictures: Sequence[np.ndarray], boxes: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Find a person in each of N pictures, as :class:`FrameNetwork` describes.

        The score of a joint is the height of its heatmap, in 0..1.
        """
        maps = self.estimate(pictures, boxes)
        if maps.joints is not None:
            return maps.joints, maps.heatmaps.max(axis=(2, 3))
        cells, scores = decode_peaks(maps.heatmaps)
        return unmap(cells, maps.to_heatmap), scores


def decode_peaks(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Locate the peak of each map between cells.

    As in DARK (Zhang et al., CVPR 2020), a parabola is fitted along each axis to the logarithm of
    the blurred map around its largest cell. For a Gaussian this is exact.

    Args:
        maps: [N, K, h, w] float32 in 0..1.

    Returns:
        [N, K, 2] x, y in cells, and [N, K] the largest value of each map.
    """
    # Only the 3x3 cells around the largest one are blurred.
    kernel = cv2.getGaussianKernel(_BLUR, 0, cv2.CV_32F)[:, 0]
    band = np.stack([np.pad(kernel, (shift, 2 - shift)) for shift in range(3)])
    reach = band.shape[1] // 2
    columns, rows, windows = peak_windows(maps, reach)
    height = np.log(np.maximum(band @ windows @ band.T, 1e-12), dtype=np.float64)
    places = []
    for cells, size, line in (
        (columns, maps.shape[3], height[..., 1, :]),
        (rows, maps.shape[2], height[..., 1]),
    ):
        before, middle, after = np.moveaxis(line, -1, 0)
        # As in MMPose, a border cell is repeated beyond the border.
        before = np.where(cells == 0, middle, before)
        after = np.where(cells == size - 1, middle, after)
        step = (before - after) / 2 / np.minimum(before - 2 * middle + after, -1e-9)
        places.append(cells + np.where(np.abs(step) <= _MAX_STEP, step, 0))
    return np.stack(places, axis=-1), windows[..., reach, reach]


def unmap(points: np.ndarray, affines: np.ndarray) -> np.ndarray:
    """Map points [N, K, 2] back by affines [N, 2, 3]."""
    inverse = np.linalg.inv(affines[..., :2]).swapaxes(1, 2)
    return (points - affines[:, None, :, 2]) @ inverse


def scaling(scale: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Make the affine [2, 3] that multiplies x and y by ``scale`` [2] and adds ``offset`` [2]."""
    return np.array([[scale[0], 0, offset[0]], [0, scale[1], offset[1]]])


def simcc_heatmaps(
    logits_x: np.ndarray, logits_y: np.ndarray, split_ratio: float, sharpness: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Turn the outputs of a SimCC head (Li et al., ECCV 2022) into heatmaps.

    Each axis is a distribution over bins, ``split_ratio`` of them per pixel. It is convolved with a
    Gaussian whose peak is 1, and sampled at the cells. The heatmap is the product of both axes: its
    value is the probability that the joint is near the cell.

    Args:
        logits_x: [N, K, bins of the width].
        logits_y: [N, K, bins of the height].
        split_ratio: Bins per pixel of the input.
        sharpness: Factor on the outputs before the softmax in training.

    Returns:
        [N, K, h, w] float32; the [2, 3] affine from pixels of the input to cells; and [N, K, 2] the
        most probable pixels of the input, where the Gaussian moves the peak of a skewed
        distribution.
    """
    step = max(round(SIMCC_CELL * split_ratio), 1)
    first = step // 2
    x, y = (
        softmax((logits * sharpness).astype(np.float64), axis=-1)
        @ _cell_weights(logits.shape[-1], step)
        for logits in (logits_x, logits_y)
    )
    # Bin i stands for pixel i / split_ratio.
    to_heatmap = scaling(np.full(2, split_ratio / step), np.full(2, -first / step))
    joints = np.stack([logits_x.argmax(axis=-1), logits_y.argmax(axis=-1)], -1) / split_ratio
    return (y[..., :, None] * x[..., None, :]).astype(np.float32), to_heatmap, joints


@lru_cache
def _cell_weights(bins: int, step: int) -> np.ndarray:
    """Compute the weights [bins, cells] of bins in cells that are ``step`` bins apart."""
    sigma = SIMCC_SPREAD * step
    peak = gaussian_filter1d(np.eye(1, 12 * step + 1, 6 * step)[0], sigma)[6 * step]
    spread = gaussian_filter1d(np.eye(bins), sigma, mode='constant')
    return spread[:, step // 2 :: step] / peak


def finish_heatmaps(
    heatmaps: np.ndarray, from_crop: np.ndarray, joints: np.ndarray | None, to_crop: np.ndarray
) -> PoseHeatmaps:
    """Convert the heatmaps of a network to :class:`PoseHeatmaps`.

    NaN and infinite values become 0, other values are clipped to 0..1. Maps of more than
    ``MAX_MAP_SIDE`` cells are reduced by an integer factor.

    Args:
        heatmaps: [N, K, h, w].
        from_crop: [2, 3] affine from pixels of a crop to cells.
        joints: [N, K, 2] pixels of the crops, see :class:`PoseHeatmaps`.
        to_crop: [N, 2, 3] affines from pixels of each picture to pixels of its crop.
    """
    maps = np.nan_to_num(heatmaps.astype(np.float32, copy=False), nan=0, posinf=0, neginf=0)
    maps = maps.clip(0, 1)
    linear = from_crop[:, :2] @ to_crop[..., :2]
    offset = from_crop[:, :2] @ to_crop[..., 2:] + from_crop[:, 2:]
    to_heatmap = np.concatenate([linear, offset], axis=-1)
    height, width = maps.shape[2:]
    factor = -(-max(height, width) // MAX_MAP_SIDE)
    if factor > 1:
        maps = maps[:, :, : height // factor * factor, : width // factor * factor]
        cells = maps.reshape(*maps.shape[:2], height // factor, factor, width // factor, factor)
        maps = cells.mean(axis=(3, 5))
        to_heatmap = to_heatmap / factor
        to_heatmap[..., 2] -= (factor - 1) / 2 / factor
    has_heatmap = np.ones(maps.shape[:2], dtype=bool)
    if joints is not None:
        joints = unmap(joints, to_crop)
    return PoseHeatmaps(np.ascontiguousarray(maps), to_heatmap, has_heatmap, joints)
