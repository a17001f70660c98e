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
        kind: 'index': the file counts the frames of the video from 0. 'names': the indices are the
            numbers in the names of pictures; the first frame's number is not yet subtracted.
            'times': positions in the file, to be replaced by the frames shown at ``times``.
            'positions': positions in the file, because it tells nothing better. 'matched': frames
            of the video.
        text: Where the indices come from, as the end of a message "read from ...".
        count: Number of pictures that the file lists.
        lowest, highest: Lowest and highest number in all names, for 'names'.
        first_number: Number of the video's first frame, for 'names'; None if the file does not say
            where its numbers start.
        usual_first: Number that the writing tool usually gives the first frame, for 'names'; used
            if neither ``first_number`` nor the video decides. None if unknown.
        times: Position -> seconds from the first frame, for 'times'. Number -> seconds, for
            'names' whose numbers may also be the digits of seconds.
        conflict: How the file contradicts itself about the frames, for 'names'; '' if it does not.
        folder: Folder of the label file, where the pictures may be, too.
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
