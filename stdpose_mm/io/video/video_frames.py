"""Exact frames of a video file, by index."""

from __future__ import annotations

import gc
import math
import os
import weakref
import zlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import count, islice
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from stdpose_mm.errors import InputError, note

from .demuxing import (
    EditListEntry,
    announced_end,
    follow_edits,
    is_hidden,
    read_edits,
    read_frames,
    read_packets,
    video_streams,
    warn_if_cut_short,
    warn_of_other_streams,
)
from .frame_source import FileFrames, are_ascending

_TRUSTED_CONTAINERS = ('mov', 'matroska')
"""Containers that store a presentation time for every frame. For AVI and raw streams FFmpeg
guesses the times of reordered frames, wrongly where MPEG-4 has packed B-frames."""

_TIMED_CONTAINERS = (*_TRUSTED_CONTAINERS, 'mpegts', 'mpeg', 'flv', 'asf', 'avi', 'gif', 'apng')
"""Containers whose presentation times, if present, are correct."""

_SEEK_COST = 8
"""Number of frames that a seek must save from being decoded to be worth its cost."""

_SKIPPING_CODECS = ('h264', 'mpeg4', 'mpeg2video')
"""Codecs in which no frame depends on a frame that is not marked as a reference. In HEVC, frames
of a higher temporal layer may depend on such a frame."""

_MAX_LEADING = 64
"""Maximum number of frames that the decoder may output before the key frame after a seek."""

_MAX_REORDERED = 16
"""Maximum number of frames that a decoder holds back to output them in order."""

_sources: weakref.WeakSet[VideoFrames] = weakref.WeakSet()
_inherited: list[Any] = []


def _leave_to_parent() -> None:
    # PyAV's containers are in reference cycles. The child's garbage collector would free unused
    # ones and wait for ever for the decoder's threads, which exist only in the parent.
    gc.freeze()
    # Parent and child share one file position, so the child must not read from the open files.
    # They are kept alive, because closing them would wait for ever, too.
    for source in list(_sources):
        _inherited.append((source._container, source._stream, source._decoded))
        source._forget()


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_leave_to_parent)


@dataclass(frozen=True)
class FrameIndex:
    """Index of the frames that a video file stores.

    Attributes:
        times: Presentation time of every frame in the stream's time base; ascending if
            ``checksums`` is None, else as guessed by FFmpeg (-1 without a guess).
        keys: Ascending indices of the frames at which decoding can start, including 0.
        checksums: Checksum of every frame; None if times identify the frames.
        num_damaged: Number of damaged frames at the end, as far as they were decoded.
        edits: The edit list, which says which of the frames are shown; empty without one.
    """

    times: list[int]
    keys: list[int]
    checksums: list[int] | None = None
    num_damaged: int = 0
    edits: Sequence[EditListEntry] = ()


class VideoFrames(FileFrames):
    """The frames of a video file.

    Opening reads the whole file once without decoding it. If the container has no presentation
    times, every frame is decoded once instead; its checksum identifies it after a seek. Reading in
    order never seeks. Several threads may read at the same time; they take turns.
    A file that ends clearly before its header announces is read as far as possible, with a warning.

    The frames of a trimmed video are those that its edit list shows. They are decoded without the
    list, because decoders lose frames at the joins of its pieces.

    Args:
        path: A video file that FFmpeg reads. If it has several video streams, one is read, with a
            warning; see :func:`~stdpose_mm.io.video.demuxing.video_streams`.

    Raises:
        InputError: If it is not a video, or holds fewer frames than its header lists.
    """

    unpicklable = ('_container', '_stream', '_decoded', '_reformatter')

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self.name = path.stem
        self._forget()
        try:
            container, stream = self._open()
            with container:
                rate = stream.average_rate or stream.guessed_rate
                self.fps = float(rate) if rate else None
                self._time_base = base = stream.time_base
                aspect = stream.sample_aspect_ratio or Fraction(1)
                # FFmpeg has no codec context for an unknown codec.
                sound = container.streams.audio[:1]
                self.audio_path = self._path if sound and sound[0].codec_context else None
                format_name = container.format.name.split(',')[0]
                end = announced_end(container, stream)
                begin = Fraction(container.start_time or 0, av.time_base)
                warn_of_other_streams(self._path, video_streams(container))
            index = None
            if format_name in _TRUSTED_CONTAINERS:
                index = self._index_from_packets()
            self._index = index or self._index_from_frames()
            times = self._index.times
            is_guessed = format_name == 'avi' and not are_ascending(times)
            places = self._number_chunks(len(times)) if is_guessed else None
            frames: Sequence[tuple[int | Fraction, int]] = (
                follow_edits(self._path, times, self._index.edits)
                or places
                or [*zip(times, count())]
            )
            shown_at = [time for time, _ in frames]
            is_timed = format_name in _TIMED_CONTAINERS and are_ascending(shown_at)
            if not is_timed or not (index or shown_at[:1] >= [0]):
                self._time_base = None
            elif format_name == 'avi' and len(shown_at) > 1:
                # Its rate is that of its chunks, of which any number may be empty.
                self.fps = float((len(shown_at) - 1) / ((shown_at[-1] - shown_at[0]) * base))
        except av.FFmpegError as error:
            raise InputError(
                f'{path} is not a video that can be decoded: {error.strerror}'
            ) from error
        if not times:
            raise InputError(f'{path} is a video without any frame that can be decoded')
        whole = times[: len(times) - self._index.num_damaged]
        seconds = [time * base for time in sorted(whole) if time >= 0]
        if end is not None and seconds and warn_if_cut_short(self._path, end, seconds, rate):
            # The last frame may be cut in two.
            keys = [key for key in self._index.keys if key < len(whole)]
            self._index = replace(self._index, times=whole, keys=keys)
        self._shown = [frame for frame in frames if frame[1] < len(self._index.times)]
        if self._time_base is not None:
            # The times of an edit list begin at 0.
            begin = Fraction(0) if self._index.edits else begin
            self.start = max(self._shown[0][0] * base - begin, self.start)
        first = self._decoded_frame(0)
        height, width = _upright(first, self._reformatter).shape[:2]
        self.size = (width, height)
        self.pixel_aspect = 1 / aspect if first.rotation % 180 else aspect

    def __len__(self) -> int:
        return len(self._shown)

    def time_of(self, index: int) -> Fraction | None:
        """Return the time of frame ``index`` in seconds; None if it is only FFmpeg's guess."""
        self._check(index)
        return None if self._time_base is None else self._shown[index][0] * self._time_base

    def _forget(self) -> None:
        super()._forget()
        self._container: Any = None
        self._stream: Any = None
        self._decoded: Iterator[av.VideoFrame] = iter(())
        # A new one for each frame would take three times as long.
        self._reformatter = VideoReformatter()
        self._next: int | None = 0
        self._wanted_time = 0
        self._key = 0
        _sources.add(self)

    def _open(self) -> tuple[Any, Any]:
        # FFmpeg would take a relative name such as 10:30.mp4 for a URL.
        options = {'ignore_editlist': '1'}
        container = av.open(os.path.abspath(self._path), options=options, metadata_errors='replace')
        # FFmpeg reads a text file as a video of its letters.
        kind = 'is a text file' if container.format.name == 'tty' else 'holds no video stream'
        streams = video_streams(container)
        if not streams or container.format.name == 'tty':
            container.close()
            raise InputError(f'{self._path} {kind}, expected a video or a folder of pictures')
        # Frame threads outlive a call: a seek or a close could wait for a thread that waits for
        # Python's lock to log something.
        streams[0].thread_type = 'SLICE'
        return container, streams[0]

    def _index_from_packets(self) -> FrameIndex | None:
        """Index frames by the container's own times; None if they do not identify the frames.

        Raises:
            InputError: If the header lists shown frames beyond the end of the file.
        """
        container, stream = self._open()
        stored: dict[Any, bool] = {}
        number = whole = 0
        with container:
            edits = read_edits(self._path, stream)
            for packet in read_packets(container, stream):
                if is_hidden(packet, stream):
                    continue
                stored[packet.pts] = packet.is_keyframe
                number += 1
                whole += not packet.is_corrupt
            # Only MP4 and MOV list all frames in their index.
            listed = [entry.timestamp for entry in stream.index_entries if stream.frames]
        end = max((edit.end for edit in edits), default=math.inf)
        if whole < len(listed) and listed[whole] < end:
            raise InputError(
                f'{self._path} is cut short: frame {whole} of the {len(listed)} frames in its '
                'header cannot be read, give the whole file'
            )
        if None in stored or len(stored) < number:
            return None
        index = self._index_decodable(stored)
        rates = sorted({edit.rate for edit in edits if edit.begin >= 0} - {1})
        if index is not None and rates:
            speeds = ' and '.join(f'{float(rate):g}' for rate in rates)
            note(
                f'{self._path} shows frames at {speeds} times their speed: each is counted once, '
                'at the time at which it is shown'
            )
        return index and replace(index, edits=edits)

    def _index_decodable(self, stored: dict[int, bool]) -> FrameIndex | None:
        """Index the frames from the first decodable one on; None if the last frames do not match.

        The frames from the last key frame on are decoded and compared with the packets. Undecodable
        frames are usually at the ends, where the video was cut: the first ones refer to missing
        frames. Damage between decodable frames is ignored here: frames keep their indices, and
        reading a damaged frame raises an error.

        Args:
            stored: Time of every packet -> whether decoding can start at it.
        """
        times = sorted(stored)
        container, stream = self._open()
        with container:
            decoded = map(_time, read_frames(container, stream))
            first = next(decoded, -1)
            if first not in stored:
                return None
            if first != times[0] and min(islice(decoded, _MAX_REORDERED), default=first) < first:
                return None
            times = times[times.index(first) :]
            place_of = {time: place for place, time in enumerate(times)}
            places = {place_of.get(time, 0) for time, is_key in stored.items() if is_key}
            index = FrameIndex(times, sorted({0, *places}))
            start = times[index.keys[-1]]
            container.seek(start, stream=stream)
            damaged: list[int] = []
            tail = [_time(frame) for frame in read_frames(container, stream, damaged)]
        decodable = [time for time in tail if time >= start]
        expected = times[index.keys[-1] :]
        if damaged and decodable and decodable[-1] == expected[-1]:
            return index if set(decodable) <= set(expected) else None
        return index if decodable == expected else None

    def _number_chunks(self, num_frames: int) -> list[tuple[int, int]] | None:
        """Find the chunk of each frame of an AVI file, whose number is its time; None if unknown.

        Where FFmpeg guesses times that are out of order (H.264 with B-frames), frame ``i`` is shown
        at the time of the ``i``-th chunk that is not empty.
        """
        container, stream = self._open()
        with container:
            packets = read_packets(container, stream)
            chunks = [packet.dts for packet in packets if not is_hidden(packet, stream)]
        return [*zip(chunks, count())] if len(chunks) == num_frames else None

    def _index_from_frames(self) -> FrameIndex:
        container, stream = self._open()
        times: list[int] = []
        keys = [0]
        checksums = []
        damaged = 0
        with container:
            for i, frame in enumerate(read_frames(container, stream)):
                times.append(_time(frame))
                checksums.append(_checksum(frame))
                damaged = damaged + 1 if frame.is_corrupt else 0
                if i and frame.key_frame and times[i] >= 0:
                    keys.append(i)
        return FrameIndex(times, keys, checksums, damaged)

    def _picture(self, index: int) -> np.ndarray:
        picture = _upright(self._decoded_frame(index), self._reformatter)
        height, width = picture.shape[:2]
        if (width, height) != self.size:
            raise InputError(
                f'{self._path}: frame {index} is {width}x{height} pixels, expected '
                f'{self.size[0]}x{self.size[1]} as in frame 0'
            )
        return picture

    def _decoded_frame(self, index: int) -> av.VideoFrame:
        try:
            frame = self._decode(self._shown[index][1])
        except av.FFmpegError as error:
            raise InputError(
                f'{self._path}: frame {index} cannot be decoded: {error.strerror}'
            ) from error
        if frame is None:
            raise InputError(f'{self._path}: frame {index} is damaged and cannot be decoded')
        return frame

    def _decode(self, index: int) -> av.VideoFrame | None:
        """Decode frame ``index`` from the current position, from a key frame, or from the start.

        Return None if the frame is missing, or the decoder only concealed damaged data.
        """
        keys = self._index.keys
        nearest = bisect_right(keys, index) - 1
        position = self._next if self._container is not None else None
        may_go_on = (
            position is not None and position <= index and keys[nearest] <= position + _SEEK_COST
        )
        # A seek may land too late (short groups of pictures), or a key frame may be broken.
        starts = dict.fromkeys((keys[nearest], keys[max(nearest - 1, 0)], 0))
        for start in (*([None] if may_go_on else ()), *starts):
            if start is not None:
                self._start_at(start)
            frame = self._advance(index)
            if frame is not None and not frame.is_corrupt:
                return frame
        return None

    def _start_at(self, key: int) -> None:
        """Seek so that the decoder's next frame is frame ``key``, or one shortly before it."""
        if key == 0 or self._container is None:
            if self._container is not None:
                self._container.close()
            self._container, self._stream = self._open()
        self._next = 0
        if key:
            self._container.seek(self._index.times[key], stream=self._stream)
            self._next = None
        self._key = key
        may_skip = (
            self._index.checksums is None
            and self._stream.codec_context.codec.canonical_name in _SKIPPING_CODECS
        )
        self._decoded = read_frames(
            self._container, self._stream, is_wanted=self._is_wanted if may_skip else None
        )

    def _advance(self, index: int) -> av.VideoFrame | None:
        """Decode up to frame ``index`` and return it; None if it is missing."""
        unknown = 0
        self._wanted_time = self._index.times[index]
        for frame in self._decoded:
            identified = self._identify(frame)
            if identified is None:
                unknown += 1
                if unknown > _MAX_LEADING:
                    break
                continue
            self._next = identified + 1
            if identified == index:
                return frame
            if identified > index:
                break
        self._next = None
        return None

    def _is_wanted(self, packet: Any) -> bool:
        """Tell whether a packet's frame is the frame to decode or a later one."""
        return packet.pts is None or packet.pts >= self._wanted_time

    def _identify(self, frame: av.VideoFrame) -> int | None:
        """Find the index of a decoded frame; None if it cannot be identified."""
        times, checksums = self._index.times, self._index.checksums
        if checksums is None:
            index = bisect_right(times, _time(frame)) - 1
            return index if index >= 0 and times[index] == _time(frame) else None
        expected = self._next if self._next is not None else self._key
        if expected < len(times) and times[expected] == _time(frame):
            return expected if checksums[expected] == _checksum(frame) else None
        return None


def _upright(frame: av.VideoFrame, reformatter: VideoReformatter) -> np.ndarray:
    """Return the picture as it is shown: rotated in steps of 90 degrees and mirrored as stored."""
    # PyAV keeps the threads of a conversion for the next one. A forked child does not have them and
    # would wait for ever. One thread is as fast.
    converted = reformatter.reformat(frame, format='bgr24', threads=1)
    picture: np.ndarray = converted.to_ndarray()
    noted: Any = frame.side_data.get('DISPLAYMATRIX')
    if noted is None:
        return picture
    # A pixel (x, y) is shown at (a x + c y, b x + d y) plus an offset.
    a, b, _, c, d = np.frombuffer(noted, dtype=np.int32)[:5]
    if abs(b) > abs(a):
        picture, a, d = picture.swapaxes(0, 1), c, b
    return np.ascontiguousarray(picture[:: 1 if d > 0 else -1, :: 1 if a > 0 else -1])


def _time(frame: av.VideoFrame) -> int:
    return -1 if frame.pts is None else frame.pts


def _checksum(frame: av.VideoFrame) -> int:
    """Sum the first plane of a picture without the padding of its lines, which may be anything."""
    plane, form = frame.planes[0], frame.format
    of_several = len(frame.planes) > 1
    bits = -(-form.components[0].bits // 8) * 8 if of_several else form.padded_bits_per_pixel
    lines = np.frombuffer(memoryview(plane), np.uint8)[: plane.line_size * plane.height]
    visible = lines.reshape(plane.height, -1)[:, : (plane.width * bits + 7) // 8]
    return zlib.crc32(visible.tobytes())
