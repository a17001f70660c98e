"""Interface of networks that see windows, run in two halves: encoding frames, fusing windows."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import numpy as np

from stdpose_mm.constants import CropPolicy
from stdpose_mm.structures import Skeleton

if TYPE_CHECKING:
    from stdpose_mm.io.video import FrameSource

Item = TypeVar('Item')


@dataclass(frozen=True)
class Crop:
    """The region of a picture that a network sees.

    Args:
        box: [4] the person box ``[x, y, w, h]`` it was made for, in pixels.
        to_crop: [2, 3] affine from pixels of the picture to pixels of the crop.
        metainfo: MMPose's ``input_size``, ``input_center`` and ``input_scale``, if MMPose made it.
    """

    box: np.ndarray
    to_crop: np.ndarray
    metainfo: Mapping[str, Any] = field(default_factory=dict)


class CropCodec(Protocol):
    """Geometry of a network's crops and heatmaps in pictures."""

    @property
    def crops(self) -> CropPolicy:
        """How the frames of a window are cropped.

        'window': all at the box of the key frame; 'frame': each at the person's box in it, so that
        windows share their frames.
        """

    @property
    def heatmap_size(self) -> tuple[int, int]:
        """Width and height of the heatmaps."""

    def crop_at(self, box: np.ndarray) -> Crop:
        """Compute the crop around a person box [4] ``[x, y, w, h]`` in pixels."""

    def crop_image(self, picture: np.ndarray, crop: Crop) -> np.ndarray:
        """Warp a picture BGR uint8 [H, W, 3] to the network's input size: uint8 [H', W', 3]."""

    def to_heatmap(self, crop: Crop) -> np.ndarray:
        """Return the [2, 3] affine from pixels of the picture to pixels of the crop's heatmaps."""

    def encode_heatmaps(self, crop: Crop, pose: np.ndarray, has_joint: np.ndarray) -> np.ndarray:
        """Encode a pose as heatmaps.

        Args:
            crop: Region of the heatmaps in the picture.
            pose: [K, 2] pixels of the picture.
            has_joint: [K] bool; the maps of other joints are empty.

        Returns:
            [K, h, w] float32.
        """


class PoseCodec(CropCodec, Protocol):
    """A codec that also decodes heatmaps to poses; `auto` does not need it."""

    def decode(self, heatmaps: np.ndarray, crops: Sequence[Crop]) -> tuple[np.ndarray, np.ndarray]:
        """Decode heatmaps to poses in the picture.

        Args:
            heatmaps: [N, K, h, w].
            crops: Regions of the N heatmaps in their pictures.

        Returns:
            Keypoints [N, K, 2] in pixels of the pictures, and heatmap peaks [N, K] clipped to 0..1.
        """


class WindowLabels(NamedTuple):
    """Labels of the auxiliary frames of N windows.

    Attributes:
        heatmaps: [N, 2, K, h, w] of the left and right frame.
        mask: [N, 2, K] bool: joints that these frames give.
        prior: [N, K, h, w] of the pose interpolated to the key frame.
        position: [N] of the key frame, from 0 at the left frame to 1 at the right one.
    """

    heatmaps: np.ndarray
    mask: np.ndarray
    prior: np.ndarray
    position: np.ndarray


@dataclass(frozen=True)
class FrameFeatures:
    """Features of M frames, for the backend that computed them.

    Args:
        views: Name -> array or tensor [M, ...] of the frames, and, with ``flip_test``, of the
            mirrored frames. The names are those that windows need of 'features', 'frame_heatmaps'
            (of each frame alone) and 'projections'.
    """

    views: tuple[Mapping[str, Any], ...]

    def __len__(self) -> int:
        return len(next(iter(self.views[0].values())))

    def take(self, rows: Any) -> FrameFeatures:
        """Copy some frames; the axes of ``rows`` become the first axes of all fields."""
        return FrameFeatures(
            tuple({name: values[rows] for name, values in view.items()} for view in self.views)
        )

    @staticmethod
    def concatenate(batches: Sequence[FrameFeatures]) -> FrameFeatures:
        """Concatenate the frames of several batches."""
        if len(batches) == 1:
            return batches[0]
        return FrameFeatures(
            tuple(
                {name: _concatenate([batch.views[n][name] for batch in batches]) for name in view}
                for n, view in enumerate(batches[0].views)
            )
        )


def _concatenate(parts: Sequence[Any]) -> Any:
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    import torch

    return torch.cat(list(parts))


def equal_slices(number: int, size: int) -> list[slice]:
    """Split ``range(number)`` into slices of at most ``size`` and nearly equal length."""
    chunks = -(-number // size)
    bounds = [number * n // chunks for n in range(chunks + 1)]
    return [slice(*pair) for pair in pairwise(bounds)]


def fill_batches(
    items: Iterable[Item], size_of: Callable[[Item], int], least: int, most: float = math.inf
) -> Iterator[list[Item]]:
    """Group consecutive items until their sizes add up to ``least``, or there are ``most``."""
    batch: list[Item] = []
    for item in items:
        batch.append(item)
        if sum(map(size_of, batch)) >= least or len(batch) >= most:
            yield batch
            batch = []
    if batch:
        yield batch


def read_batches(
    frames: FrameSource, wanted: Iterable[tuple[int, Item]], batch_size: int
) -> Iterator[tuple[tuple[Item, ...], tuple[np.ndarray, ...]]]:
    """Read frames in batches, each frame once for all that is wanted in it.

    Args:
        frames: The video.
        wanted: Frames, ascending, with what is looked for in each; a frame may occur repeatedly.
        batch_size: Number of pictures in a batch.

    Yields:
        What is looked for, and the picture for each.
    """

    def read() -> Iterator[tuple[Item, np.ndarray]]:
        for frame, items in groupby(wanted, key=itemgetter(0)):
            picture = frames[frame]
            for _, item in items:
                yield item, picture

    for batch in fill_batches(read(), lambda _: 1, batch_size):
        items, pictures = zip(*batch, strict=True)
        yield items, pictures


class WindowBackend(ABC):
    """Base class of networks that see windows, run in two halves: encoding frames, fusing windows.

    Attributes:
        codec: Its crops and heatmaps.
        skeleton: Its K joints.
        trained_joints: [K] bool: joints that it was trained on.
        num_frames: Number T of frames in a window.
        batch_size: Number of crops, and of windows, worth computing at once.
        sees_windows: Whether auxiliary frames are used; if not, any frames may be given for them.
        takes_labels: Whether labels of auxiliary frames are used.
        trained_with_labels: Whether it saw such labels in every window of its training.
        single_threaded: Whether it is faster to run several batches at once in one thread each.
    """

    codec: CropCodec
    skeleton: Skeleton
    trained_joints: np.ndarray
    num_frames: int
    batch_size: int
    sees_windows: bool
    takes_labels: bool
    trained_with_labels: bool = False
    single_threaded: bool = False

    @abstractmethod
    def encode(self, crops: np.ndarray, maps_of: np.ndarray | None = None) -> FrameFeatures:
        """Encode M frames.

        Args:
            crops: BGR uint8 [M, H', W', 3].
            maps_of: [M] bool: frames whose own heatmaps are needed; by default all. Heatmaps of the
                others may be zeros.
        """

    @abstractmethod
    def frame_heatmaps(self, features: FrameFeatures) -> np.ndarray:
        """Estimate each frame alone: [M, K, h, w] float32, zeros without a frame head."""

    @abstractmethod
    def fuse(
        self, features: FrameFeatures, rows: np.ndarray, labels: WindowLabels | None = None
    ) -> np.ndarray:
        """Estimate the heatmaps of the key frames of N windows.

        Args:
            features: Features of M frames.
            rows: [N, T] int: indices, among the M frames, of the frames of each window in order of
                time.
            labels: Labels of the auxiliary frames of the N windows.

        Returns:
            [N, K, h, w] float32.
        """
