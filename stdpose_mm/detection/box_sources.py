"""Sources of the boxes and track ids of people in unlabelled video.

A box source turns the pictures of a video into a stream of :class:`BoxedFrame`, one for each frame,
in order, with memory that does not grow with the length of the video.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from typing import Literal

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.io.video import FrameSource
from stdpose_mm.structures import NO_PEOPLE, FrameDetections, TrackedBoxes
from stdpose_mm.tracking.person_tracker import HIGH_SCORE_THR, PersonTracker

from .box_interpolation import BoxedFrame, BoxInterpolator
from .person_detector import PersonDetector

Pictures = Iterable[np.ndarray | None]
"""A ``FrameSource``, or any iterable of BGR uint8 [H, W, 3]; None is a lost frame."""

BoxesByFrame = Mapping[int, TrackedBoxes | FrameDetections]
"""0-based frame -> its boxes, with track ids or without."""

UnreadableCallback = Callable[[int, str], None]
"""Called with the index of a frame that cannot be read, and the reason."""


class BoxSource(ABC):
    """Find the people of a video's frames."""

    @property
    def gives_track_ids(self) -> bool:
        """Tell whether the track ids are the user's own, and not a tracker's."""
        return False

    @property
    def needs_confirmation(self) -> bool:
        """Tell whether tracks may be false detections that last for a few frames only."""
        return False

    @abstractmethod
    def __call__(
        self, pictures: Pictures, on_unreadable: UnreadableCallback | None = None
    ) -> Iterator[BoxedFrame]:
        """Yield the frames of one video with their people, in order, none left out.

        Args:
            pictures: The video. A frame of a ``FrameSource`` that cannot be read, or a None in
                any other iterable, comes out with ``picture`` None.
            on_unreadable: Called for each such frame; by default it is logged as a warning.

        Raises:
            InputError: If a picture is not as described.
        """


class DetectedBoxes(BoxSource):
    """Detect people in every n-th frame, and track them.

    In the frames between, boxes are interpolated between a person's detections, also over a frame
    where the detector missed the person. A person who leaves is moved on at the last motion for
    half of the frames to the next detections; the first box of one who comes is held for half of
    the frames before it. People who come and are detected only once are left out. The detector
    always runs on the last frame. A frame comes out at most ``2 * detect_interval`` frames after
    it was read.

    Args:
        detector: Finds the people of one picture.
        detect_interval: The detector runs on every n-th frame, or the next readable frame.
        tracker: Made for the same ``detect_interval``; by default a :class:`PersonTracker`.

    Raises:
        InputError: If ``detect_interval`` is not positive, or tracking is not possible.
    """

    def __init__(
        self,
        detector: PersonDetector,
        detect_interval: int = 1,
        tracker: PersonTracker | None = None,
    ) -> None:
        self.detector = detector
        self.detect_interval = detect_interval
        self.tracker = tracker or PersonTracker(detect_interval)

    def __call__(
        self, pictures: Pictures, on_unreadable: UnreadableCallback | None = None
    ) -> Iterator[BoxedFrame]:
        """See :class:`BoxSource`."""
        self.tracker.reset()
        interpolator = BoxInterpolator()
        last: int | None = None
        for frame_index, picture in _read(pictures, on_unreadable):
            interpolator.append(frame_index, picture)
            due = last is None or frame_index - last >= self.detect_interval
            if picture is not None and due:
                interpolator.add_detections(frame_index, self._detect(frame_index, picture))
                last = frame_index
            yield from interpolator.pop_finished()
        newest = interpolator.newest_readable()
        if newest is not None and newest[0] != last:
            interpolator.add_detections(newest[0], self._detect(*newest))
        yield from interpolator.pop_rest()

    @property
    def needs_confirmation(self) -> bool:
        """See :class:`BoxSource`."""
        return True

    def _detect(self, frame_index: int, picture: np.ndarray) -> TrackedBoxes:
        return self.tracker.update(frame_index, self.detector(picture))


class PrecomputedBoxes(BoxSource):
    """Return the known boxes of each frame.

    Every box comes out unchanged, in the given order. Boxes without track ids are tracked.

    Args:
        boxes: Frame index -> its boxes: with track ids, or in all frames without. Frames that are
            not named have no people. See :func:`as_boxes` and
            :func:`~stdpose_mm.detection.box_files.read_boxes`.
        tracker: For boxes without track ids; by default a :class:`PersonTracker`.

    Raises:
        InputError: If track ids are given in some frames only.
    """

    def __init__(self, boxes: BoxesByFrame, tracker: PersonTracker | None = None) -> None:
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

    @property
    def gives_track_ids(self) -> bool:
        """See :class:`BoxSource`."""
        return self._tracker is None

    def __call__(
        self, pictures: Pictures, on_unreadable: UnreadableCallback | None = None
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
        for frame_index, picture in _read(pictures, on_unreadable):
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
        # With a score of 1 the tracker leaves out no box that was given.
        certain = FrameDetections(found.boxes, np.ones(len(found.boxes)))
        tracked = self._tracker.update(frame_index, certain)
        return TrackedBoxes(found.boxes, found.scores, tracked.track_ids)


class WholePicture(BoxSource):
    """Use the whole picture as the box of one person with track id 0."""

    def __call__(
        self, pictures: Pictures, on_unreadable: UnreadableCallback | None = None
    ) -> Iterator[BoxedFrame]:
        """See :class:`BoxSource`."""
        people = NO_PEOPLE
        for frame_index, picture in _read(pictures, on_unreadable):
            if picture is not None:
                height, width = picture.shape[:2]
                people = TrackedBoxes(
                    np.array([[0.0, 0.0, width, height]]), np.ones(1), np.zeros(1, np.int64)
                )
            yield BoxedFrame(frame_index, picture, people)


def build_box_source(
    people: BoxesByFrame | PersonDetector | Literal['whole-picture'],
    detect_interval: int = 1,
    tracker: str = 'bytetrack',
    high_score_thr: float = HIGH_SCORE_THR,
) -> BoxSource:
    """Build the box source for known boxes, a detector or the whole picture.

    Args:
        people: Their boxes, for :class:`PrecomputedBoxes`; a detector, for :class:`DetectedBoxes`;
            or ``WHOLE_PICTURE``.
        detect_interval: The detector runs on every n-th frame.
        tracker: Method that assigns the final track ids: 'bytetrack' or 'oks', see
            :func:`~stdpose_mm.inference.estimate_video`.
        high_score_thr: Score above which a detection starts a track.

    Raises:
        InputError: If 'oks' would change given track ids; also see the three classes.
    """
    if isinstance(people, str):
        return WholePicture()
    if isinstance(people, PersonDetector):
        by_boxes = PersonTracker(detect_interval, high_score_thr)
        return DetectedBoxes(people, detect_interval, by_boxes)
    if tracker == 'oks' and any(isinstance(boxes, TrackedBoxes) for boxes in people.values()):
        raise InputError(
            "the boxes have track ids, which the tracker 'oks' would change, leave the tracker out "
            'or give boxes without track ids'
        )
    return PrecomputedBoxes(people)


def as_boxes(
    given: Mapping[int, object] | Sequence[object], corners: bool = False
) -> dict[int, TrackedBoxes | FrameDetections]:
    """Convert boxes from a program's own structures, for :class:`PrecomputedBoxes`.

    Args:
        given: One entry a frame, in order, or frame index -> entry. An entry is

            - an array [N, 4] of x, y, width, height in pixels, or [N, 5] with the score last;
            - a dict with ``boxes`` like that, and ``scores`` [N] and ``track_ids`` [N] if known;
            - :class:`TrackedBoxes` or :class:`FrameDetections`;
            - None without people.
        corners: Whether arrays hold x1, y1, x2, y2, and dicts MMPose's fields: ``bboxes``,
            ``bbox_scores`` and ``track_ids``.

    Returns:
        Frame index -> boxes; ``TrackedBoxes`` where track ids are given.

    Raises:
        InputError: If an entry is not as described.
    """
    entries = given.items() if isinstance(given, Mapping) else enumerate(given)
    boxes = {}
    for frame, entry in entries:
        if isinstance(frame, bool) or not isinstance(frame, (int, np.integer)) or frame < 0:
            raise InputError(f'boxes are given for frame {frame!r}, expected 0, 1, 2, ...')
        if entry is not None:
            boxes[int(frame)] = _as_boxes(int(frame), entry, corners)
    return boxes


def _as_boxes(frame: int, entry: object, corners: bool) -> TrackedBoxes | FrameDetections:
    if isinstance(entry, TrackedBoxes):
        return entry
    if isinstance(entry, FrameDetections):
        entry, corners = {'boxes': entry.boxes, 'scores': entry.scores}, False
    names = ('bboxes', 'bbox_scores', 'track_ids') if corners else ('boxes', 'scores', 'track_ids')
    fields = entry if isinstance(entry, Mapping) else {names[0]: entry}
    if not {names[0]} <= set(fields) <= set(names):
        raise InputError(
            f'the boxes of frame {frame} have the keys {", ".join(map(str, fields))}, expected '
            f'{names[0]}, and {names[1]} and {names[2]} if known'
        )
    values, scores, track_ids = (fields.get(name) for name in names)
    columns = 'x1, y1, x2, y2' if corners else 'x, y, width, height'
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(
            f'the boxes of frame {frame} are no array of numbers, expected [N, 4] {columns}'
        ) from None
    if array.size == 0:
        array = array.reshape(0, 4)
    if array.ndim != 2 or array.shape[1] not in (4, 5):
        raise InputError(
            f'the boxes of frame {frame} have shape {list(array.shape)}, expected an array [N, 4] '
            f'{columns}, or [N, 5] with the score'
        )
    if scores is None:
        scores = array[:, 4] if array.shape[1] == 5 else np.ones(len(array))
    array = array[:, :4]
    if corners:
        fits = np.isfinite(array).all(axis=1) & (array[:, :2] < array[:, 2:]).all(axis=1)
        if not fits.all():
            raise InputError(
                f'frame {frame}: boxes must be finite x1, y1, x2, y2 with x2 above x1 and y2 above '
                f'y1, got {array[~fits][0].tolist()}, correct them or leave them out'
            )
        array = np.concatenate([array[:, :2], array[:, 2:] - array[:, :2]], axis=1)
    # Numbers replace unknown track ids, so that the same checks apply.
    numbers = np.arange(len(array)) if track_ids is None else np.asarray(track_ids)
    try:
        people = TrackedBoxes(array, np.asarray(scores, dtype=np.float64), numbers)
    except (TypeError, ValueError) as error:
        raise InputError(f'frame {frame}: {error}') from error
    return FrameDetections(people.boxes, people.scores) if track_ids is None else people


def _read(
    pictures: Pictures, on_unreadable: UnreadableCallback | None
) -> Iterator[tuple[int, np.ndarray | None]]:
    on_unreadable = on_unreadable or _warn
    if not isinstance(pictures, FrameSource):
        for index, picture in enumerate(pictures):
            if picture is None:
                on_unreadable(index, f'frame {index} is missing')
            yield index, None if picture is None else _checked(index, picture)
        return
    for index in range(len(pictures)):
        try:
            read = pictures[index]
        except InputError as error:
            on_unreadable(index, str(error))
            read = None
        yield index, read


def _warn(frame_index: int, reason: str) -> None:
    from mmengine.logging import MMLogger

    MMLogger.get_current_instance().warning(
        f'frame {frame_index} cannot be read, its poses are interpolated at best: {reason}'
    )


def _checked(index: int, picture: np.ndarray) -> np.ndarray:
    shape, dtype = getattr(picture, 'shape', None), getattr(picture, 'dtype', None)
    if dtype != np.uint8 or shape is None or len(shape) != 3 or shape[2] != 3 or 0 in shape:
        what = f'{dtype} {list(shape)}' if shape is not None else type(picture).__name__
        raise InputError(f'frame {index} is {what}, expected a BGR picture uint8 [H, W, 3]')
    return picture
