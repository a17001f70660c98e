"""Writing of video files."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from stdpose_mm.constants import VIDEO_OUTPUT_SUFFIXES
from stdpose_mm.errors import InputError
from stdpose_mm.io import PathLike, atomic_path
from stdpose_mm.io.disk.file_names import require_suffix

from .demuxing import read_frames, read_packets
from .frame_source import DEFAULT_FPS, FrameSource, presentation_times

_UNTIMED_SUFFIXES = ('.avi', '.h264')
"""Suffixes of containers that store one frame rate instead of a time for every frame."""

_ENCODER = 'libx264' if 'libx264' in av.codec.codecs_available else 'mpeg4'

_SOUND_CODEC = 'aac'
"""Fallback codec for sound: every container with sound and every player supports it."""

_ENCODER_THREADS = 4
"""The bytes of a video depend on the number of threads, which would be that of the processors."""

_AVX_512F = 13
"""OpenCV's number of AVX-512, which has no name in Python."""

X264_OPTIONS = {'x264-params': 'asm=AVX2'} if cv2.checkHardwareSupport(_AVX_512F) else {}
"""Options with which x264 gives the same bytes for the same pictures. With AVX-512, how it
distributes bits (``mbtree``) depends on what the memory held before."""

_MAX_TICKS = 2**31 - 1 if _ENCODER == 'libx264' else 65535
"""Maximum ticks per second; MPEG-4 part 2 stores this number in 16 bits."""


def require_timing(path: PathLike, frames: FrameSource) -> None:
    """Check before long work that the container of ``path`` can store the times of a video.

    Raises:
        InputError: If the container stores only a frame rate, and a frame would be shown more than
            half a frame too early or too late.
    """
    if not _is_untimed(path):
        return
    times = presentation_times(frames)
    spacing = 1 / _mean_rate(times)
    if any(abs(time - index * spacing) > spacing / 2 for index, time in enumerate(times)):
        raise InputError(
            f'{path} can hold only one frame rate, but the frame times of {frames.name} vary, '
            'give a name such as out.mp4'
        )


def write_video(
    path: PathLike,
    frames: Iterable[np.ndarray],
    fps: float = DEFAULT_FPS,
    like: FrameSource | None = None,
) -> None:
    """Write pictures as an H.264 video (4:2:0), atomically.

    If FFmpeg was built without an H.264 encoder, MPEG-4 part 2 is written. 4:2:0 needs an even
    width and height: odd ones are padded by repeating the last column or row.

    Args:
        path: The video file; its suffix, one of ``VIDEO_OUTPUT_SUFFIXES``, sets the container.
            ``.avi`` and ``.h264`` store a frame rate instead of times.
        frames: BGR uint8 arrays [H, W, 3] of one size; read one at a time.
        fps: Frames per second.
        like: A video whose times, sound and pixel aspect ratio are used; ``fps`` is then ignored.
            Its first frame is shown at 0. The sound is copied, or encoded as AAC if the container
            requires it, and ends with the last picture; ``.h264`` has no sound.

    Raises:
        InputError: If ``path`` cannot be written, has no known suffix, or there are no frames; or
            see :func:`require_timing`.
        ValueError: If a frame has another shape than the first one or is not uint8.
    """
    require_suffix(str(path), path, 'a video', VIDEO_OUTPUT_SUFFIXES)
    clock: Iterator[int] = count()
    if like is None:
        if not 0 < fps <= 1000:
            raise InputError(f'frames per second must be in 0..1000, got {fps}')
        rate = _as_rate(fps)
        base = 1 / rate
    else:
        require_timing(path, like)
        times = presentation_times(like)
        rate = _mean_rate(times)
        base, clock = 1 / rate, iter(range(len(times)))
        if not _is_untimed(path):
            base = Fraction(1, min(math.lcm(*(time.denominator for time in times)), _MAX_TICKS))
            clock = iter([round(time / base) for time in times])
    shape, sound = None, None
    with atomic_path(path) as temporary, ExitStack() as files:
        # FFmpeg would take a relative name such as 10:30.mp4 for a URL.
        # Without this option, Matroska files have random numbers.
        container_options = {'fflags': '+bitexact'}
        target = os.path.abspath(temporary)
        container: Any = files.enter_context(av.open(target, 'w', options=container_options))
        options = X264_OPTIONS if _ENCODER == 'libx264' else {}
        for picture in frames:
            if shape is None:
                shape = picture.shape
                stream = container.add_stream(_ENCODER, rate=rate, options=options)
                stream.height, stream.width = shape[0] + shape[0] % 2, shape[1] + shape[1] % 2
                stream.pix_fmt = 'yuv420p'
                stream.codec_context.thread_count = _ENCODER_THREADS
                stream.codec_context.time_base = base
                if like is not None:
                    stream.codec_context.sample_aspect_ratio = like.pixel_aspect
                    sound = _open_sound(like, container, files)
            if picture.shape != shape or picture.ndim != 3 or picture.dtype != np.uint8:
                raise ValueError(f'a frame is {picture.dtype} {picture.shape}, expected {shape}')
            padded = np.pad(picture, ((0, shape[0] % 2), (0, shape[1] % 2), (0, 0)), mode='edge')
            frame = av.VideoFrame.from_ndarray(padded, format='bgr24')
            frame.pts, frame.time_base = next(clock), base
            if sound is not None:
                sound.write_until(frame.pts * base)
            container.mux(stream.encode(frame))
        if shape is None:
            raise InputError(f'{path} needs at least one frame to write, got none')
        container.mux(stream.encode(None))
        if sound is not None:
            sound.write_until(next((tick * base for tick in clock), None))


def _open_sound(
    frames: FrameSource, target: av.container.OutputContainer, files: ExitStack
) -> SoundTrack | None:
    """Open the sound of a video for a file; None if there is none or the file cannot hold it."""
    if frames.audio_path is None or target.default_audio_codec == 'none':
        return None
    source = files.enter_context(
        av.open(os.path.abspath(frames.audio_path), metadata_errors='replace')
    )
    return SoundTrack(source, target, frames.time_of(0) or Fraction(0))


def _is_untimed(path: PathLike) -> bool:
    return Path(path).suffix.lower() in _UNTIMED_SUFFIXES


def _as_rate(fps: float | Fraction) -> Fraction:
    # MPEG-4 part 2 stores the denominator in 16 bits.
    return Fraction(fps).limit_denominator(65535)


def _mean_rate(times: Sequence[Fraction]) -> Fraction:
    """Compute frames per second from the times of all frames."""
    return _as_rate((len(times) - 1) / times[-1]) if len(times) > 1 else Fraction(DEFAULT_FPS)


class SoundTrack:
    """Transfer of the first audio stream of an open file to another file.

    The stream is copied if the target container supports its codec, else encoded as AAC. Parts that
    cannot be decoded are left out.

    Args:
        source: PyAV container with sound.
        target: PyAV container to write, before its first packet.
        start: Seconds in ``source`` at which ``target`` begins.
    """

    def __init__(self, source: Any, target: Any, start: Fraction) -> None:
        self._target = target
        stream = source.streams.audio[0]
        codec = stream.codec_context.name
        # The muxer of MP4 accepts codecs that players do not support in MP4.
        is_held = codec in target.supported_codecs and target.format.name != 'mp4'
        if codec == _SOUND_CODEC or is_held:
            self._packets = _copy(source, stream, target.add_stream_from_template(stream), start)
        else:
            rates = av.codec.Codec(_SOUND_CODEC, 'w').audio_rates or (stream.rate,)
            rate = min(rates, key=lambda rate: abs(rate - stream.rate))
            # Some files store no channel layout, but the number of channels is always known.
            layout = 'mono' if stream.channels == 1 else 'stereo'
            encoder = target.add_stream(_SOUND_CODEC, rate=rate, layout=layout)
            self._packets = _encode(source, stream, encoder, start)
        self._waiting = next(self._packets, None)

    def write_until(self, seconds: Fraction | None) -> None:
        """Write the sound up to this time in the new file; all of it if None."""
        while self._waiting is not None:
            if seconds is not None and self._waiting.pts * self._waiting.time_base >= seconds:
                return
            self._target.mux(self._waiting)
            self._waiting = next(self._packets, None)


def _copy(source: Any, stream: Any, copy: Any, start: Fraction) -> Iterator[Any]:
    last = -math.inf
    for packet in read_packets(source, stream):
        # A muxer refuses packets whose times do not increase.
        if packet.pts is None or packet.dts is None or packet.dts <= last:
            continue
        last = packet.dts
        offset = round(start / packet.time_base)
        packet.pts, packet.dts = packet.pts - offset, packet.dts - offset
        if packet.pts >= 0:
            packet.stream = copy
            yield packet


def _encode(source: Any, stream: Any, encoder: Any, start: Fraction) -> Iterator[Any]:
    for frame in read_frames(source, stream):
        if frame.pts is None:
            continue
        frame.pts -= round(start / frame.time_base)
        if frame.pts >= 0:
            yield from encoder.encode(frame)
    yield from encoder.encode(None)
