"""Key frames of CVAT's skeleton tracks: their source, and the choice of those to write.

CVAT keeps a track of its own for every joint of a skeleton: key frames, between which it draws
straight lines, and flags that hold from a key frame until the next. Changes that a person made to
exported key frames are found by comparison: each key frame is written with a mark, the attribute
``source`` of its point, that holds its frame, place and state at export. CVAT copies attributes to
key frames that are added later, so the mark alone proves nothing; a key frame that differs from its
mark was placed or changed by a person.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from stdpose_mm.structures import NOT_LABELLED, OCCLUDED, SOURCES, VISIBLE, Source

UNMARKED = 'given'
"""Default value of the attribute ``source``: joints that a person placed in CVAT have it."""

NO_SCORE = '-'
"""Default value of the attribute ``score``; CVAT requires a non-empty text."""

FROM_FILE = 10**9
"""CVAT renumbers tracks but keeps their groups: the group of an exported track is this number plus
its id (or the number before it), which also separates exported tracks from those drawn in CVAT."""

# CVAT exports coordinates with two decimals.
_ROUNDING = 0.006

_STATES = {NOT_LABELLED: ' outside', OCCLUDED: ' occluded', VISIBLE: ''}
_NUMBER = r'-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?'
_MARK = re.compile(
    f'({"|".join(SOURCES)}) ([0-9]{{1,8}})(?: ({_NUMBER}),({_NUMBER}))?( outside| occluded|)'
)


@dataclass(frozen=True)
class KeyFrame:
    """A joint at one of its key frames.

    Args:
        frame_index: Frame of the video.
        place: (x, y) in pixels; the last known place if the joint is outside.
        visibility: 0 (CVAT's ``outside``), 1 or 2.
        source: 'given' if a person placed or left out the joint here.
    """

    frame_index: int
    place: tuple[float, float]
    visibility: int
    source: Source = 'given'

    def mark(self) -> str:
        """Format source, frame, place and state as the mark that :meth:`exported` compares with."""
        x, y = self.place
        if self.visibility == NOT_LABELLED or (
            self.source == 'given' and (x, y) == (round(x, 2), round(y, 2))
        ):
            place = ''
        else:
            place = f' {x!r},{y!r}'
        return f'{self.source} {self.frame_index}{place}{_STATES[self.visibility]}'

    def exported(self, text: str) -> KeyFrame | None:
        """Recover this key frame as it was exported.

        Args:
            text: Mark of the key frame in the file.

        Returns:
            The exported key frame with its source and all its digits; None if a person placed or
            changed it since.
        """
        match = _MARK.fullmatch(text)
        if match is None:
            return None
        source, frame_index, x, y, state = match.groups()
        exported = KeyFrame(
            frame_index=int(frame_index),
            place=self.place if x is None else (float(x), float(y)),
            visibility={text: flag for flag, text in _STATES.items()}[state],
            source=next(known for known in SOURCES if known == source),
        )
        return exported if self.is_as(exported) else None

    def is_as(self, exported: KeyFrame) -> bool:
        """Tell whether this key frame equals ``exported`` up to CVAT's rounding."""
        return (
            self.frame_index == exported.frame_index
            and self.visibility == exported.visibility
            and (self.visibility == NOT_LABELLED or _near(self.place, exported.place, _ROUNDING))
        )


def _near(one: tuple[float, float], other: tuple[float, float], distance: float) -> bool:
    return max(abs(one[0] - other[0]), abs(one[1] - other[1])) <= distance


def is_mark(text: str) -> bool:
    """Tell whether a text is a mark of :meth:`KeyFrame.mark`, or CVAT's substitute for a mark."""
    return text == UNMARKED or _MARK.fullmatch(text) is not None


class LoadedKeyFrames:
    """The key frames of a file that was loaded into CVAT, to compare an export with.

    Args:
        tracks: For every joint of every track: the joint, and its key frames in order.
    """

    def __init__(self, tracks: Iterable[tuple[int, list[KeyFrame]]]) -> None:
        self._by_joint: dict[int, list[list[KeyFrame]]] = defaultdict(list)
        self._at: dict[tuple[int, int], list[KeyFrame]] = defaultdict(list)
        for joint, key_frames in tracks:
            self._by_joint[joint].append(key_frames)
            for key_frame in key_frames:
                self._at[joint, key_frame.frame_index].append(key_frame)

    def find(self, joint: int, key_frame: KeyFrame) -> KeyFrame | None:
        """Find the loaded key frame that equals this one."""
        candidates = self._at.get((joint, key_frame.frame_index), ())
        return next((found for found in candidates if key_frame.is_as(found)), None)

    def is_on_line(self, joint: int, key_frame: KeyFrame) -> bool:
        """Tell whether the key frame lies on CVAT's line between two loaded key frames."""
        for key_frames in self._by_joint[joint]:
            after = bisect_right([k.frame_index for k in key_frames], key_frame.frame_index)
            if after == 0 or key_frames[after - 1].visibility != key_frame.visibility:
                continue
            left, right = key_frames[after - 1], key_frames[min(after, len(key_frames) - 1)]
            length = max(right.frame_index - left.frame_index, 1)
            weight = (key_frame.frame_index - left.frame_index) / length if right != left else 0.0
            x, y = (a + (b - a) * weight for a, b in zip(left.place, right.place, strict=True))
            if left.visibility == NOT_LABELLED or _near(key_frame.place, (x, y), 2 * _ROUNDING):
                return True
        return False


def few_key_frames(
    frame_indices: np.ndarray, points: np.ndarray, required: np.ndarray, tolerance: float
) -> np.ndarray:
    """Choose key frames between which straight lines stay close to a path.

    From every key frame, the line is extended as far as it stays close. (Libraries for line
    simplification measure the distance to the line in the picture, not to its point at that time.)

    Args:
        frame_indices: [F] frames of the path, ascending.
        points: [F, 2] pixels.
        required: [F] bool: frames that must be key frames, among them the first and the last.
        tolerance: Largest distance in pixels, in any of the frames.

    Returns:
        [F] bool: the key frames.
    """
    chosen = required.copy()
    start, last = 0, len(points) - 1
    while start < last:
        stop = start + 1
        while not required[stop]:
            weights = (frame_indices[start + 1 : stop + 1] - frame_indices[start]) / (
                frame_indices[stop + 1] - frame_indices[start]
            )
            line = points[start] + (points[stop + 1] - points[start]) * weights[:, None]
            if np.linalg.norm(line - points[start + 1 : stop + 1], axis=1).max() > tolerance:
                break
            stop += 1
        chosen[stop] = True
        start = stop
    return chosen
