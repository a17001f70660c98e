"""Poses that optical flow carries to the frames before and after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from stdpose_mm.io.video import FrameSource
from stdpose_mm.labelling.propagation import Tracks
from stdpose_mm.structures import PersonLabel

_Key = tuple[int, int, bytes]


class CarriedPoses:
    """The poses of a video, carried by optical flow to the frames before and after their own.

    A pose that stays is carried once, whoever it belongs to.

    Args:
        frames: The frames.
    """

    def __init__(self, frames: FrameSource) -> None:
        self._frames = frames
        self._carried: dict[_Key, np.ndarray] = {}

    def carry(self, tracks: Tracks) -> Iterator[int]:
        """Carry the poses that were not carried before, and yield each frame that was compared.

        Args:
            tracks: Track id -> {frame: label}.
        """
        from stdpose_mm.tracking.optical_flow import DISFlow, move_points

        estimator = DISFlow()
        prepared: dict[int, np.ndarray] = {}
        pairs: dict[tuple[int, int], list[PersonLabel]] = {}
        for label, other in self._missing(tracks):
            pairs.setdefault((label.frame_index, other), []).append(label)
        for start, end in sorted(pairs, key=lambda pair: (max(pair), pair)):
            for frame in (start, end):
                if frame not in prepared:
                    prepared[frame] = estimator.prepare(self._frames[frame])
            picture = prepared[start]
            flow = estimator(picture, prepared[end])
            scale = np.array(picture.shape[1::-1]) / self._frames.size
            for label in pairs[start, end]:
                self._carried[_key(label, end)] = move_points(label.keypoints, flow, scale)
            prepared = {frame: prepared[frame] for frame in (start, end)}
            yield max(start, end)

    def people_to_carry(self, tracks: Tracks) -> set[int]:
        """Return those who have a pose that was not carried before."""
        return {label.track_id for label, _ in self._missing(tracks) if label.track_id is not None}

    def _missing(self, tracks: Tracks) -> Iterator[tuple[PersonLabel, int]]:
        for track in tracks.values():
            for frame, label in track.items():
                for other in (frame - 1, frame + 1):
                    is_new = _key(label, other) not in self._carried
                    if is_new and label.has_joint and other in track:
                        yield label, other

    def distances(self, track: Mapping[int, PersonLabel], frame: int) -> np.ndarray:
        """Return how far the joints are from where flow carries them, from either side.

        Args:
            track: The labels of a person.
            frame: Frame of one of them.

        Returns:
            [K] pixels, the smaller distance of both; NaN where flow carries no joint from both
            sides.
        """
        label = track[frame]
        apart = np.full((2, len(label.visibility)), np.nan)
        for row, other in zip(apart, (frame - 1, frame + 1), strict=True):
            start = track.get(other)
            carried = None if start is None else self._carried.get(_key(start, frame))
            if start is not None and carried is not None:
                distance = np.linalg.norm(carried - label.keypoints, axis=1)
                row[:] = np.where(start.labelled & label.labelled, distance, np.nan)
        return np.minimum(*apart)


def _key(label: PersonLabel, frame: int) -> _Key:
    return label.frame_index, frame, label.keypoints.tobytes()
