"""Packets and frames of a file that may be broken, read by FFmpeg."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import av


def read_packets(container: Any, stream: Any) -> Iterator[Any]:
    """Yield the packets that carry data, up to the end or the first broken place of the file."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            return
        if packet is None:
            return
        if packet.size:
            yield packet


def read_frames(
    container: Any,
    stream: Any,
    damaged: list[int] | None = None,
    is_wanted: Callable[[Any], bool] | None = None,
) -> Iterator[Any]:
    """Yield the frames that can be decoded; broken packets are skipped, as in players.

    The numbers of broken packets are added to ``damaged``. If ``is_wanted`` is false for a packet,
    its frame may be missing: it is decoded only if other frames refer to it.
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
