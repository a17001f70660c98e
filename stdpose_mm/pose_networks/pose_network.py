"""The one interface of what gives heatmaps of people in single pictures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from stdpose_mm.structures import Skeleton, VideoLabels

if TYPE_CHECKING:
    from stdpose_mm.io.video import FrameSource

MAX_MAP_SIDE = 128
"""Cells; larger maps are reduced. A person is then a hundred cells high, finer than the fuser
samples the maps, and a gap's maps stay within some tens of megabytes."""


@dataclass(frozen=True)
class PoseHeatmaps:
    """Hold the heatmaps of N people.

    Args:
        heatmaps: [N, K, h, w] float32 in 0..1: probability that a joint is near the cell.
        to_heatmap: [N, 2, 3] affine from pixels of each picture to cells of its maps; cell (0, 0)
            has its centre at (0, 0).
        known: [N, K] bool: the joints that there is a heatmap of; None if it is all of them.
    """

    heatmaps: np.ndarray
    to_heatmap: np.ndarray
    known: np.ndarray | None = None


class HeatmapSource(ABC):
    """Give heatmaps of people in frames of a video.

    Args:
        name: Name of the source in messages.
        skeleton: Its K joints.
    """

    doubt = 'are its preset and its joints right?'
    """Question to the user where the heatmaps do not fit the labels."""

    def __init__(self, name: str, skeleton: Skeleton) -> None:
        self.name = name
        self.skeleton = skeleton

    def files_of(self, video: str) -> dict[str, Path]:
        """List the files that its heatmaps of a video depend on, by name, for fingerprints.

        Those that serve any video are not among them: what they hold is part of the source.

        Raises:
            InputError: If there should be one for this video, and is none.
        """
        return {}

    def require_video(self, frames: FrameSource) -> None:
        """Require that it can give heatmaps of a video, before any work begins.

        Raises:
            InputError: If it cannot.
        """
        return

    def require_agreement(self, frames: FrameSource, labels: VideoLabels) -> None:
        """Require that its poses are of the frames and the sides that labels say.

        Args:
            frames: The video.
            labels: Given labels on its frames.

        Raises:
            InputError: If they clearly are not.
        """
        return

    @abstractmethod
    def estimate_frames(
        self, frames: FrameSource, indices: Sequence[int], boxes: np.ndarray
    ) -> PoseHeatmaps:
        """Estimate the heatmaps of a person in N frames.

        Args:
            frames: The video.
            indices: The N frames.
            boxes: [N, 4] boxes ``[x, y, w, h]`` of the person in pixels.
        """


class PoseNetwork(HeatmapSource):
    """Estimate heatmaps of people in boxes of pictures."""

    def estimate_frames(
        self, frames: FrameSource, indices: Sequence[int], boxes: np.ndarray
    ) -> PoseHeatmaps:
        """See :meth:`HeatmapSource.estimate_frames`."""
        return self.estimate([frames[index] for index in indices], boxes)

    @abstractmethod
    def estimate(self, pictures: Sequence[np.ndarray], boxes: np.ndarray) -> PoseHeatmaps:
        """Estimate the heatmaps of a person in each of N pictures.

        Args:
            pictures: BGR uint8 [H, W, 3].
            boxes: [N, 4] person boxes ``[x, y, w, h]`` in pixels.
        """


def finish_heatmaps(heatmaps: np.ndarray, to_heatmap: np.ndarray) -> PoseHeatmaps:
    """Bring the heatmaps of a network into the form of :class:`PoseHeatmaps`.

    NaN and infinite values become 0, other values are clipped to 0..1. Maps of more than
    ``MAX_MAP_SIDE`` cells are reduced by an integer factor.
    """
    maps = np.nan_to_num(heatmaps.astype(np.float32, copy=False), nan=0, posinf=0, neginf=0)
    maps = maps.clip(0, 1)
    height, width = maps.shape[2:]
    factor = -(-max(height, width) // MAX_MAP_SIDE)
    if factor > 1:
        maps = maps[:, :, : height // factor * factor, : width // factor * factor]
        cells = maps.reshape(*maps.shape[:2], height // factor, factor, width // factor, factor)
        maps = cells.mean(axis=(3, 5))
        to_heatmap = to_heatmap / factor
        to_heatmap[..., 2] -= (factor - 1) / 2 / factor
    return PoseHeatmaps(np.ascontiguousarray(maps), to_heatmap)


def compose(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Chain affines [..., 2, 3]: ``inner`` first."""
    linear = outer[..., :2] @ inner[..., :2]
    offset = outer[..., :2] @ inner[..., 2:] + outer[..., 2:]
    return np.concatenate([linear, offset], axis=-1)


def smooth(heatmaps: np.ndarray, sigma: float) -> np.ndarray:
    """Smooth maps [N, K, h, w] by a Gaussian of ``sigma`` cells."""
    if sigma == 0:
        return heatmaps
    flat = heatmaps.reshape(-1, *heatmaps.shape[2:])
    smoothed = [cv2.GaussianBlur(plane, (0, 0), sigma) for plane in flat]
    return np.stack(smoothed).reshape(heatmaps.shape)
