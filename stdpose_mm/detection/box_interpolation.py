"""Interpolation of boxes in the frames between those on which a detector runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from stdpose_mm.structures import NO_PEOPLE, FrameBoxes

MAX_UNREADABLE = 64
"""Maximum number of unreadable frames that wait for the next detections."""


class BoxedFrame(NamedTuple):
    """A frame and the boxes of the people in it.

    Args:
        frame_index: 0-based.
        picture: BGR uint8 [H, W, 3]; None if the frame cannot be read.
        people: The people; in an unreadable frame they are given, or interpolated from the frames
            around it.
    """

    frame_index: int
    picture: np.ndarray | None
    people: FrameBoxes


class BoxInterpolator:
    """Interpolator of the people in the frames between detections.

    Frames wait until later detections can no longer change their people. A person is interpolated
    between two detections that are at most ``MAX_STEPS`` steps of the detector apart.
    """

    MAX_STEPS = 2

    def __init__(self) -> None:
        self._pending: deque[_PendingFrame] = deque()
        self._tracks: dict[int, _DetectedTrack] = {}
        self._detected_frames: deque[int] = deque(maxlen=self.MAX_STEPS)
        self._num_steps = 0

    def append(self, frame_index: int, picture: np.ndarray | None) -> None:
        """Append the next frame; ``picture`` is None if it cannot be read."""
        self._pending.append(_PendingFrame(frame_index, picture))

    def newest_readable(self) -> tuple[int, np.ndarray] | None:
        """Return the index and the picture of the last waiting frame that can be read."""
        for frame in reversed(self._pending):
            if frame.picture is not None:
                return frame.frame_index, frame.picture
        return None

    def add_detections(self, frame: int, people: FrameBoxes) -> None:
        """Add the people detected in a frame, which must increase from call to call."""
        # Without earlier detections, all earlier frames were unreadable.
        before = self._detected_frames[-1] if self._detected_frames else -frame
        self._detected_frames.append(frame)
        self._num_steps += 1
        for track_id, box, score in zip(
            people.track_ids.tolist(), people.boxes, people.scores.tolist(), strict=True
        ):
            start = self._tracks.get(track_id)
            if start is None:
                # The first box is held for half of the frames before it.
                first = frame - (frame - before) // 2 - 1
                start = _DetectedTrack(
                    self._num_steps, self._num_steps, first, box, score, np.zeros(4)
                )
            steps = frame - start.frame
            for between in range(start.frame + 1, frame):
                ratio = (between - start.frame) / steps
                between_box = start.box + ratio * (box - start.box)
                self._put(
                    track_id, between, between_box, start.score + ratio * (score - start.score)
                )
            self._put(track_id, frame, box, score)
            velocity = np.zeros(4)
            velocity[:2] = (_centre(box) - _centre(start.box)) / steps
            self._tracks[track_id] = _DetectedTrack(
                start.first_step, self._num_steps, frame, box, score, velocity
            )
        self._drop_detected_once()
        for track_id, track in list(self._tracks.items()):
            if track.step <= self._num_steps - self.MAX_STEPS:
                self._extrapolate(track_id, self._tracks.pop(track_id))

    def pop_finished(self) -> Iterator[BoxedFrame]:
        """Yield the frames whose people later detections cannot change."""
        if len(self._detected_frames) == self.MAX_STEPS:
            while self._pending and self._pending[0].frame_index <= self._detected_frames[0]:
                yield self._pending.popleft().boxed()
        while sum(frame.picture is None for frame in self._pending) > MAX_UNREADABLE:
            yield self._pending.popleft().boxed()

    def pop_rest(self) -> Iterator[BoxedFrame]:
        """Yield the frames that are still waiting at the end of the video."""
        for track_id, track in self._tracks.items():
            if track.step < self._num_steps:
                self._extrapolate(track_id, track)
            elif self._pending:
                # Frames after the last detections are unreadable.
                for frame in range(track.frame + 1, self._pending[-1].frame_index + 1):
                    self._put(track_id, frame, track.box, track.score)
        while self._pending:
            yield self._pending.popleft().boxed()

    def _drop_detected_once(self) -> None:
        """Remove people detected only once, in the previous step: most are detector errors.

        The tracker also forgets them. People detected in the first step are kept by both.
        """
        step = self._num_steps - 1
        for track_id, track in list(self._tracks.items()):
            if track.first_step == track.step == step > 1:
                del self._tracks[track_id]
                for frame in self._pending:
                    frame.people.pop(track_id, None)

    def _extrapolate(self, track_id: int, track: _DetectedTrack) -> None:
        """Move a person on for half of the frames up to the detections that missed the person."""
        missed = self._detected_frames[track.step - self._num_steps]
        for elapsed in range(1, (missed - track.frame) // 2 + 1):
            box = track.box + elapsed * track.velocity
            self._put(track_id, track.frame + elapsed, box, track.score)

    def _put(self, track_id: int, frame: int, box: np.ndarray, score: float) -> None:
        position = frame - self._pending[0].frame_index if self._pending else -1
        # The frame may already have been yielded.
        if position >= 0:
            self._pending[position].people[track_id] = (box, score)


@dataclass
class _PendingFrame:
    """A frame whose people are not all known yet: track id -> box and score."""

    frame_index: int
    picture: np.ndarray | None
    people: dict[int, tuple[np.ndarray, float]] = field(default_factory=dict)

    def boxed(self) -> BoxedFrame:
        people = NO_PEOPLE
        if self.people:
            boxes, scores = zip(*self.people.values(), strict=True)
            people = FrameBoxes(np.stack(boxes), np.array(scores), np.array([*self.people]))
        return BoxedFrame(self.frame_index, self.picture, people)


@dataclass
class _DetectedTrack:
    """The last detection of a person with its step, and the step of the first detection."""

    first_step: int
    step: int
    frame: int
    box: np.ndarray
    score: float
    velocity: np.ndarray  # [4] pixels per frame; the size is constant


def _centre(box: np.ndarray) -> np.ndarray:
    return box[:2] + box[2:] / 2
