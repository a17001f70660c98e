"""Video files that end before the time that their header announces: they were cut off."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from statistics import median
from typing import Any

from stdpose_mm.errors import InputWarning

_DURATION = re.compile(r'([0-9]+):([0-9]{2}):([0-9]{2}(?:\.[0-9]*)?)')
_MICROSECONDS = 10**6


def announced_end(container: Any, stream: Any) -> Fraction | None:
    """Return the time in seconds at which the video ends by its header; None if unknown.

    Only what the writer of the file stated counts. MPEG-TS and raw streams state nothing: FFmpeg
    estimates their durations from what is left of the file. The frames of an ordinary MP4 file are
    counted in its header; only one of fragments has a duration alone.
    """
    name = container.format.name.split(',')[0]
    if name == 'avi':
        # FFmpeg shortens the duration of a file that is too small. Dropped frames are counted, too.
        return stream.frames * stream.time_base if stream.frames else None
    if name == 'mov' and not stream.frames and stream.duration:
        return ((stream.start_time or 0) + stream.duration) * stream.time_base
    if name in ('matroska', 'flv') and container.duration:
        whole = Fraction(container.duration, _MICROSECONDS)
        of_stream = _DURATION.fullmatch(stream.metadata.get('DURATION', ''))
        if of_stream is not None:
            hours, minutes, seconds = map(Fraction, of_stream.groups())
            return min(whole, 3600 * hours + 60 * minutes + seconds)
        # Sound may last longer than the pictures.
        return whole if len(container.streams) == 1 else None
    return None


def warn_if_cut_short(
    path: str, end: Fraction, times: Sequence[Fraction], rate: Fraction | None
) -> bool:
    """Warn if the frames of a file end clearly before its header announces, and return whether.

    The last frame may last as long as the longest other one, and decoders may hold back two frames.

    Args:
        path: The file.
        end: See :func:`announced_end`.
        times: Ascending times of its frames in seconds, at least one.
        rate: Frames per second, for a file of one frame; None if unknown.
    """
    intervals = [b - a for a, b in pairwise(times)] or [1 / rate if rate else Fraction(0)]
    usual = median(intervals)
    last = times[-1] + usual
    if end - last <= max(2 * usual, *intervals):
        return False
    warnings.warn(
        f'{path} is cut short: its header announces {float(end):.2f} s of video, but the frames '
        f'that can be decoded, {len(times)}, end after {float(last):.2f} s, give the whole file '
        'unless these frames will do',
        InputWarning,
        stacklevel=2,
    )
    return True
