"""Pose estimation in every frame of a video whose person boxes are known, by a window model."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np

from stdpose_mm.constants import CROP_POLICIES, CropPolicy
from stdpose_mm.detection import BoxedFrame
from stdpose_mm.errors import require_choice, require_whole
from stdpose_mm.structures import NO_PEOPLE, FrameBoxes, estimation_window, key_place

from .frame_estimate import FrameEstimate, interpolate_unreadable, unknown_frame
from .prefetch import prefetch
from .window_backend import FrameFeatures, TorchWindowBackend, WindowBackend
from .window_model import Crop, WindowModel


class VideoPoseEstimator:
    """Run a window model over the people of a video, frame by frame.

    The window of a person in a frame consists of the crops of the frames before, at and after it:
    one on either side, or as many as the model's ``num_frames`` says. The frame itself stands in
    for one that is missing or cannot be read; so the first and the last frame of a video are
    estimated like all others.

    Crops 'frame': every frame is cropped at the person's own box in it, encoded once, and shared by
    the windows that it is in: one pass of the backbone per person and frame. A frame without the
    person (by track id) counts as missing. Crops 'window': all pictures are cropped at the box of
    the key frame, as in training: up to ``num_frames`` passes. The two are the same where a
    person's box does not change.

    Crops fill the network's batches across people and frames. The frames are read and cropped in a
    thread a few frames ahead. Memory does not grow with the video's length: only the features of
    the last frames are kept.

    Args:
        window_model: The model with its pipeline; it crops and decodes.
        backend: Runs its network; by default its PyTorch model.
        crops: 'frame' or 'window', see above.
        batch_size: Crops, and windows, in one pass of the network.

    Raises:
        InputError: If the batch size is not positive or ``crops`` is unknown.
    """

    def __init__(
        self,
        window_model: WindowModel,
        backend: WindowBackend | None = None,
        crops: CropPolicy = 'frame',
        batch_size: int = 8,
    ) -> None:
        require_whole('batch_size', batch_size, 1)
        require_choice('crops', crops, CROP_POLICIES)
        self.window_model = window_model
        self.backend = backend or TorchWindowBackend(window_model, batch_size)
        self.crops = crops
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
            frames: Ascending by index; another thread iterates over them until they end or the
                generator is closed.
            max_waiting: Frames whose poses may wait for a batch to fill, not counting those that
                the last window needs; twice the batch size by default. 1 for a live camera.
            keep_pictures: Whether results hold the pictures.
            keep_heatmaps: Whether results hold the heatmaps.

        Yields:
            Every frame, ascending, none left out. Those that cannot be read are interpolated, see
            :func:`~stdpose_mm.inference.interpolate_unreadable`.

        Raises:
            ValueError: If the indices do not ascend or ``max_waiting`` is not positive.
        """
        limit = 2 * self.batch_size if max_waiting is None else max_waiting
        if limit < 1:
            raise ValueError(f'max_waiting must be at least 1, got {max_waiting}')
        return self._estimate(frames, limit, keep_pictures, keep_heatmaps)

    def _estimate(
        self, frames: Iterable[BoxedFrame], limit: int, keep_pictures: bool, keep_heatmaps: bool
    ) -> Generator[FrameEstimate, None, None]:
        crop = self._crop_frames if self._shares_features else self._crop_windows
        with closing(prefetch(crop(_ascending(frames), keep_pictures))) as cropped:
            pipeline = _Pipeline(self, limit, keep_heatmaps)
            yield from interpolate_unreadable(pipeline.run(cropped))

    @property
    def _shares_features(self) -> bool:
        # Without windows every frame is seen by itself, at its own box.
        return self.crops == 'frame' or not self.backend.sees_windows

    def _crop_frames(self, frames: Iterable[BoxedFrame], keep_pictures: bool) -> Iterator[_Frame]:
        """Crop the people of every frame."""
        for index, picture, people in frames:
            if picture is None:
                yield _Frame(index, NO_PEOPLE, is_readable=False)
                continue
            crops = tuple(self.window_model.crop_at(box) for box in people.boxes)
            images = [self.window_model.crop_image(picture, crop) for crop in crops]
            yield _Frame(index, people, crops, images, picture=picture if keep_pictures else None)

    def _crop_windows(self, frames: Iterable[BoxedFrame], keep_pictures: bool) -> Iterator[_Frame]:
        """Crop the windows of the people of every frame, the key frame first."""
        num_frames = self.window_model.num_frames
        ahead = key_place(num_frames)
        recent: deque[BoxedFrame] = deque(maxlen=num_frames)
        for frame in frames:
            recent.append(frame)
            if len(recent) > ahead:
                yield self._crop_window(list(recent), recent[-1 - ahead][0], keep_pictures)
        # Behind the last frame there is nothing to wait for.
        for index, _, _ in list(recent)[-ahead:]:
            yield self._crop_window(list(recent), index, keep_pictures)

    def _crop_window(self, recent: list[BoxedFrame], key: int, keep_picture: bool) -> _Frame:
        pictures = {index: picture for index, picture, _ in recent}
        people = next(people for index, _, people in recent if index == key)
        picture = pictures[key]
        if picture is None:
            return _Frame(key, NO_PEOPLE, is_readable=False)
        crops = tuple(self.window_model.crop_at(box) for box in people.boxes)
        images = [self.window_model.crop_image(picture, crop) for crop in crops]
        own = np.arange(len(crops))
        num_frames = self.window_model.num_frames
        rows = np.stack([own] * num_frames, axis=1)
        window = estimation_window(key, recent[0][0], recent[-1][0], num_frames=num_frames)
        # At the ends of the video a frame is in a window several times.
        first_image = {key: 0}
        for side, index in enumerate(window.frames):
            beside = pictures.get(index)
            if index not in first_image and beside is not None:
                first_image[index] = len(images)
                images.extend(self.window_model.crop_image(beside, crop) for crop in crops)
            rows[:, side] = own + first_image.get(index, 0)
        return _Frame(key, people, crops, images, rows, picture if keep_picture else None)


@dataclass(eq=False)
class _Frame:
    """Hold a frame on its way through the network.

    Args:
        index: 0-based frame.
        people: Its N people.
        crops: Where the N people lie in it.
        images: Cropped images uint8 [H', W', 3] to encode; the first N are of the frame itself.
        rows: [N, T] which of the images make the people's windows; None if windows share the
            images of the neighbouring frames.
        picture: Kept for the result, None otherwise: many frames may wait for a batch to fill.
        is_readable: Whether there was a picture.
        first: The number of its first image, counted from the start of the video.
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
    """Turn cropped images into poses, in batches across people and frames.

    Args:
        estimator: The model and its settings.
        limit: Frames that may wait for a batch to fill.
        keep_heatmaps: Whether results hold the heatmaps.
    """

    def __init__(self, estimator: VideoPoseEstimator, limit: int, keep_heatmaps: bool) -> None:
        self._model = estimator.window_model
        self._backend = estimator.backend
        self._batch_size = estimator.batch_size
        self._num_frames = self._model.num_frames
        self._ahead = key_place(self._num_frames)
        # The last window waits for `_ahead` frames, of which the limit does not count the first.
        self._limit = limit + self._ahead - 1
        self._keep_heatmaps = keep_heatmaps
        # Frames, ascending: each is in one of the first two queues, and those that may still be
        # part of a window are in `_beside`.
        self._unwindowed: deque[_Frame] = deque()
        self._unfinished: deque[_Frame] = deque()
        self._beside: deque[_Frame] = deque(maxlen=self._num_frames)
        # Images to encode, and the features of earlier images, in batches with the number of each
        # batch's first image.
        self._images: deque[np.ndarray] = deque()
        self._features: deque[tuple[int, FrameFeatures]] = deque()
        self._encoded = self._added = 0
        # Windows to fuse: rows of image numbers, and the frame that each belongs to.
        self._windows: deque[tuple[np.ndarray, _Frame]] = deque()

    def run(self, frames: Iterable[_Frame]) -> Iterator[FrameEstimate]:
        """Estimate the poses of all frames, in their order."""
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
        """Make the windows of all frames whose next frames have arrived or do not exist."""
        while self._unwindowed:
            frame = self._unwindowed[0]
            waits = len(self._unwindowed) <= self._ahead
            if frame.rows is None and waits and not at_end:
                return
            rows = self._shared_rows(frame) if frame.rows is None else frame.rows + frame.first
            self._windows.extend((row, frame) for row in rows)
            self._unfinished.append(self._unwindowed.popleft())

    def _shared_rows(self, frame: _Frame) -> np.ndarray:
        """Find the images [N, T] of the people of a frame in the frames before, at and after it."""
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
            number = min(self._batch_size, len(self._windows))
            batch: list[tuple[np.ndarray, _Frame]] = []
            for row, frame in self._windows:
                if len(batch) == number or row.max() >= self._encoded:
                    break
                batch.append((row, frame))
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
        """Collect the features of images by their ascending numbers [M]."""
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
        num_joints = self._model.skeleton.num_keypoints
        keypoints, scores = np.zeros((0, num_joints, 2)), np.zeros((0, num_joints))
        if heatmaps:
            keypoints, scores = self._model.decode(np.stack(heatmaps), crops)
        start = 0
        for frame in ready:
            stop = start + len(frame.people)
            if not frame.is_readable:
                yield unknown_frame(frame.index, num_joints)
            else:
                yield FrameEstimate(
                    frame.index,
                    frame.people,
                    keypoints[start:stop],
                    scores[start:stop],
                    picture=frame.picture,
                    heatmaps=self._heatmaps(frame),
                    crops=frame.crops if self._keep_heatmaps else (),
                )
            start = stop

    def _heatmaps(self, frame: _Frame) -> np.ndarray | None:
        if not self._keep_heatmaps:
            return None
        width, height = self._model.heatmap_size
        num_joints = self._model.skeleton.num_keypoints
        return np.reshape(
            np.array(frame.heatmaps, dtype=np.float32), (-1, num_joints, height, width)
        )


def _ascending(frames: Iterable[BoxedFrame]) -> Iterator[BoxedFrame]:
    last = -1
    for frame in frames:
        if frame[0] <= last:
            raise ValueError(f'frame indices must ascend, got {frame[0]} after {last}')
        last = frame[0]
        yield frame
