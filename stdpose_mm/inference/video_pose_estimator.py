"""Pose estimation by a window model in a video whose person boxes are known."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import chain, islice, repeat, takewhile
from typing import cast

import numpy as np

from stdpose_mm.constants import CROP_POLICIES, CropPolicy
from stdpose_mm.detection import BoxedFrame
from stdpose_mm.errors import note, require_choice
from stdpose_mm.structures import NO_PEOPLE, FrameBoxes, estimation_window, key_index

from .frame_estimate import FrameEstimate, interpolate_unreadable, split_by_frame
from .threads import prefetch
from .window_backend import Crop, FrameFeatures, PoseCodec, WindowBackend


class VideoPoseEstimator:
    """Runner of a window model over the people of a video, frame by frame.

    The window of a person in a frame consists of the crops of the frames before, at and after it:
    one on either side, or as many as the model's ``num_frames`` requires. The frame itself replaces
    frames that are missing or cannot be read, so the first and last frames of a video are estimated
    like all others.

    With ``crops`` 'frame', every frame is cropped at the person's own box in it and encoded once,
    and its windows share it: one pass of the backbone per person and frame. A frame without the
    person (by track id) counts as missing. With 'window', all frames are cropped at the box of the
    key frame: up to ``num_frames`` passes. The two are the same if a person's box does not change.

    Batches of the network contain crops of several people and frames. A thread reads and crops
    frames a few frames ahead. Memory does not grow with the video's length, because only the
    features of the last frames are kept.

    Args:
        backend: The model.
        crops: 'frame' or 'window', see above; by default as the backend's codec says.
        batch_size: Number of crops, and of windows, in one pass of the network.

    Raises:
        InputError: If ``crops`` is unknown.
    """

    def __init__(
        self,
        backend: WindowBackend,
        crops: CropPolicy | None = None,
        batch_size: int = 8,
    ) -> None:
        self.backend = backend
        self.crops = crops or backend.codec.crops
        require_choice('crops', self.crops, CROP_POLICIES)
        self.batch_size = batch_size
        if backend.trained_with_labels:
            note(
                'the network was trained for propagation, always with labels of other frames, and '
                'is less accurate without them, use a network that was trained with '
                "task='estimation' (such as the config stdpose-estimation), or stdpose propagate"
            )

    def estimate(
        self,
        frames: Iterable[BoxedFrame],
        max_waiting: int | None = None,
        keep_pictures: bool = False,
        keep_heatmaps: bool = False,
    ) -> Generator[FrameEstimate, None, None]:
        """Estimate the poses of everyone in every frame.

        Args:
            frames: Frames in ascending order; another thread iterates over them until they end or
                the generator is closed.
            max_waiting: Maximum number of frames whose poses wait for a full batch, at least 1; by
                default twice the batch size. The frames that the last window needs do not count.
                Use 1 for a live camera.
            keep_pictures: Whether results include the pictures.
            keep_heatmaps: Whether results include the heatmaps.

        Yields:
            Every frame, in ascending order. Unreadable frames are interpolated, see
            :func:`~stdpose_mm.inference.frame_estimate.interpolate_unreadable`.
        """
        limit = 2 * self.batch_size if max_waiting is None else max_waiting
        with closing(prefetch(self._crop(frames, keep_pictures))) as cropped:
            pipeline = _Pipeline(self.backend, self.batch_size, limit, keep_heatmaps)
            yield from interpolate_unreadable(pipeline.run(cropped))

    def _crop(self, frames: Iterable[BoxedFrame], keep_pictures: bool) -> Iterator[_CroppedFrame]:
        """Crop the people of every frame and build their windows when the next frames are there."""
        num_frames = self.backend.num_frames
        # Without windows every frame is seen alone, at its own box.
        is_shared = self.crops == 'frame' or not self.backend.sees_windows
        ahead = key_index(num_frames)
        near: deque[tuple[_Frame, np.ndarray | None]] = deque(maxlen=num_frames)
        waiting: deque[_Frame] = deque()
        images: list[_Image] = []
        # After the last frame there is nothing to wait for.
        for boxed in chain(frames, repeat(None, ahead)):
            if boxed is not None:
                index, picture, people = boxed
                frame = self._crop_people(index, picture, people, keep_pictures)
                waiting.append(frame)
                near.append((frame, None if is_shared else picture))
                images += frame.images
            if len(waiting) > ahead or (boxed is None and waiting):
                key = waiting.popleft()
                columns = self._windows(key, near, is_shared)
                if not is_shared:
                    images = [*dict.fromkeys(chain(key.images, *columns))]
                yield key, images, [*zip(*columns, strict=True)]
                images = []

    def _crop_people(
        self, index: int, picture: np.ndarray | None, people: FrameBoxes, keep_picture: bool
    ) -> _Frame:
        if picture is None:
            return _Frame(index, NO_PEOPLE, is_readable=False)
        crops = tuple(self.backend.codec.crop_at(box) for box in people.boxes)
        images = self._crop_images(picture, crops)
        return _Frame(index, people, crops, images, picture=picture if keep_picture else None)

    def _crop_images(self, picture: np.ndarray, crops: Sequence[Crop]) -> list[_Image]:
        return [_Image(self.backend.codec.crop_image(picture, crop)) for crop in crops]

    def _windows(
        self, key: _Frame, near: Iterable[tuple[_Frame, np.ndarray | None]], is_shared: bool
    ) -> list[list[_Image]]:
        """List the images of the people of a frame in each of the T frames of its window.

        Args:
            key: The frame.
            near: The frames around it, with their pictures if the people are cropped there anew.
            is_shared: Whether windows share the images of the frames.
        """
        beside = {frame.index: (frame, picture) for frame, picture in near}
        window = estimation_window(
            key.index, min(beside), max(beside), num_frames=self.backend.num_frames
        )
        # At the ends of the video a window contains the same frame several times.
        images = {key.index: key.images}
        for index in window.frames:
            frame, picture = beside.get(index, (key, None))
            if index in images:
                continue
            if is_shared:
                ids = frame.people.track_ids.tolist()
                image_of = dict(zip(ids, frame.images, strict=True))
                images[index] = [*map(image_of.get, key.people.track_ids.tolist(), key.images)]
            else:
                images[index] = (
                    key.images if picture is None else self._crop_images(picture, key.crops)
                )
        return [images[index] for index in window.frames]


@dataclass(eq=False)
class _Image:
    """The crop of a person in a frame.

    Args:
        pixels: uint8 [H', W', 3]; None once it is encoded.
        features: Its features; None before.
    """

    pixels: np.ndarray | None
    features: FrameFeatures | None = None


_WindowImages = Sequence[_Image]
"""The T images of a person."""


@dataclass(eq=False)
class _Frame:
    """A frame that is being processed.

    Args:
        index: 0-based frame.
        people: Its N people.
        crops: Regions of the N people in the frame.
        images: The N people in the frame.
        picture: Kept for the result, None otherwise, since many frames may wait for a full batch.
        is_readable: Whether there was a picture.
        heatmaps: Final heatmaps [K, h, w] of its people, appended one by one.
    """

    index: int
    people: FrameBoxes
    crops: tuple[Crop, ...] = ()
    images: list[_Image] = field(default_factory=list)
    picture: np.ndarray | None = None
    is_readable: bool = True
    heatmaps: list[np.ndarray] = field(default_factory=list)


_CroppedFrame = tuple[_Frame, Sequence[_Image], Sequence[_WindowImages]]
"""A frame, the images that no frame before it has brought, and the windows of its people."""


class _Pipeline:
    """Pipeline from cropped images to poses, in batches of several people and frames.

    Args:
        backend: The model.
        batch_size: Number of crops, and of windows, to collect.
        limit: Maximum number of frames that wait for a full batch.
        keep_heatmaps: Whether results include the heatmaps.
    """

    def __init__(
        self, backend: WindowBackend, batch_size: int, limit: int, keep_heatmaps: bool
    ) -> None:
        self._backend = backend
        # Backends that estimate poses in a video are loaded with a WindowModel.
        self._codec = cast(PoseCodec, backend.codec)
        self._batch_size = batch_size
        self._limit = limit
        self._keep_heatmaps = keep_heatmaps
        self._unfinished: deque[_Frame] = deque()
        self._images: deque[_Image] = deque()
        self._windows: deque[tuple[_WindowImages, _Frame]] = deque()

    def run(self, frames: Iterable[_CroppedFrame]) -> Iterator[FrameEstimate]:
        """Estimate the poses of all frames, in order."""
        for frame, images, windows in frames:
            self._images.extend(images)
            self._windows.extend((window, frame) for window in windows)
            self._unfinished.append(frame)
            yield from self._advance(len(self._unfinished) >= self._limit)
        yield from self._advance(flush=True)

    def _advance(self, flush: bool) -> Iterator[FrameEstimate]:
        """Process all full batches, or with ``flush`` all images; yield the finished frames."""
        while len(self._images) >= self._batch_size or (flush and self._images):
            self._encode()
            self._fuse(flush=False)
            yield from self._finished()
        self._fuse(flush)
        yield from self._finished()

    def _encode(self) -> None:
        number = min(self._batch_size, len(self._images))
        batch = [self._images.popleft() for _ in range(number)]
        features = self._backend.encode(np.stack([i.pixels for i in batch if i.pixels is not None]))
        for row, image in enumerate(batch):
            image.pixels, image.features = None, features.take(slice(row, row + 1))

    def _fuse(self, flush: bool) -> None:
        """Fuse the windows whose images are all encoded into final heatmaps."""
        while self._windows:
            complete = takewhile(lambda pair: all(i.features for i in pair[0]), self._windows)
            batch = list(islice(complete, self._batch_size))
            if not batch or (len(batch) < self._batch_size and not flush):
                return
            for _ in batch:
                self._windows.popleft()
            images = dict.fromkeys(chain.from_iterable(window for window, _ in batch))
            row_of = {image: row for row, image in enumerate(images)}
            rows = np.array([[row_of[image] for image in window] for window, _ in batch])
            features = FrameFeatures.concatenate([i.features for i in images if i.features])
            maps = self._backend.fuse(features, rows)
            for (_, frame), heatmaps in zip(batch, maps, strict=True):
                frame.heatmaps.append(heatmaps)

    def _finished(self) -> Iterator[FrameEstimate]:
        ready: list[_Frame] = []
        while self._unfinished and len(self._unfinished[0].heatmaps) == len(
            self._unfinished[0].people
        ):
            ready.append(self._unfinished.popleft())
        heatmaps = [maps for frame in ready for maps in frame.heatmaps]
        crops = [crop for frame in ready for crop in frame.crops]
        num_joints = self._backend.skeleton.num_keypoints
        keypoints, scores = np.zeros((0, num_joints, 2)), np.zeros((0, num_joints))
        if heatmaps:
            keypoints, scores = self._codec.decode(np.stack(heatmaps), crops)
        seen = ((f.index, f.people if f.is_readable else None, f.picture) for f in ready)
        for frame, estimate in zip(ready, split_by_frame(seen, keypoints, scores), strict=True):
            if not (self._keep_heatmaps and frame.is_readable):
                yield estimate
                continue
            width, height = self._backend.codec.heatmap_size
            maps = np.array(frame.heatmaps, np.float32).reshape(-1, num_joints, height, width)
            yield replace(estimate, heatmaps=maps, crops=frame.crops)
