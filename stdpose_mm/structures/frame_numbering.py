"""Source of the frame indices of labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

NumberingKind = Literal['index', 'names', 'times', 'positions', 'matched']


@dataclass(frozen=True)
class FrameNumbering:
    """How the frame indices were read from a label file, and what is still unknown about them.

    Args:
        kind: 'index': the file counts the frames of the video from 0. 'names': the numbers in the
            names of pictures, from which the first frame's number is not yet subtracted. 'times':
            positions in the file, to be replaced by the frames shown at ``times``. 'positions':
            positions in the file, because it has nothing better. 'matched': confirmed frames of
            the video.
        text: Place in the file, as the end of a message "read from ...".
        count: Number of pictures that the file lists.
        lowest, highest: Lowest and highest number in all names, for 'names'.
        first_number: Number of the video's first frame, for 'names'; None if the file does not say
            where its numbers start.
        usual_first: Number that the writing tool usually gives the first frame, for 'names' without
            a ``first_number`` where the video does not tell either; None if that is not known.
        times: Position -> seconds from the first frame on, for 'times'. Number -> seconds, for
            'names' whose numbers may also be the digits of seconds.
        conflict: How the file contradicts itself about the frames, for 'names'; '' if it does not.
        folder: Folder of the label file; the pictures may lie beside it.
    """

    kind: NumberingKind
    text: str
    count: int = 0
    lowest: int = 0
    highest: int = 0
    first_number: int | None = 0
    usual_first: int | None = None
    times: Mapping[int, float] = field(default_factory=dict)
    folder: Path | None = None
    conflict: str = ''
