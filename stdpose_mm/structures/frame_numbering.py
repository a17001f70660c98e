"""How the frame indices of labels were found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

NumberingKind = Literal['index', 'names', 'times', 'positions', 'matched']


@dataclass(frozen=True)
class FrameNumbering:
    """How the frame indices of labels were found in their file, and what that leaves open.

    Args:
        kind: 'index': the file counts the frames of the video from 0. 'names': the numbers in the
            names of pictures, with the first frame's still on them. 'times': positions in the
            file, to be replaced by the frames shown at ``times``. 'positions': positions in the
            file, for want of anything better. 'matched': frames of the video, beyond doubt.
        text: Where the file says it, to end "read from ..." with.
        count: Number of pictures that the file lists.
        lowest, highest: Of the numbers in all names, for 'names'.
        first_number: Number of the video's first frame, for 'names'; None if the file leaves open
            where its numbers start.
        times: Position -> seconds from the first frame on, for 'times'.
        folder: Folder of the label file, beside which its pictures may lie.
    """

    kind: NumberingKind
    text: str
    count: int = 0
    lowest: int = 0
    highest: int = 0
    first_number: int | None = 0
    times: Mapping[int, float] = field(default_factory=dict)
    folder: Path | None = None
