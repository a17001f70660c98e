"""Streams, packets and frames of a video file, and the end that its header announces."""

from __future__ import annotations

import math
import re
import struct
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from itertools import pairwise
from mmap import ACCESS_READ, mmap
from statistics import median
from typing import Any, NamedTuple

import av

from stdpose_mm.errors import InputError, note

_DURATION = re.compile(r'([0-9]+):([0-9]{2}):([0-9]{2}(?:\.[0-9]*)?)')
_MICROSECONDS = 10**6

_VP8_SHOWN = 0b10000
"""Bit of the first byte of a VP8 frame that is set if the frame is shown."""

MAX_SHOWN = 10**7
"""Largest number of frames that an edit list may show, more than four days of video."""


def video_streams(container: Any) -> list[Any]:
    """List the video streams of a file without cover pictures, the largest pictures first.

    Among equal sizes, the stream that players show by default comes first. The ffmpeg command
    chooses like this too, but prefers a default stream even if it is smaller; some writers mark a
    preview as the default.
    """
    flags = av.stream.Disposition
    # FFmpeg has no codec context for an unknown codec.
    streams = [stream for stream in container.streams.video if stream.codec_context]
    return sorted(
        (stream for stream in streams if not stream.disposition & flags.attached_pic),
        key=lambda film: (film.width * film.height, bool(film.disposition & flags.default)),
        reverse=True,
    )


def warn_of_other_streams(path: str, streams: Sequence[Any]) -> None:
    """Warn if a file holds several video streams; the first is read."""
    film, *others = streams
    if others:
        sizes = ' and '.join(f'{other.width}x{other.height}' for other in others)
        note(
            f'{path} holds {len(streams)} video streams: frames are read from stream {film.index} '
            f'({film.width}x{film.height}), not from {sizes}'
        )


def announced_end(container: Any, stream: Any) -> Fraction | None:
    """Return the end of the video in seconds according to its header; None if unknown.

    Only values that the writer stored are used. MPEG-TS and raw streams store none: FFmpeg
    estimates their durations from the file as it is. An ordinary MP4 file stores its number of
    frames, which is checked elsewhere; only a fragmented one has just a duration.
    """
    name = container.format.name.split(',')[0]
    if name == 'avi':
        # FFmpeg shortens the duration if the file is too small. The number includes dropped frames.
        return stream.frames * stream.time_base if stream.frames else None
    if name == 'mov' and not stream.frames and stream.duration:
        return ((stream.start_time or 0) + stream.duration) * stream.time_base
    if name in ('matroska', 'flv') and container.duration:
        whole = Fraction(container.duration, _MICROSECONDS)
        of_stream = _DURATION.fullmatch(stream.metadata.get('DURATION', ''))
        if of_stream is not None:
            hours, minutes, seconds = map(Fraction, of_stream.groups())
            return min(whole, 3600 * hours + 60 * minutes + seconds)
        # The sound may be longer than the video.
        return whole if len(container.streams) == 1 else None
    return None


def warn_if_cut_short(
    path: str, end: Fraction, times: Sequence[Fraction], rate: Fraction | None
) -> bool:
    """Warn, and return True, if the frames end clearly earlier than the header announces.

    The last frame may last as long as the longest other one, and decoders may drop two frames.

    Args:
        path: The file.
        end: See :func:`announced_end`.
        times: Times of its frames in seconds, ascending, at least one.
        rate: Frames per second, used if there is only one frame; None if unknown.
    """
    intervals = [b - a for a, b in pairwise(times)] or [1 / rate if rate else Fraction(0)]
    usual = median(intervals)
    last = times[-1] + usual
    if end - last <= max(2 * usual, *intervals):
        return False
    note(
        f'{path} is cut short: its header announces {float(end):.2f} s of video, but its '
        f'{len(times)} decodable frames end after {float(last):.2f} s'
    )
    return True


class EditListEntry(NamedTuple):
    """An entry of an edit list, in the time base of its track: what is shown, and how fast.

    Args:
        lasts: How long it is shown; 0 for all that follows (fragmented files).
        begin: Time in the track at which it begins; -1 to show nothing.
        rate: Speed; 1 is that of the track, 0 shows one frame.
    """

    lasts: Fraction
    begin: int
    rate: Fraction

    @property
    def end(self) -> Fraction | float:
        """The time in the track at which it ends."""
        return self.begin + self.lasts * self.rate if self.lasts else math.inf


def read_edits(path: str, stream: Any) -> list[EditListEntry]:
    """Read the edit list of a stream; FFmpeg, which ignores rates, does not apply it here.

    Returns:
        The edits; none for another file than MP4 or MOV, or without a complete list.
    """
    edits = []
    with (
        open(path, 'rb') as file,
        mmap(file.fileno(), 0, access=ACCESS_READ) as data,
        suppress(struct.error, IndexError, ZeroDivisionError),
    ):
        movie = next(_boxes(data, b'moov', 0, len(data)), (0, 0))
        header = next(_boxes(data, b'mvhd', *movie), (0, 0))[0]
        (scale,) = struct.unpack_from('>I', data, header + (20 if data[header] else 12))
        track = [*_boxes(data, b'trak', *movie)][stream.index]
        for start, end in _boxes(data, b'elst', *next(_boxes(data, b'edts', *track), (0, 0))):
            form = '>Qqi' if data[start] else '>Iii'
            for ticks, begin, rate in struct.iter_unpack(form, data[start + 8 : end]):
                lasts = Fraction(ticks, scale) / stream.time_base
                edits.append(EditListEntry(lasts, begin, Fraction(rate, 2**16)))
    return edits


def _boxes(data: mmap, kind: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Find the boxes of a kind within another one: start and end of their content."""
    while start + 8 <= end:
        size, name = struct.unpack_from('>I4s', data, start)
        content = start + 8
        if size == 1:
            (size,) = struct.unpack_from('>Q', data, content)
            content += 8
        stop = start + size if size else end
        if name == kind:
            yield content, stop
        start = max(stop, content)


def follow_edits(
    path: str, times: Sequence[int], edits: Sequence[EditListEntry]
) -> list[tuple[Fraction, int]]:
    """List the frames that an edit list shows; a frame that is shown slowly is counted once.

    Args:
        path: The video, for messages.
        times: Times of the frames of the track, ascending.
        edits: The edit list.

    Returns:
        (time, position in ``times``) of each shown frame.

    Raises:
        InputError: If it shows more than ``MAX_SHOWN`` frames, as a damaged list may.
    """
    frames: list[tuple[Fraction, int]] = []
    start = Fraction(0)
    for edit in edits:
        first, stop = bisect_left(times, edit.begin), bisect_left(times, edit.end)
        if not edit.rate:
            stop = bisect_right(times, edit.begin)
            first = max(stop - 1, 0)
        for place in range(first, stop if edit.begin >= 0 else 0):
            # Rounded times let an edit begin with the last frame of the one before.
            if not frames or frames[-1][1] != place:
                since = Fraction(max(times[place] - edit.begin, 0))
                frames.append((start + since / (edit.rate or 1), place))
        if len(frames) > MAX_SHOWN:
            raise InputError(f'{path}: its edit list shows more than {MAX_SHOWN} frames')
        start += edit.lasts
    return frames


def read_packets(container: Any, stream: Any) -> Iterator[Any]:
    """Yield the packets that carry data, up to the end of the file or the first broken packet."""
    with suppress(av.FFmpegError):
        yield from (packet for packet in container.demux(stream) if packet.size)


def is_hidden(packet: Any, stream: Any) -> bool:
    """Tell whether a packet holds a frame that is only a reference for others, as in VP8."""
    return stream.codec_context.name == 'vp8' and not bytes(packet)[0] & _VP8_SHOWN


def read_frames(
    container: Any,
    stream: Any,
    damaged: list[int] | None = None,
    is_wanted: Callable[[Any], bool] | None = None,
) -> Iterator[Any]:
    """Yield the frames that can be decoded; broken packets are skipped, as in players.

    The numbers of broken packets are appended to ``damaged``. A packet for which ``is_wanted`` is
    false is decoded only if other frames refer to it; its frame may be missing from the output.
    """
    for number, packet in enumerate(read_packets(container, stream)):
        if is_wanted is not None:
            stream.codec_context.skip_frame = 'DEFAULT' if is_wanted(packet) else 'NONREF'
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            if damaged is not None:
                damaged.append(number)
            continue
        yield from frames
    yield from stream.decode(None)
