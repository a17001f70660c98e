from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av

from .demuxing import read_frames, read_packets

_ENCODER = 'aac'
"""Fallback codec: every container with sound and every player supports it."""


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
        # The muxer of MP4 takes codecs that players do not expect there.
        is_held = codec in target.supported_codecs and target.format.name != 'mp4'
        if codec == _ENCODER or is_held:
            self._packets = _copy(source, stream, target.add_stream_from_template(stream), start)
        else:
            rates = av.codec.Codec(_ENCODER, 'w').audio_rates or (stream.rate,)
            rate = min(rates, key=lambda rate: abs(rate - stream.rate))
            # Some files have no channel layout; the number of channels is always known.
            layout = 'mono' if stream.channels == 1 else 'stereo'
            encoder = target.add_stream(_ENCODER, rate=rate, layout=layout)
            self._packets = _encode(source, stream, encoder, start)
        self._waiting = next(self._packets, None)

    def write_until(self, seconds: Fraction | None) -> None:
        """Write the sound up to this time of the new file; all of it if None."""
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
