"""Where the boxes and identities of people in unlabelled video come from.

A box source turns the pictures of a video into a stream of :class:`BoxedFrame`, one for each frame,
in order, with memory that does not grow with the length of the video.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from mmengine.logging import MMLogger

from stdpose_mm.errors import InputError
from stdpose_mm.io.video import FrameSource
from stdpose_mm.structures import NO_PEOPLE, FrameDetections, TrackedBoxes
from stdpose_mm.tracking.person_tracker import PersonTracker

from .person_detector import PersonDetector

MAX_BROKEN = 64
"""So many frames in a row that cannot be read are bridged at most."""

Pictures = Iterable[np.ndarray | None]
"""A ``FrameSource``, or any iterable of BGR uint8 [H, W, 3]; None is a frame that was lost."""

BrokenFrame = Callable[[int, str], None]
"""Told the index of a frame that cannot be read, and why."""


class BoxedFrame(NamedTuple):
    """A frame and the people in it.

    Args:
        frame_index: 0-based.
        picture: BGR uint8 [H, W, 3]; None if the frame cannot be read.
        people: Their boxes; in a frame that cannot be read those that are known or can be told
            from the frames around it.
    """

    frame_index: int
    picture: np.ndarray | None
    people: TrackedBoxes


class BoxSource(ABC):
    """Finds the people of a video's frames."""

    @abstractmethod
    def __call__(
        self, pictures: Pictures, on_broken: BrokenFrame | None = None
    ) -> Iterator[BoxedFrame]:
        """The frames of one video with their people, in order, none left out.

        Args:
            pictures: The video. A frame of a ``FrameSource`` that cannot be read, or a None in
                any other iterable, comes out with ``picture`` None.
            on_broken: Told of each such frame; by default it is logged as a warning.

        Raises:
            InputError: If a picture is not as described.
        """


class DetectedBoxes(BoxSource):
    """People by a detector on every n-th frame, with a tracker's identities.

    In the frames between, boxes are interpolated between a person's detections. A person who is
    missed once is bridged in the same way. Who is seen in one detection and not in the next is
    carried on at the last motion for half of the frames between (and held there before the first
    detection): that is the best guess of when he left (or came). Who comes and is seen only once is
    left out. The last frame is always looked at. A frame comes out at most ``2 * every`` frames
    after it was read.

    Args:
        detector: Finds the people of one picture.
        every: It runs on every so many frames, on the next one that can be read if need be.
        tracker: Told the same ``every``; by default a :class:`PersonTracker`.

    Raises:
        InputError: If ``every`` is no positive number, or tracking is not possible.
    """

    def __init__(
        self, detector: PersonDetector, every: int = 1, tracker: PersonTracker | None = None
    ) -> None:
        if every < 1:
            raise InputError(f'the detector must run on every frame or every n-th, got {every}')
        self.detector = detector
        self.every = every
        self.tracker = tracker or PersonTracker(every)

    def __call__(
        self, pictures: Pictures, on_broken: BrokenFrame | None = None
    ) -> Iterator[BoxedFrame]:
        """See :class:`BoxSource`."""
        self.tracker.reset()
        bridge = _Bridge()
        last: int | None = None
        for frame_index, picture in _read(pictures, on_broken):
            bridge.append(frame_index, picture)
            due = last is None or frame_index - last >= self.every
            if picture is not None and due:
                bridge.look(frame_index, self._look(frame_index, picture))
                last = frame_index
            yield from bridge.finished()
        newest = bridge.newest_readable()
        if newest is not None and newest.frame_index != last:
            assert newest.picture is not None
            bridge.look(newest.frame_index, self._look(newest.frame_index, newest.picture))
        yield from bridge.rest()

    def _look(self, frame_index: int, picture: np.ndarray) -> TrackedBoxes:
        return self.tracker.update(frame_index, self.detector(picture))


class PrecomputedBoxes(BoxSource):
    """People whose boxes are given for each frame.

    Every given box comes out unchanged, in the given order. Frames with boxes that have no
    identities are tracked.

    Args:
        boxes: Frame index -> its boxes: with identities, or in all frames without. Frames that are
            not named hold nobody. See :func:`as_boxes` and
            :func:`~stdpose_mm.detection.box_files.read_boxes`.
        tracker: For boxes without identities; by default a :class:`PersonTracker`.

    Raises:
        InputError: If identities are given in some frames only.
    """

    def __init__(
        self,
        boxes: Mapping[int, TrackedBoxes | FrameDetections],
        tracker: PersonTracker | None = None,
    ) -> None:
        inhabited = {frame: found for frame, found in boxes.items() if len(found.boxes)}
        unnamed = [f for f, found in inhabited.items() if isinstance(found, FrameDetections)]
        if unnamed and len(unnamed) < len(inhabited):
            named = next(f for f in inhabited if f not in unnamed)
            raise InputError(
                f'the boxes of frame {named} have track ids and those of frame {unnamed[0]} have '
                'none, give them in all frames or in none'
            )
        self._boxes = inhabited
        self._tracker = (tracker or PersonTracker()) if unnamed else None

    def __call__(
        self, pictures: Pictures, on_broken: BrokenFrame | None = None
    ) -> Iterator[BoxedFrame]:
        """See :class:`BoxSource`.

        Raises:
            InputError: If boxes are given on frames that the video does not have.
        """
        if isinstance(pictures, Sized):
            self._require_frames(len(pictures))
        if self._tracker is not None:
            self._tracker.reset()
        count = 0
        for frame_index, picture in _read(pictures, on_broken):
            yield BoxedFrame(frame_index, picture, self._people(frame_index))
            count += 1
        self._require_frames(count)

    def _require_frames(self, count: int) -> None:
        beyond = [frame for frame in self._boxes if not 0 <= frame < count]
        if beyond:
            raise InputError(
                f'boxes are given on frame {beyond[0]}, the video has {count} frames; give '
                '0-based frame numbers of this video'
            )

    def _people(self, frame_index: int) -> TrackedBoxes:
        found = self._boxes.get(frame_index)
        if found is None:
            return NO_PEOPLE
        if isinstance(found, TrackedBoxes):
            return found
        assert self._tracker is not None
        # What a person gave is sure: with a score of 1 no box is left out.
        sure = FrameDetections(found.boxes, np.ones(len(found.boxes)))
        tracked = self._tracker.update(frame_index, sure)
        return TrackedBoxes(found.boxes, found.scores, tracked.track_ids)


class WholePicture(BoxSource):
    """One person, number 0, who fills the picture."""

    def __call__(
        self, pictures: Pictures, on_broken: BrokenFrame | None = None
    ) -> Iterator[BoxedFrame]:
        """See :class:`BoxSource`."""
        people = NO_PEOPLE
        for frame_index, picture in _read(pictures, on_broken):
            if picture is not None:
                height, width = picture.shape[:2]
                people = TrackedBoxes(
                    np.array([[0.0, 0.0, width, height]]), np.ones(1), np.zeros(1, np.int64)
                )
            yield BoxedFrame(frame_index, picture, people)


def as_boxes(
    given: Mapping[int, object] | Sequence[object],
) -> dict[int, TrackedBoxes | FrameDetections]:
    """Boxes from what a program has, for :class:`PrecomputedBoxes`.

    Args:
        given: One entry a frame, in order, or frame index -> entry. An entry is

            - an array [N, 4] of x, y, width, height in pixels, or [N, 5] with the score last;
            - a dict with ``boxes`` like that, and ``scores`` [N] and ``track_ids`` [N] if known;
            - :class:`TrackedBoxes` or :class:`FrameDetections`;
            - None for nobody.

    Returns:
        Frame index -> boxes; ``TrackedBoxes`` where identities are given.

    Raises:
        InputError: If an entry is not as described.
    """
    entries = given.items() if isinstance(given, Mapping) else enumerate(given)
    boxes = {}
    for frame, entry in entries:
        if isinstance(frame, bool) or not isinstance(frame, (int, np.integer)) or frame < 0:
            raise InputError(f'boxes are given for frame {frame!r}, expected 0, 1, 2, ...')
        if entry is not None:
            boxes[int(frame)] = _as_boxes(int(frame), entry)
    return boxes


def _as_boxes(frame: int, entry: object) -> TrackedBoxes | FrameDetections:
    track_ids: object = None
    scores: object = None
    if isinstance(entry, TrackedBoxes):
        return entry
    if isinstance(entry, FrameDetections):
        values: object = entry.boxes
        scores = entry.scores
    elif isinstance(entry, Mapping):
        unknown = set(entry) - {'boxes', 'scores', 'track_ids'}
        if unknown or 'boxes' not in entry:
            raise InputError(
                f'the boxes of frame {frame} have the keys {", ".join(map(str, entry))}, expected '
                'boxes, and scores and track_ids if known'
            )
        values, scores, track_ids = entry['boxes'], entry.get('scores'), entry.get('track_ids')
    else:
        values = entry
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(
            f'the boxes of frame {frame} are no array of numbers, expected [N, 4] x, y, width, '
            'height'
        ) from None
    if array.size == 0:
        array = array.reshape(0, 4)
    if array.ndim == 2 and array.shape[1] == 5 and scores is None:
        array, scores = array[:, :4], array[:, 4]
    if scores is None:
        scores = np.ones(len(array))
    # The same checks with and without identities; numbers stand in for those that are not known.
    numbers = np.arange(len(array)) if track_ids is None else np.asarray(track_ids)
    try:
        people = TrackedBoxes(array, np.asarray(scores, dtype=np.float64), numbers)
    except (TypeError, ValueError) as error:
        raise InputError(f'frame {frame}: {error}') from error
    return FrameDetections(people.boxes, people.scores) if track_ids is None else people


def _read(
    pictures: Pictures, on_broken: BrokenFrame | None
) -> Iterator[tuple[int, np.ndarray | None]]:
    on_broken = on_broken or _warn
    if not isinstance(pictures, FrameSource):
        for index, picture in enumerate(pictures):
            if picture is None:
                on_broken(index, f'frame {index} is missing')
            yield index, None if picture is None else _checked(index, picture)
        return
    for index in range(len(pictures)):
        try:
            read = pictures[index]
        except InputError as error:
            on_broken(index, str(error))
            read = None
        yield index, read


def _warn(frame_index: int, reason: str) -> None:
    MMLogger.get_current_instance().warning(
        f'frame {frame_index} cannot be read and is bridged: {reason}'
    )


def _checked(index: int, picture: np.ndarray) -> np.ndarray:
    shape, dtype = getattr(picture, 'shape', None), getattr(picture, 'dtype', None)
    if dtype != np.uint8 or shape is None or len(shape) != 3 or shape[2] != 3 or 0 in shape:
        what = f'{dtype} {list(shape)}' if shape is not None else type(picture).__name__
        raise InputError(f'frame {index} is {what}, expected a BGR picture uint8 [H, W, 3]')
    return picture


@dataclass
class _Waiting:
    """A frame whose people are not all known yet."""

    frame_index: int
    picture: np.ndarray | None
    people: dict[int, tuple[np.ndarray, float]] = field(default_factory=dict)

    def boxed(self) -> BoxedFrame:
        if not self.people:
            return BoxedFrame(self.frame_index, self.picture, NO_PEOPLE)
        boxes, scores = zip(*self.people.values(), strict=True)
        people = TrackedBoxes(np.stack(boxes), np.array(scores), np.array(list(self.people)))
        return BoxedFrame(self.frame_index, self.picture, people)


@dataclass
class _Seen:
    """Where a person was seen last, and in which look first."""

    first_look: int
    look: int
    frame: int
    box: np.ndarray
    score: float
    velocity: np.ndarray  # [4] pixels a frame; the size stays


class _Bridge:
    """Frames in waiting, whose people are filled in from the looks before and after.

    A look is a frame that the detector saw. A person is interpolated between two looks that are
    at most ``LOOKS`` apart.
    """

    LOOKS = 2

    def __init__(self) -> None:
        self._waiting: deque[_Waiting] = deque()
        self._seen: dict[int, _Seen] = {}
        self._look_frames: deque[int] = deque(maxlen=self.LOOKS)
        self._num_looks = 0

    def append(self, frame_index: int, picture: np.ndarray | None) -> None:
        """Let a frame wait."""
        self._waiting.append(_Waiting(frame_index, picture))

    def newest_readable(self) -> _Waiting | None:
        """The last frame in waiting that has a picture."""
        return next((w for w in reversed(self._waiting) if w.picture is not None), None)

    def look(self, frame: int, people: TrackedBoxes) -> None:
        """Take in what the detector saw in a frame."""
        # Without a look before, all earlier frames could not be read.
        before = self._look_frames[-1] if self._look_frames else -frame
        self._look_frames.append(frame)
        self._num_looks += 1
        for track, box, score in zip(
            people.track_ids.tolist(), people.boxes, people.scores.tolist(), strict=True
        ):
            last = self._seen.get(track)
            velocity = np.zeros(4)
            if last is None:
                since = frame - (frame - before) // 2
            else:
                since = last.frame + 1
                velocity[:2] = (_centre(box) - _centre(last.box)) / (frame - last.frame)
            for between in range(since, frame):
                if last is None:
                    self._put(track, between, box, score)
                else:
                    share = (between - last.frame) / (frame - last.frame)
                    self._put(
                        track,
                        between,
                        last.box + share * (box - last.box),
                        last.score + share * (score - last.score),
                    )
            self._put(track, frame, box, score)
            first_look = self._num_looks if last is None else last.first_look
            self._seen[track] = _Seen(first_look, self._num_looks, frame, box, score, velocity)
        self._leave_out_seen_once()
        lost = [t for t, s in self._seen.items() if s.look <= self._num_looks - self.LOOKS]
        for track in lost:
            self._carry_on(track, self._seen.pop(track))

    def finished(self) -> Iterator[BoxedFrame]:
        """The frames whose people no later look changes."""
        if len(self._look_frames) == self.LOOKS:
            while self._waiting and self._waiting[0].frame_index <= self._look_frames[0]:
                yield self._waiting.popleft().boxed()
        broken = sum(waiting.picture is None for waiting in self._waiting)
        while broken > MAX_BROKEN:
            first = self._waiting.popleft()
            broken -= first.picture is None
            yield first.boxed()

    def rest(self) -> Iterator[BoxedFrame]:
        """The frames that wait at the end of the video."""
        for track, seen in self._seen.items():
            if seen.look < self._num_looks:
                self._carry_on(track, seen)
            elif self._waiting:
                # What comes after the last look cannot be read.
                for frame in range(seen.frame + 1, self._waiting[-1].frame_index + 1):
                    self._put(track, frame, seen.box, seen.score)
        while self._waiting:
            yield self._waiting.popleft().boxed()

    def _leave_out_seen_once(self) -> None:
        """Remove whoever began at the look before and is gone: most are mistakes of the detector.

        The tracker forgets them, too. Those of the first look it trusts.
        """
        doubtful = self._num_looks - 1
        once = [t for t, s in self._seen.items() if s.first_look == s.look == doubtful > 1]
        for track in once:
            del self._seen[track]
            for waiting in self._waiting:
                waiting.people.pop(track, None)

    def _carry_on(self, track: int, seen: _Seen) -> None:
        """Move a person on for half of the frames before the look that missed him."""
        missed = self._look_frames[seen.look - self._num_looks]
        for elapsed in range(1, (missed - seen.frame) // 2 + 1):
            self._put(track, seen.frame + elapsed, seen.box + elapsed * seen.velocity, seen.score)

    def _put(self, track: int, frame: int, box: np.ndarray, score: float) -> None:
        position = frame - self._waiting[0].frame_index if self._waiting else -1
        # A frame that could wait no longer has gone.
        if position >= 0:
            self._waiting[position].people[track] = (box, score)


def _centre(box: np.ndarray) -> np.ndarray:
    centre: np.ndarray = box[:2] + box[2:] / 2
    return centre
