"""Small videos whose frames carry a number that survives lossy coding: 8 black or white blocks."""

from __future__ import annotations

import pickle
import random
import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from stdpose_mm.io.video import VideoFrames

BLOCK, BITS = 16, 8
WIDTH, HEIGHT = BITS * BLOCK, 2 * BLOCK

# The last picture of every closed group is a P picture; those of an open group refer to the next.
CLOSED_GROUPS = {'x264-params': 'bframes=3:keyint=10:min-keyint=10:scenecut=0:b-adapt=0'}
OPEN_GROUPS = {'x264-params': CLOSED_GROUPS['x264-params'] + ':open-gop=1'}


def numbered_picture(number: int) -> np.ndarray:
    bits = [(number >> bit) & 1 for bit in range(BITS)]
    row = np.repeat(np.asarray(bits, np.uint8) * 200 + 25, BLOCK)
    return np.broadcast_to(row[None, :, None], (HEIGHT, WIDTH, 3)).copy()


def number_of(picture: np.ndarray) -> int:
    blocks = picture.reshape(HEIGHT, BITS, BLOCK, 3).mean(axis=(0, 2, 3))
    return sum(int(value > 125) << bit for bit, value in enumerate(blocks))


def make_video(
    path: Path,
    times: Sequence[int],
    codec: str = 'libx264',
    time_base: Fraction = Fraction(1, 25),
    codec_options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    rotation: float | None = None,
    pix_fmt: str = 'yuv420p',
    **stream_fields: Any,
) -> Path:
    """Make a video with frame ``i`` painted ``i`` and shown at ``times[i]`` (in ``time_base``)."""
    with av.open(str(path), 'w', options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=25, options=codec_options or {})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pix_fmt
        stream.codec_context.time_base = time_base
        if rotation is not None:
            stream.set_display_rotation(rotation)
        for name, value in stream_fields.items():
            setattr(stream.codec_context, name, value)
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(numbered_picture(number), format='bgr24')
            frame.pts, frame.time_base = time, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def cut_off(path: Path) -> Path:
    """Cut a video file off within the data of a picture, after two thirds of the pictures."""
    with av.open(str(path)) as container:
        places = sorted(p.pos for p in container.demux(video=0) if p.size)
    path.write_bytes(path.read_bytes()[: places[2 * len(places) // 3] + 20])
    return path


def make_talkie(
    path: Path,
    times: Sequence[int],
    codec: str = 'aac',
    time_base: Fraction = Fraction(1, 1000),
    begins: float = 0.5,
    lasts: float = 1.0,
) -> Path:
    """Make a video as :func:`make_video` does, with a tone of 440 Hz from ``begins`` seconds on.

    The sound lasts ``lasts`` seconds, at 48 kHz on one channel.
    """
    rate = 48000
    moments = np.arange(round(rate * lasts)) / rate
    wave = np.where(moments < begins, 0, np.sin(2 * np.pi * 440 * moments))
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, 'yuv420p'
        stream.codec_context.time_base = time_base
        sound = container.add_stream(codec, rate=rate, layout='mono')
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(numbered_picture(number), format='bgr24')
            frame.pts, frame.time_base = time, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        samples = (wave * 16000).astype(np.int16)[None]
        heard = av.AudioFrame.from_ndarray(samples, format='s16', layout='mono')
        heard.sample_rate, heard.pts, heard.time_base = rate, 0, Fraction(1, rate)
        container.mux(sound.encode(heard))
        container.mux(sound.encode(None))
    return path


def make_packed_avi(path: Path, count: int) -> Path:
    """Write MPEG-4 in AVI as DivX packs it: a B frame in the packet of its reference P frame.

    The packet after it then holds an empty picture, and the times of packets are meaningless.
    """
    plain = make_video(
        path.with_name('plain.avi'), range(count), codec='mpeg4', max_b_frames=1, gop_size=12
    )
    empty = b'\x00\x00\x01\xb6\x54\x7f\x7f'
    packed: list[tuple[bytes, bool]] = []
    with av.open(str(plain)) as source:
        stream = source.streams.video[0]
        packets = [(bytes(p), p.is_keyframe) for p in source.demux(stream) if p.size]
        for data, is_key in packets:
            if _picture_kind(data) == 'B' and packed:
                packed[-1] = (packed[-1][0] + data, packed[-1][1])
                packed.append((empty, False))
            else:
                packed.append((_as_divx(data) if is_key else data, is_key))
        with av.open(str(path), 'w') as target:
            copy = target.add_stream_from_template(stream)
            for number, (data, is_key) in enumerate(packed):
                packet = av.Packet(data)
                packet.stream, packet.time_base = copy, Fraction(1, 25)
                packet.pts = packet.dts = number
                packet.is_keyframe = is_key
                target.mux(packet)
    assert any(_picture_kind(data) == 'B' for data, _ in packets)
    return path


def _picture_kind(data: bytes) -> str:
    return 'IPBS'[data[data.find(b'\x00\x00\x01\xb6') + 4] >> 6]


def _as_divx(data: bytes) -> bytes:
    """Replace the encoder's note by that of DivX, whose p means packed."""
    start = data.find(b'\x00\x00\x01\xb2')
    if start < 0:
        return data
    end = data.find(b'\x00\x00\x01', start + 4)
    return data[:start] + b'\x00\x00\x01\xb2DivX503b1393p' + data[end:]


def trim(
    path: Path, pieces: Sequence[tuple[int, int]], rates: Sequence[Fraction] | None = None
) -> Path:
    """Replace the edit list of a video of 25 frames a second, whose data stay as they are.

    Args:
        path: An MP4 or MOV file of one stream, as :func:`make_video` makes it.
        pieces: (first frame, number of frames) of what is shown, in the order in which it is shown.
        rates: Speed of each piece. At rate 0, the first frame is shown for as long as all of it.
    """
    data = bytearray(path.read_bytes())
    movie = _box(data, b'moov', 0, len(data))
    track = _box(data, b'trak', *movie)
    edits = _box(data, b'edts', *track)
    media = _box(data, b'mdhd', *_box(data, b'mdia', *track))
    (movie_scale,) = struct.unpack_from('>I', data, _box(data, b'mvhd', *movie)[0] + 12)
    (media_scale,) = struct.unpack_from('>I', data, media[0] + 12)
    # The encoder's delay: the time of the first picture.
    (delay,) = struct.unpack_from('>i', data, _box(data, b'elst', *edits)[0] + 12)
    entries = b''.join(
        struct.pack(
            '>IiI',
            int(Fraction(count * movie_scale, 25) / (rate or 1)),
            delay + first * media_scale // 25,
            int(rate * (1 << 16)),
        )
        for (first, count), rate in zip(pieces, rates or [Fraction(1)] * len(pieces), strict=True)
    )
    listed = struct.pack('>I4sII', 16 + len(entries), b'elst', 0, len(pieces)) + entries
    grown = len(listed) - (edits[1] - edits[0])
    for start, end in (movie, track, edits):
        struct.pack_into('>I', data, start - 8, end - start + 8 + grown)
    data[slice(*edits)] = listed
    path.write_bytes(data)
    return path


def _box(data: bytearray, kind: bytes, start: int, end: int) -> tuple[int, int]:
    """Find a box of an MP4 file within others: start and end of what it holds."""
    while start < end:
        size, found = struct.unpack_from('>I4s', data, start)
        if found == kind:
            return start + 8, start + size
        start += size
    raise ValueError(f'there is no box {kind!r}')


def assert_shown(frames: VideoFrames, numbers: Sequence[int]) -> None:
    """Compare the numbers that frames show, in any order and, read anew, in their own."""
    copy = pickle.loads(pickle.dumps(frames))
    indices = random.Random(0).sample(range(len(numbers)), len(numbers))
    assert [number_of(frames[i]) for i in indices] == [numbers[i] for i in indices]
    assert [number_of(frame) for frame in copy] == list(numbers)
