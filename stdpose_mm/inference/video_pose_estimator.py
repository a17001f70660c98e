"""Poses in every frame of a video whose person boxes are known, by a window model."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np

from stdpose_mm.choices import CROP_POLICIES, CropPolicy
from stdpose_mm.structures import NO_PEOPLE, TrackedBoxes, estimation_window

from .frame_estimate import FrameEstimate, interpolate_unreadable, unknown_frame
from .prefetch import prefetch
from .window_backend import FrameFeatures, TorchWindowBackend, WindowBackend
from .window_model import Crop, WindowModel

SeenFrame = tuple[int, 'np.ndarray | None', TrackedBoxes]
"""A frame's index, its picture BGR uint8 [H, W, 3] (None if it cannot be read), and its people."""


class VideoPoseEstimator:
    """Runs a window model over the people of a video, frame after frame.

    The window of a person in a frame are the crops of the frames before, at and after it. Where
    there is no such frame, or it cannot be read, the frame itself stands in; so the first and the
    last frame of a video are estimated like all others.

    Crops 'frame': every frame is cropped at the person's own box in it, encoded once, and shared by
    the three windows that it is in: one pass of the backbone per person and frame. A frame without
    the person (by track id) is one that is not there. Crops 'window': all three pictures are
    cropped at the box of the key frame, as in training: up to three passes. The two are the same
    where a person's box stays as it is.

    Crops fill the network's batches across people and frames. Whoever makes the frames, and the
    cropping, runs in a thread a few frames ahead. Memory does not grow with the video's length:
    the codes of the last frames alone are kept.

    Args:
        window_model: The model with its pipeline; it crops and decodes.
        network: What runs its network; by default its PyTorch model.
        crops: See above.
        batch_size: Crops, and windows, that the network sees at once.

    Raises:
        ValueError: If the batch size is not positive or there is no such policy.
    """

    def __init__(
        self,
        window_model: WindowModel,
        network: WindowBackend | None = None,
        crops: CropPolicy = 'frame',
        batch_size: int = 8,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f'batch_size must be at least 1, got {batch_size}')
        if crops not in CROP_POLICIES:
            raise ValueError(f'crops must be one of {CROP_POLICIES}, got {crops!r}')
        self.window_model = window_model
        self.network = network or TorchWindowBackend(window_model, batch_size)
        self.crops = crops
        self.batch_size = batch_size

    def estimate(
        self,
        frames: Iterable[SeenFrame],
        max_waiting: int | None = None,
        keep_pictures: bool = False,
        keep_heatmaps: bool = False,
    ) -> Generator[FrameEstimate, None, None]:
        """Estimate everyone's pose in every frame.

        Args:
            frames: Ascending by index; iterated by another thread until it ends or the generator
                is closed.
            max_waiting: Frames whose poses may wait for a batch to fill, not counting the one that
                the last window needs; twice the batch size by default. 1 for a live picture.
            keep_pictures: Whether results hold the pictures.
            keep_heatmaps: Whether results hold the heatmaps.

        Yields:
            Every frame, ascending, none left out. Those that cannot be read are bridged, see
            :func:`~stdpose_mm.inference.frame_estimate.bridge`.

        Raises:
            ValueError: If the indices do not ascend or ``max_waiting`` is not positive.
        """
        limit = 2 * self.batch_size if max_waiting is None else max_waiting
        if limit < 1:
            raise ValueError(f'max_waiting must be at least 1, got {max_waiting}')
        return self._estimate(frames, limit, keep_pictures, keep_heatmaps)

    def _estimate(
        self, frames: Iterable[SeenFrame], limit: int, keep_pictures: bool, keep_heatmaps: bool
    ) -> Generator[FrameEstimate, None, None]:
        cut = self._cut_frames if self._shares_codes else self._cut_windows
        with closing(prefetch(cut(_ascending(frames)))) as seen:
            pipeline = _Pipeline(self, limit, keep_pictures, keep_heatmaps)
            yield from interpolate_unreadable(pipeline.run(seen))

    @property
    def _shares_codes(self) -> bool:
        # Without windows every frame is seen by itself, at its own box.
        return self.crops == 'frame' or not self.network.sees_windows

    def _cut_frames(self, frames: Iterable[SeenFrame]) -> Iterator[_Frame]:
        """Every frame with the crops of its people."""
        for index, picture, people in frames:
            if picture is None:
                yield _Frame(index, None, NO_PEOPLE)
                continue
            crops = tuple(self.window_model.crop_at(box) for box in people.boxes)
            cuts = [self.window_model.cut(picture, crop) for crop in crops]
            yield _Frame(index, picture, people, crops, cuts)

    def _cut_windows(self, frames: Iterable[SeenFrame]) -> Iterator[_Frame]:
        """Every frame with the crops of its people's windows: those of the key first."""
        recent: deque[SeenFrame] = deque(maxlen=3)
        for frame in frames:
            recent.append(frame)
            if len(recent) > 1:
                yield self._cut_window(list(recent), recent[-2][0])
        if recent:
            yield self._cut_window(list(recent), recent[-1][0])

    def _cut_window(self, recent: list[SeenFrame], key: int) -> _Frame:
        pictures = {index: picture for index, picture, _ in recent}
        people = next(people for index, _, people in recent if index == key)
        picture = pictures[key]
        if picture is None:
            return _Frame(key, None, NO_PEOPLE)
        crops = tuple(self.window_model.crop_at(box) for box in people.boxes)
        cuts = [self.window_model.cut(picture, crop) for crop in crops]
        own = np.arange(len(crops))
        rows = np.stack([own, own, own], axis=1)
        window = estimation_window(key, recent[0][0], recent[-1][0])
        for side, index in enumerate(window.frames):
            beside = pictures.get(index)
            if index != key and beside is not None:
                rows[:, side] = own + len(cuts)
                cuts.extend(self.window_model.cut(beside, crop) for crop in crops)
        return _Frame(key, picture, people, crops, cuts, rows)


@dataclass(eq=False)
class _Frame:
    """A frame on its way through the network.

    Args:
        index: 0-based frame.
        picture: None if it cannot be read.
        people: Its N people.
        crops: Where they lie in it.
        cuts: What the network is to see, uint8 [H', W', 3] each; the first N are the people's own.
        rows: [N, 3] which of the cuts make the people's windows; None if these are shared with
            the frames beside this one.
        first: The number of its first cut, counted from the start of the video.
        heatmaps: Final heatmaps [K, h, w] of its people, as they come.
    """

    index: int
    picture: np.ndarray | None
    people: TrackedBoxes
    crops: tuple[Crop, ...] = ()
    cuts: list[np.ndarray] = field(default_factory=list)
    rows: np.ndarray | None = None
    first: int = 0
    heatmaps: list[np.ndarray] = field(default_factory=list)


class _Pipeline:
    """From crops to poses, in batches that do not care whose crops they are.

    Args:
        estimator: The model and its settings.
        limit: Frames that may wait.
        keep_pictures: Whether results hold the pictures.
        keep_heatmaps: Whether results hold the heatmaps.
    """

    def __init__(
        self, estimator: VideoPoseEstimator, limit: int, keep_pictures: bool, keep_heatmaps: bool
    ) -> None:
        self._model = estimator.window_model
        self._network = estimator.network
        self._batch_size = estimator.batch_size
        self._limit = limit
        self._keep_pictures = keep_pictures
        self._keep_heatmaps = keep_heatmaps
        # Frames, ascending, in three states; each frame is in one of the first two, those that
        # may still be someone's neighbour are in `_beside`.
        self._unwindowed: deque[_Frame] = deque()
        self._unfinished: deque[_Frame] = deque()
        self._beside: deque[_Frame] = deque(maxlen=3)
        # Crops to encode, and the codes of those before them: batches with the number of the first.
        self._cuts: deque[np.ndarray] = deque()
        self._codes: deque[tuple[int, FrameFeatures]] = deque()
        self._encoded = self._added = 0
        # Windows to fuse: rows of crop numbers, and the frame that each belongs to.
        self._windows: deque[tuple[np.ndarray, _Frame]] = deque()

    def run(self, frames: Iterable[_Frame]) -> Iterator[FrameEstimate]:
        """Poses of all frames, in their order."""
        for frame in frames:
            self._add(frame)
            yield from self._advance(len(self._unfinished) + len(self._unwindowed) > self._limit)
        self._make_windows(at_end=True)
        yield from self._advance(flush=True)

    def _add(self, frame: _Frame) -> None:
        frame.first = self._added
        self._added += len(frame.cuts)
        self._cuts.extend(frame.cuts)
        frame.cuts = []
        if not self._keep_pictures and frame.picture is not None:
            # Whether there is one is all that matters from here on.
            frame.picture = frame.picture[:0]
        self._unwindowed.append(frame)
        self._beside.append(frame)
        self._make_windows()

    def _make_windows(self, at_end: bool = False) -> None:
        """The windows of all frames whose next frame is there, or will not come."""
        while self._unwindowed:
            frame = self._unwindowed[0]
            if frame.rows is None and frame is self._beside[-1] and not at_end:
                return
            rows = self._shared_rows(frame) if frame.rows is None else frame.rows + frame.first
            self._windows.extend((row, frame) for row in rows)
            self._unfinished.append(self._unwindowed.popleft())

    def _shared_rows(self, frame: _Frame) -> np.ndarray:
        """[N, 3] the crops of the people of a frame in the frame before, at, and after it."""
        own = frame.first + np.arange(len(frame.people))
        rows = np.stack([own, own, own], axis=1)
        near = {beside.index: beside for beside in self._beside}
        window = estimation_window(frame.index, min(near), max(near))
        for side, index in enumerate(window.frames):
            beside = near.get(index, frame)
            same = frame.people.track_ids[:, None] == beside.people.track_ids
            found = same.any(axis=1)
            if found.any():
                rows[found, side] = beside.first + same[found].argmax(axis=1)
        return rows

    def _advance(self, flush: bool) -> Iterator[FrameEstimate]:
        """Do the work of all full batches, or all work there is; yield what is finished."""
        while len(self._cuts) >= self._batch_size or (flush and self._cuts):
            self._encode()
            self._fuse(flush=False)
            yield from self._finished()
        self._fuse(flush)
        yield from self._finished()

    def _encode(self) -> None:
        number = min(self._batch_size, len(self._cuts))
        batch = np.stack([self._cuts.popleft() for _ in range(number)])
        self._codes.append((self._encoded, self._network.encode(batch)))
        self._encoded += number

    def _fuse(self, flush: bool) -> None:
        """Final heatmaps of the windows whose crops are all encoded."""
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
            crops, rows = np.unique(np.stack([row for row, _ in batch]), return_inverse=True)
            maps = self._network.fuse(self._codes_of(crops), rows.reshape(-1, 3))
            for (_, frame), own in zip(batch, maps, strict=True):
                frame.heatmaps.append(own)
            self._forget_codes()

    def _codes_of(self, crops: np.ndarray) -> FrameFeatures:
        """The codes of crops by their ascending numbers [M]."""
        parts = []
        for first, codes in self._codes:
            here = crops[(crops >= first) & (crops < first + len(codes))] - first
            if len(here):
                parts.append(codes.take(here.tolist()))
        return FrameFeatures.concatenate(parts)

    def _forget_codes(self) -> None:
        """Drop the batches of codes that no window can ask for any more."""
        needed = [frame.first for frame in list(self._beside)[-2:]]
        needed += [int(row.min()) for row, _ in self._windows]
        while self._codes and self._codes[0][0] + len(self._codes[0][1]) <= min(needed):
            self._codes.popleft()

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
            if frame.picture is None:
                yield unknown_frame(frame.index, num_joints)
            else:
                yield FrameEstimate(
                    frame.index,
                    frame.people,
                    keypoints[start:stop],
                    scores[start:stop],
                    picture=frame.picture if self._keep_pictures else None,
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


def _ascending(frames: Iterable[SeenFrame]) -> Iterator[SeenFrame]:
    last = -1
    for frame in frames:
        if frame[0] <= last:
            raise ValueError(f'frame indices must ascend, got {frame[0]} after {last}')
        last = frame[0]
        yield frame
