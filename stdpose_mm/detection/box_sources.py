"""Sources of the boxes and track ids of people in unlabelled video.

A box source turns the pictures of a video into a stream of :class:`BoxedFrame`, one for each frame
in order. Its memory does not grow with the length of the video.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sized
from typing import Literal

import numpy as np

from stdpose_mm.errors import InputError, note
from stdpose_mm.io.video import FrameSource
from stdpose_mm.structures import NO_PEOPLE, FrameBoxes, is_box_outside
from stdpose_mm.text import counted
from stdpose_mm.tracking.person_tracker import HIGH_SCORE_THR, PersonTracker

from .box_interpolation import BoxedFrame, BoxInterpolator
from .person_detector import PersonDetector

Pictures = Iterable[np.ndarray | None]
"""A ``FrameSource``, or any iterable of BGR uint8 [H, W, 3]; None stands for a missing frame."""

BoxesByFrame = Mapping[int, FrameBoxes]
"""0-based frame -> its boxes, with track ids in all frames or in none."""


class BoxSource(ABC):
    """Base class of the sources of boxes and track ids."""

    gives_track_ids = False
    """Whether the track ids are given by the user instead of a tracker."""

    needs_confirmation = False
    """Whether there may be short tracks of false detections."""

    @abstractmethod
    def __call__(self, pictures: Pictures) -> Iterator[BoxedFrame]:
        """Yield all frames of one video with their people, in order.

        Args:
            pictures: The video. A frame of a ``FrameSource`` that cannot be read, or a None in
                any other iterable, causes a warning and is yielded with ``picture`` None.

        Raises:
            InputError: If a picture is not as described.
        """


class DetectedBoxes(BoxSource):
    """Tracked detections of every n-th frame.

    In the frames between, boxes are interpolated between a person's detections, also across a
    detection step that missed the person. A person who leaves moves on with the last velocity for
    half of the frames up to the next detections; the first box of a new person is held for half of
    the frames before it. New people who are detected only once are left out. The detector always
    runs on the last frame. A frame is yielded at most ``2 * detect_interval`` frames after it was
    read.

    Args:
        detector: Finds the people in one picture.
        detect_interval: The detector runs on every n-th frame, or on the next readable one.
        tracker: A tracker for the same ``detect_interval``; by default a :class:`PersonTracker`.

    Raises:
        InputError: If ``detect_interval`` is not positive, or tracking is not possible.
    """

    needs_confirmation = True

    def __init__(
        self,
        detector: PersonDetector,
        detect_interval: int = 1,
        tracker: PersonTracker | None = None,
    ) -> None:
        self.detector = detector
        self.detect_interval = detect_interval
        self.tracker = tracker or PersonTracker(detect_interval)

    def __call__(self, pictures: Pictures) -> Iterator[BoxedFrame]:
        """See :class:`BoxSource`."""
        self.tracker.reset()
        interpolator = BoxInterpolator()
        last = -self.detect_interval

        def detect(frame_index: int, picture: np.ndarray) -> None:
            people = self.tracker.update(frame_index, self.detector(picture))
            interpolator.add_detections(frame_index, people)

        for frame_index, picture in _read(pictures):
            interpolator.append(frame_index, picture)
            if picture is not None and frame_index - last >= self.detect_interval:
                detect(frame_index, picture)
                last = frame_index
            yield from interpolator.pop_finished()
        newest = interpolator.newest_readable()
        if newest is not None and newest[0] != last:
            detect(*newest)
        yield from interpolator.pop_rest()


class PrecomputedBoxes(BoxSource):
    """Known boxes of each frame.

    Boxes are yielded unchanged in the given order. Boxes without track ids are tracked. A warning
    counts those that lie wholly outside the picture.

    Args:
        boxes: Frame index -> its boxes, with track ids in all frames or in none. Missing frames
            have no people. See :mod:`~stdpose_mm.detection.box_files`.

    Raises:
        InputError: If track ids are given in only some frames.
    """

    def __init__(self, boxes: BoxesByFrame) -> None:
        self._boxes = {frame: people for frame, people in boxes.items() if len(people)}
        frame_of = {people.is_tracked: frame for frame, people in self._boxes.items()}
        if len(frame_of) > 1:
            raise InputError(
                f'the boxes of frame {frame_of[True]} have track ids and those of frame '
                f'{frame_of[False]} have none, give them in all frames or in none'
            )
        self.gives_track_ids = False not in frame_of
        self._tracker = None if self.gives_track_ids else PersonTracker()

    def __call__(self, pictures: Pictures) -> Iterator[BoxedFrame]:
        """See :class:`BoxSource`.

        Raises:
            InputError: If boxes are given on frames that the video does not have.
        """
        if isinstance(pictures, Sized):
            self._require_frames(len(pictures))
        if self._tracker is not None:
            self._tracker.reset()
        count = 0
        outside: list[int] = []
        for frame_index, picture in _read(pictures):
            people = self._boxes.get(frame_index, NO_PEOPLE)
            if picture is not None:
                height, width = picture.shape[:2]
                num_outside = is_box_outside(people.boxes, (width, height)).sum()
                outside += [frame_index] * int(num_outside)
            if self._tracker is not None and len(people):
                # With a score of 1, the tracker leaves out none of the given boxes.
                certain = FrameBoxes(people.boxes, np.ones(len(people)))
                tracked = self._tracker.update(frame_index, certain)
                people = FrameBoxes(people.boxes, people.scores, tracked.track_ids)
            yield BoxedFrame(frame_index, picture, people)
            count += 1
        self._require_frames(count)
        if outside:
            note(
                f'{counted(len(outside), "box")} wholly outside the picture, the first in frame '
                f'{outside[0]}: nobody is seen there, and the poses mean nothing; correct these '
                'boxes or leave them out'
            )

    def _require_frames(self, count: int) -> None:
        beyond = [frame for frame in self._boxes if not 0 <= frame < count]
        if beyond:
            raise InputError(
                f'boxes are given on frame {beyond[0]}, but the video has {count} frames; give '
                '0-based frame numbers of this video'
            )


class WholePicture(BoxSource):
    """The whole picture as the box of a single person with track id 0."""

    def __call__(self, pictures: Pictures) -> Iterator[BoxedFrame]:
        """See :class:`BoxSource`."""
        people = NO_PEOPLE
        for frame_index, picture in _read(pictures):
            if picture is not None:
                height, width = picture.shape[:2]
                people = FrameBoxes(np.array([[0, 0, width, height]]), np.ones(1), np.zeros(1))
            yield BoxedFrame(frame_index, picture, people)


def build_box_source(
    people: BoxesByFrame | PersonDetector | Literal['whole-picture'],
    detect_interval: int = 1,
    tracker: str = 'bytetrack',
    high_score_thr: float = HIGH_SCORE_THR,
) -> BoxSource:
    """Build the box source for known boxes, a detector or the whole picture.

    Args:
        people: Boxes, for :class:`PrecomputedBoxes`; a detector, for :class:`DetectedBoxes`; or
            'whole-picture', for :class:`WholePicture`.
        detect_interval: The detector runs on every n-th frame.
        tracker: Method that assigns the final track ids: 'bytetrack' or 'oks', see
            :func:`~stdpose_mm.inference.estimate_video.estimate_video`.
        high_score_thr: Score above which a detection starts a track.

    Raises:
        InputError: If 'oks' would change given track ids; also see the three classes.
    """
    if isinstance(people, str):
        return WholePicture()
    if isinstance(people, PersonDetector):
        by_boxes = PersonTracker(detect_interval, high_score_thr)
        return DetectedBoxes(people, detect_interval, by_boxes)
    source = PrecomputedBoxes(people)
    if tracker == 'oks' and source.gives_track_ids and any(map(len, people.values())):
        raise InputError(
            "the boxes have track ids, which the tracker 'oks' would change, leave out the tracker "
            'or give boxes without track ids'
        )
    return source


def _read(pictures: Pictures) -> Iterator[tuple[int, np.ndarray | None]]:
    """Yield the frames of a video with their indices; None, with a warning, if unreadable."""
    if not isinstance(pictures, FrameSource):
        for index, picture in enumerate(pictures):
            if picture is None:
                _warn(index, f'frame {index} is missing')
            elif not _is_picture(picture):
                raise InputError(f'frame {index} is not a BGR picture, expected uint8 [H, W, 3]')
            yield index, picture
        return
    for index in range(len(pictures)):
        try:
            read = pictures[index]
        except InputError as error:
            _warn(index, str(error))
            read = None
        yield index, read


def _is_picture(picture: object) -> bool:
    return (
        isinstance(picture, np.ndarray)
        and picture.dtype == np.uint8
        and picture.ndim == 3
        and picture.shape[2] == 3
        and picture.size > 0
    )


def _warn(frame_index: int, reason: str) -> None:
    note(f'frame {frame_index} cannot be read, so its poses can only be interpolated: {reason}')
