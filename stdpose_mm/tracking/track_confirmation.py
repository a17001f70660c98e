"""Removal of false tracks caused by detector errors: short tracks, and second boxes on people."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator

import numpy as np

from stdpose_mm.structures import FrameBoxes, box_ioa

MIN_TRACK_FRAMES = 10
"""Minimum number of frames in which a person must be found. Detectors mistake a ball or a chair for
a person in some frames; research/docs/tracking.md has the numbers."""

MAX_CONTAINED = 0.9
"""Share of the smaller of two boxes that is inside the other one, above which a new track counts as
a second box on a person who is already tracked. NMS by intersection over union does not remove the
box of half a person."""


class TrackConfirmation:
    """Selector of the people of each frame whose tracks are confirmed.

    A track is confirmed permanently after ``min_frames`` frames in which its box is not a second
    box on a person, see ``MAX_CONTAINED``. Of two such boxes, the second one is that of an
    unconfirmed track or, if neither is confirmed, the smaller one, which usually shows a part of a
    person. So people who later cross and cover each other stay; a person who appears behind another
    one is included from ``min_frames - 1`` frames before the confirmation. In a short video, half
    of its frames are enough.

    The memory depends on the number of tracks, not on the length of the video.

    Args:
        min_frames: See ``MIN_TRACK_FRAMES``; 1 confirms at once and keeps short tracks.
    """

    def __init__(self, min_frames: int = MIN_TRACK_FRAMES) -> None:
        self._min_frames = min_frames

    def __call__(self, frames: Iterable[FrameBoxes]) -> Iterator[np.ndarray]:
        """Yield for every frame which of its N people are confirmed: [N] bool.

        Args:
            frames: The people of all frames of a video, in order.

        Yields:
            The result of each frame ``min_frames - 1`` frames after it was read, but none before
            ``2 * min_frames - 1`` frames have been read, unless the video ends earlier.
        """
        confirmed: set[int] = set()
        seen: Counter[int] = Counter()
        waiting: deque[FrameBoxes] = deque()
        # From this length on, half of the frames are at least ``min_frames``.
        long_enough = 2 * self._min_frames - 1
        num_frames = 0
        for num_frames, people in enumerate(frames, start=1):
            waiting.append(people)
            for track_id in people.track_ids[self._are_apart(people, confirmed)].tolist():
                seen[track_id] += 1
                if seen[track_id] == self._min_frames:
                    confirmed.add(track_id)
            if num_frames >= long_enough:
                while len(waiting) >= self._min_frames:
                    yield _are_in(waiting.popleft(), confirmed)
        if num_frames < long_enough:
            confirmed = {track for track, number in seen.items() if 2 * number >= num_frames}
        for people in waiting:
            yield _are_in(people, confirmed)

    def _are_apart(self, people: FrameBoxes, confirmed: set[int]) -> np.ndarray:
        """Find the people whose box is not a second box on another person: [N] bool."""
        ioa = box_ioa(people.boxes[:, None], people.boxes)
        # The larger of the two ratios is that of the smaller box.
        covered = np.maximum(ioa, ioa.T) > MAX_CONTAINED
        area = people.boxes[:, 2:].prod(axis=1)
        rank = np.empty(len(people), dtype=np.int64)
        rank[np.lexsort((-area, ~_are_in(people, confirmed)))] = np.arange(len(people))
        return ~(covered & (rank < rank[:, None])).any(axis=1)


def _are_in(people: FrameBoxes, confirmed: set[int]) -> np.ndarray:
    return np.array([t in confirmed for t in people.track_ids.tolist()], dtype=bool)
