"""Labels of one video as arrays per person, from which windows are made."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stdpose_mm.structures import PersonLabel, Source, VideoLabels, person_box

UNKNOWN_TRACK = -1


@dataclass(frozen=True)
class Track:
    """The labels of one person.

    Args:
        track_id: Identity within the video, -1 for a person who was only detected.
        frames: F frame indices, ascending.
        keypoints: [F, K, 2] pixels.
        visible: [F, K] bool.
        sources: For each of the F frames 'given' (with a given joint) or 'propagated'.
        given: [F, K] bool: joints that are given.
        boxes: [F, 4] person boxes, x, y, width, height.
    """

    track_id: int
    frames: tuple[int, ...]
    keypoints: np.ndarray
    visible: np.ndarray
    sources: tuple[Source, ...]
    given: np.ndarray
    boxes: np.ndarray

    @classmethod
    def of(cls, track_id: int, labels: Sequence[PersonLabel]) -> Track:
        """Convert labels in order of frames, each with at least one joint."""
        return cls(
            track_id=track_id,
            frames=tuple(label.frame_index for label in labels),
            keypoints=np.stack([label.keypoints for label in labels]).astype(np.float32),
            visible=np.stack([label.labelled for label in labels]),
            sources=tuple(label.source for label in labels),
            given=np.stack([label.given for label in labels]),
            boxes=np.stack([person_box(label) for label in labels]).astype(np.float32),
        )

    def row(self, frame: int) -> int | None:
        """Find the row of the label of ``frame`` in the arrays; None if there is none."""
        row = bisect_left(self.frames, frame)
        return row if row < len(self.frames) and self.frames[row] == frame else None

    def among(self, frames: Sequence[int]) -> list[int]:
        """Select those of ``frames`` in which this person has a given label."""
        rows = [(frame, self.row(frame)) for frame in frames]
        return [f for f, row in rows if row is not None and self.sources[row] == 'given']


NO_TRACK = Track(
    track_id=UNKNOWN_TRACK,
    frames=(),
    keypoints=np.zeros((0, 0, 2), np.float32),
    visible=np.zeros((0, 0), bool),
    sources=(),
    given=np.zeros((0, 0), bool),
    boxes=np.zeros((0, 4), np.float32),
)
"""A person without labels, who was only detected."""


@dataclass(frozen=True)
class VideoTracks:
    """One video: where its frames are, and its people.

    Args:
        name: Name of the video.
        known: Indices of its frames, ascending.
        sources: Known frame -> the (path, index) of ``read_frame``.
        image_ids: Known frame -> its id in the label file.
        labelled: Frames with a labelled person, ascending.
        given: Frames whose labels may be shown, ascending.
        tracks: Its people.
        has_propagated: Whether some labels are propagated.
    """

    name: str
    known: tuple[int, ...]
    sources: Mapping[int, tuple[str, int | None]]
    image_ids: Mapping[int, int | str]
    labelled: tuple[int, ...]
    given: tuple[int, ...]
    tracks: tuple[Track, ...]
    has_propagated: bool = False


def tracks_of(labels: VideoLabels) -> tuple[Track, ...]:
    """Split labels, which have track ids and joints, into tracks."""
    tracks = labels.tracks().items()
    return tuple(Track.of(track_id, [*by_frame.values()]) for track_id, by_frame in tracks)
