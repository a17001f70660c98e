"""Pose estimation by a window model in a video whose person boxes are known."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice, takewhile
from typing import cast

import numpy as np

from stdpose_mm.constants import CROP_POLICIES, CropPolicy
from stdpose_mm.detection import BoxedFrame
from stdpose_mm.errors import require_choice
from stdpose_mm.structures import NO_PEOPLE, FrameBoxes, estimation_window, key_index

from .frame_estimate import FrameEstimate, interpolate_unreadable, unknown_frame
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
        # Without windows every frame is seen alone, at its own box.
        is_shared = self.crops == 'frame' or not self.backend.sees_windows
        crop = self._crop_frames if is_shared else self._crop_windows
        with closing(prefetch(crop(frames, keep_pictures))) as cropped:
            pipeline = _Pipeline(self.backend, self.batch_size, limit, keep_heatmaps)
            yield from interpolate_unreadable(pipeline.run(cropped))

    def _crop_frames(self, frames: Iterable[BoxedFrame], keep_pictures: bool) -> Iterator[_Frame]:
        """Crop the people of every frame."""
        for index, picture, people in frames:
            yield self._crop_people(index, picture, people, keep_pictures)

    def _crop_people(
        self, index: int, picture: np.ndarray | None, people: FrameBoxes, keep_picture: bool
    ) -> _Frame:
        if picture is None:
            return _Frame(index, NO_PEOPLE, is_readable=False)
        codec = self.backend.codec
        crops = tuple(codec.crop_at(box) for box in people.boxes)
        images = [codec.crop_image(picture, crop) for crop in crops]
        return _Frame(index, people, crops, images, picture=picture if keep_picture else None)

    def _crop_windows(self, frames: Iterable[BoxedFrame], keep_pictures: bool) -> Iterator[_Frame]:
        """Crop the windows of the people of every frame, the key frame first."""
        num_frames = self.backend.num_frames
        ahead = key_index(num_frames)
        recent: deque[BoxedFrame] = deque(maxlen=num_frames)
        for frame in frames:
            recent.append(frame)
            if len(recent) > ahead:
                yield self._crop_window(recent, recent[-1 - ahead], keep_pictures)
        # After the last frame there is nothing to wait for.
        for key in list(recent)[-ahead:]:
            yield self._crop_window(recent, key, keep_pictures)

    def _crop_window(
        self, recent: Sequence[BoxedFrame], key: BoxedFrame, keep_picture: bool
    ) -> _Frame:
        frame = self._crop_people(*key, keep_picture)
        if not frame.is_readable:
            return frame
        pictures = {index: picture for index, picture, _ in recent}
        own = np.arange(len(frame.crops))
        window = estimation_window(
            frame.index, min(pictures), max(pictures), num_frames=self.backend.num_frames
        )
        # At the ends of the video a window contains the same frame several times.
        first_image = {frame.index: 0}
        for index in window.frames:
            beside = pictures.get(index)
            if index not in first_image and beside is not None:
                first_image[index] = len(frame.images)
                frame.images += [self.backend.codec.crop_image(beside, c) for c in frame.crops]
        frame.rows = np.stack([own + first_image.get(index, 0) for index in window.frames], axis=1)
        return frame


@dataclass(eq=False)
class _Frame:
    """A frame that is being processed.

    Args:
        index: 0-based frame.
        people: Its N people.
        crops: Regions of the N people in the frame.
        images: Cropped images uint8 [H', W', 3] to encode; the first N show the frame itself.
        rows: [N, T] indices of the images that form the people's windows; None if windows share the
            images of the neighbouring frames.
        picture: Kept for the result, None otherwise, since many frames may wait for a full batch.
        is_readable: Whether there was a picture.
        first: Number of its first image, counted from the start of the video.
        heatmaps: Final heatmaps [K, h, w] of its people, appended one by one.
    """

    index: int
    people: FrameBoxes
    crops: tuple[Crop, ...] = ()
    images: list[np.ndarray] = field(default_factory=list)
    rows: np.ndarray | None = None
    picture: np.ndarray | None = None
    is_readable: bool = True
    first: int = 0
    heatmaps: list[np.ndarray] = field(default_factory=list)


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
        self._num_frames = backend.num_frames
        self._ahead = key_index(self._num_frames)
        # The last window waits for `_ahead` frames, of which the limit does not count the first.
        self._limit = limit + self._ahead - 1
        self._keep_heatmaps = keep_heatmaps
        # Frames in ascending order. Each is in one of the first two queues, and also in `_beside`
        # while it may still become part of a window.
        self._unwindowed: deque[_Frame] = deque()
        self._unfinished: deque[_Frame] = deque()
        self._beside: deque[_Frame] = deque(maxlen=self._num_frames)
        # Images to encode, and the features of earlier images in batches, each with the number of
        # its first image.
        self._images: deque[np.ndarray] = deque()
        self._features: deque[tuple[int, FrameFeatures]] = deque()
        self._encoded = self._added = 0
        # Windows to fuse: rows of image numbers, and the frame of each window.
        self._windows: deque[tuple[np.ndarray, _Frame]] = deque()

    def run(self, frames: Iterable[_Frame]) -> Iterator[FrameEstimate]:
        """Estimate the poses of all frames, in order."""
        for frame in frames:
            self._add(frame)
            yield from self._advance(len(self._unfinished) + len(self._unwindowed) > self._limit)
        self._make_windows(at_end=True)
        yield from self._advance(flush=True)

    def _add(self, frame: _Frame) -> None:
        frame.first = self._added
        self._added += len(frame.images)
        self._images.extend(frame.images)
        frame.images = []
        self._unwindowed.append(frame)
        self._beside.append(frame)
        self._make_windows()

    def _make_windows(self, at_end: bool = False) -> None:
        """Build the windows of all frames whose next frames have arrived or do not exist."""
        while self._unwindowed:
            frame = self._unwindowed[0]
            waits = len(self._unwindowed) <= self._ahead
            if frame.rows is None and waits and not at_end:
                return
            rows = self._shared_rows(frame) if frame.rows is None else frame.rows + frame.first
            self._windows.extend((row, frame) for row in rows)
            self._unfinished.append(self._unwindowed.popleft())

    def _shared_rows(self, frame: _Frame) -> np.ndarray:
        """Return the images [N, T] of a frame's people in the frames before, at and after it."""
        own = frame.first + np.arange(len(frame.people))
        rows = np.stack([own] * self._num_frames, axis=1)
        near = {beside.index: beside for beside in self._beside}
        window = estimation_window(frame.index, min(near), max(near), num_frames=self._num_frames)
        for side, index in enumerate(window.frames):
            beside = near.get(index, frame)
            same = frame.people.track_ids[:, None] == beside.people.track_ids
            found = same.any(axis=1)
            if found.any():
                rows[found, side] = beside.first + same[found].argmax(axis=1)
        return rows

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
        batch = np.stack([self._images.popleft() for _ in range(number)])
        self._features.append((self._encoded, self._backend.encode(batch)))
        self._encoded += number

    def _fuse(self, flush: bool) -> None:
        """Fuse the windows whose images are all encoded into final heatmaps."""
        while self._windows:
            complete = takewhile(lambda window: window[0].max() < self._encoded, self._windows)
            batch = list(islice(complete, self._batch_size))
            if not batch or (len(batch) < self._batch_size and not flush):
                return
            for _ in batch:
                self._windows.popleft()
            images, rows = np.unique(np.stack([row for row, _ in batch]), return_inverse=True)
            maps = self._backend.fuse(self._features_of(images), rows.reshape(-1, self._num_frames))
            for (_, frame), own in zip(batch, maps, strict=True):
                frame.heatmaps.append(own)
            self._drop_features()

    def _features_of(self, images: np.ndarray) -> FrameFeatures:
        """Collect the features of images, given by ascending numbers [M]."""
        batches = []
        for first, features in self._features:
            here = images[(images >= first) & (images < first + len(features))] - first
            if len(here):
                batches.append(features.take(here.tolist()))
        return FrameFeatures.concatenate(batches)

    def _drop_features(self) -> None:
        """Drop the batches of features that no later window needs."""
        needed = [frame.first for frame in list(self._beside)[-2 * self._ahead :]]
        needed += [int(row.min()) for row, _ in self._windows]
        while self._features and self._features[0][0] + len(self._features[0][1]) <= min(needed):
            self._features.popleft()

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
        start = 0
        for frame in ready:
            stop = start + len(frame.people)
            if not frame.is_readable:
                yield unknown_frame(frame.index, num_joints)
                continue
            estimate = FrameEstimate(
                frame.index,
                frame.people,
                keypoints[start:stop],
                scores[start:stop],
                picture=frame.picture,
            )
            if self._keep_heatmaps:
                width, height = self._backend.codec.heatmap_size
                maps = np.array(frame.heatmaps, np.float32).reshape(-1, num_joints, height, width)
                estimate = replace(estimate, heatmaps=maps, crops=frame.crops)
            yield estimate
            start = stop
