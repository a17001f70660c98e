import gc
import os
import pickle
import random
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from stdpose_mm.errors import InputError, InputWarning
from stdpose_mm.io.video import VideoFrames, known_times, open_frames, read_frame, write_video
from stdpose_mm.io.video.demuxing import warn_if_cut_short
from stdpose_mm.io.video.video_frames import _checksum
from support.forks import in_fork
from support.paths import ROOT
from support.platforms import posix
from support.video_files import (
    CLOSED_GROUPS,
    HEIGHT,
    OPEN_GROUPS,
    WIDTH,
    assert_shown,
    cut_off,
    make_packed_avi,
    make_talkie,
    make_video,
    number_of,
    numbered_picture,
)

COUNT = 45
IRREGULAR = np.cumsum(np.random.default_rng(0).choice([7, 33, 41, 120], COUNT)).tolist()
QUARTER = np.zeros((48, 64, 3), np.uint8)
QUARTER[:24, :32] = 200
"""Its upper left quarter is bright."""
ONE_GROUP = {'x264-params': 'bframes=3:keyint=250:scenecut=0:b-adapt=0'}

MPEG4, LIVE = {'codec': 'mpeg4', 'gop_size': 10}, {'movflags': 'frag_keyframe+empty_moov'}
DASH = {'movflags': 'frag_keyframe+delay_moov'}
IN_MILLISECONDS = {'times': IRREGULAR, 'time_base': Fraction(1, 1000)}
LATE = {'times': range(50, 50 + COUNT)}

VIDEOS: dict[str, dict[str, Any]] = {
    'b_frames.mkv': dict(codec_options=CLOSED_GROUPS),
    'b_frames_h264.avi': dict(codec_options=CLOSED_GROUPS),
    'open_groups.mp4': dict(codec_options=OPEN_GROUPS),
    'open_groups.ts': dict(codec_options=OPEN_GROUPS),
    'one_group.mp4': dict(codec_options=ONE_GROUP),
    'one_group_hevc.mp4': dict(codec='libx265', codec_options={'x265-params': 'log-level=none'}),
    'one_group_mpeg4.mp4': dict(codec='mpeg4', gop_size=COUNT, max_b_frames=2),
    'short_groups.mp4': dict(
        codec_options={'x264-params': 'keyint=2:min-keyint=1:bframes=1:scenecut=0'}
    ),
    'variable_rate.mp4': dict(**IN_MILLISECONDS, codec_options=CLOSED_GROUPS),
    'variable_rate.mkv': dict(**IN_MILLISECONDS, codec_options=CLOSED_GROUPS),
    'fragmented.mp4': dict(codec_options=CLOSED_GROUPS, container_options=LIVE),
    # Its edit list shows all that follows.
    'fragmented_late_header.mp4': dict(codec_options=CLOSED_GROUPS, container_options=DASH),
    'no_times.h264': dict(codec_options=CLOSED_GROUPS),
    'mpeg4.avi': MPEG4,
    'mpeg4_b_frames.avi': dict(**MPEG4, max_b_frames=2),
    'mpeg4_dropped.avi': dict(**MPEG4, times=[i + i // 5 for i in range(COUNT)]),
}


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return make_video(tmp_path / 'clip.mp4', range(COUNT), codec_options=CLOSED_GROUPS)


@pytest.mark.slow
@pytest.mark.filterwarnings('error::stdpose_mm.errors.InputWarning')
@pytest.mark.parametrize('name', VIDEOS)
def test_every_index_is_the_frame_shown_at_that_place(tmp_path: Path, name: str):
    frames = open_frames(make_video(tmp_path / name, **{'times': range(COUNT), **VIDEOS[name]}))
    assert len(frames) == COUNT
    assert_shown(frames, range(COUNT))


@pytest.mark.filterwarnings('error::stdpose_mm.errors.InputWarning')
def test_packed_b_frames_come_evenly_in_order_of_presentation(tmp_path: Path):
    frames = open_frames(make_packed_avi(tmp_path / 'packed.avi', COUNT))
    assert_shown(frames, range(COUNT))
    assert known_times(frames) == [Fraction(number, 25) for number in range(COUNT)]


CODED = {
    **dict.fromkeys(('vp8.webm', 'vp8.ivf', 'vp8.avi'), ('libvpx', 'yuv420p')),
    'huffyuv.avi': ('huffyuv', 'yuv422p'),
    'ffvhuff.avi': ('ffvhuff', 'yuv420p'),
    'utvideo.avi': ('utvideo', 'gbrp'),
    'ffv1.mkv': ('ffv1', 'yuv444p10le'),
    'raw.avi': ('rawvideo', 'yuv420p'),
}
"""File -> its codec, and the form of its pixels."""


def make_coded(path: Path, size: tuple[int, int], hidden: set[int]) -> None:
    """Make a video of noise; behind some frames of VP8 another one that is not shown."""
    rng, (codec, form) = np.random.default_rng(0), CODED[path.name]
    with av.open(str(path), 'w') as container:
        stream = container.add_stream(codec, rate=50)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = *size, form, 1
        for number in range(6):
            picture = rng.integers(0, 255, (*size[::-1], 3), np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, 'bgr24')
            frame.pts = 2 * number
            packets = stream.encode(frame)
            if codec == 'libvpx' and number in hidden:
                data = bytes(packets[0])
                packet = av.Packet(bytes([data[0] & 0b11101111]) + data[1:])
                packet.pts = packet.dts = 2 * number + 1
                packet.time_base, packet.stream = packets[0].time_base, stream
                packet.is_keyframe = True
                packets.append(packet)
            container.mux(packets)
        container.mux(stream.encode(None))


@pytest.mark.parametrize('name', CODED)
@settings(max_examples=3)
@given(
    size=st.tuples(st.integers(9, 40), st.integers(9, 20)),
    hidden=st.sets(st.integers(0, 4)),
    order=st.permutations(range(6)),
)
def test_frames_are_those_that_ffmpeg_shows(
    tmp_path: Path, name: str, size: tuple[int, int], hidden: set[int], order: list[int]
):
    size = 2 * size[0], 2 * size[1]
    make_coded(tmp_path / name, size, hidden)
    with av.open(str(tmp_path / name)) as container:
        shown = [frame.to_ndarray(format='bgr24') for frame in container.decode(video=0)]
    assert len(shown) == 6

    frames = open_frames(tmp_path / name)
    assert (len(frames), frames.size) == (6, size)
    for index in order:
        np.testing.assert_array_equal(frames[index], shown[index])
    if name != 'vp8.ivf':
        # Where the times are FFmpeg's guess, they count the frames.
        assert known_times(frames) == [Fraction(number, 25) for number in range(6)]


BYTES_OF_A_PIXEL = {
    **dict.fromkeys(('yuv420p', 'gray', 'gbrp', 'nv12'), 1),
    'yuv422p10le': 2,
    'yuyv422': 2,
    'bgr24': 3,
}
"""In the first plane of a picture."""


@given(
    form=st.sampled_from([*BYTES_OF_A_PIXEL]),
    size=st.tuples(st.integers(1, 100), st.integers(1, 40)),
    place=st.tuples(st.floats(0, 0.999), st.floats(0, 0.999)),
    padding=st.integers(0, 255),
)
def test_the_padding_of_lines_is_no_part_of_a_picture(
    form: str, size: tuple[int, int], place: tuple[float, float], padding: int
):
    width, height = size[0] + size[0] % 2, size[1]

    def checksum_of(padding: int, value: int) -> int:
        """Of a picture of ones with another value in a visible place."""
        frame = av.VideoFrame(width, height, form)
        plane, visible = frame.planes[0], width * BYTES_OF_A_PIXEL[form]
        lines = np.full((plane.height, plane.line_size), padding, np.uint8)
        lines[:, :visible] = 1
        lines[int(place[1] * height), int(place[0] * visible)] = value
        plane.update(lines.tobytes())
        return _checksum(frame)

    assert checksum_of(padding, 1) == checksum_of(7, 1)
    assert checksum_of(padding, 1) != checksum_of(padding, 2)


@pytest.mark.parametrize('suffix', ['.mkv', '.ts', '.mov'])
def test_the_first_frame_may_be_shown_after_the_sound_begins(tmp_path: Path, suffix: str):
    """Players show it 0.48 s after the sound, which is in all three files the first stream."""
    late = make_talkie(tmp_path / f'late{suffix}', range(480, 1480, 40))
    even = make_talkie(tmp_path / f'even{suffix}', range(0, 1000, 40))

    assert abs(open_frames(late).start - Fraction(12, 25)) < Fraction(1, 30)
    assert open_frames(even).start < Fraction(1, 30)


DROPPED = [number + number // 5 for number in range(COUNT)]
CHUNKS: dict[str, tuple[dict[str, Any], list[int]]] = {
    # Options of the writer, and the times of the frames in milliseconds.
    'ffv1.avi': (dict(codec='ffv1', times=DROPPED), [40 * time for time in DROPPED]),
    'b_frames.avi': (
        dict(codec='mpeg4', max_b_frames=2, times=DROPPED),
        [40 * time for time in DROPPED],
    ),
    'even_b_frames.avi': (VIDEOS['mpeg4_b_frames.avi'], [40 * number for number in range(COUNT)]),
    'h264.avi': (VIDEOS['b_frames_h264.avi'], [40 * number for number in range(COUNT)]),
    'thousand_chunks_a_second.avi': (
        dict(codec='mpeg4', times=[0, *IRREGULAR[:-1]], time_base=Fraction(1, 1000)),
        [0, *IRREGULAR[:-1]],
    ),
}


@pytest.mark.parametrize('name', CHUNKS)
def test_empty_chunks_of_an_avi_file_are_time(tmp_path: Path, name: str):
    options, times = CHUNKS[name]
    frames = open_frames(make_video(tmp_path / name, **{'times': range(COUNT), **options}))
    assert known_times(frames) == [Fraction(time, 1000) for time in times]
    assert frames.fps == pytest.approx(1000 * (COUNT - 1) / times[-1])


def test_empty_chunks_are_time_where_b_frames_are_out_of_order(tmp_path: Path):
    options = {**VIDEOS['b_frames_h264.avi'], 'times': DROPPED}
    frames = open_frames(make_video(tmp_path / 'dropped.avi', **options))

    times = known_times(frames)
    assert times is not None
    # Frames are off by the delay of the reordering at most; without the chunks, the last by 8.
    assert max(abs(25 * time - place) for time, place in zip(times, DROPPED, strict=True)) <= 2
    assert frames.fps == pytest.approx(25 * (COUNT - 1) / DROPPED[-1])


@pytest.mark.parametrize('writer', ['PyAV', 'Pillow'])
def test_the_pictures_of_a_gif_last_as_long_as_it_says(tmp_path: Path, writer: str):
    delays, path = [50, 50, 8, 12, 100, 10], tmp_path / 'a.gif'
    starts = [sum(delays[:number]) for number in range(len(delays))]
    if writer == 'PyAV':
        make_video(path, starts, codec='gif', time_base=Fraction(1, 100), pix_fmt='rgb8')
    else:
        first, *others = (Image.fromarray(numbered_picture(number)) for number in range(6))
        lasting = [10 * delay for delay in delays]
        first.save(path, save_all=True, append_images=others, duration=lasting)

    frames = open_frames(path)
    assert known_times(frames) == [Fraction(start, 100) for start in starts]
    assert_shown(frames, range(6))


@pytest.mark.parametrize('suffix', ['avi', 'mp4', 'mkv'])
def test_a_title_that_is_not_utf8_does_not_matter(tmp_path: Path, suffix: str):
    """As older cameras and programs write it, in the character set of their country."""
    path = tmp_path / f'a.{suffix}'
    with av.open(str(path), 'w') as container:
        container.metadata['title'] = 'Maxuxu'
        stream = container.add_stream('mpeg4', rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, 'yuv420p'
        container.mux(stream.encode(av.VideoFrame.from_ndarray(numbered_picture(7), 'bgr24')))
        container.mux(stream.encode(None))
    assert path.read_bytes().count(b'Maxuxu') == 1
    path.write_bytes(path.read_bytes().replace(b'Maxuxu', b'M\xe4xuxu'))

    frames = open_frames(path)
    assert [number_of(frame) for frame in frames] == [7]
    write_video(tmp_path / 'copy.mp4', frames, like=frames)


EDITED = {'avoid_negative_ts': 'disabled', 'use_editlist': '1'}


def test_frames_cut_off_by_an_edit_list_do_not_count(tmp_path: Path):
    path, times = tmp_path / 'trimmed.mp4', range(-5, COUNT - 5)
    make_video(path, times, codec_options=CLOSED_GROUPS, container_options=EDITED)
    assert_shown(open_frames(path), range(5, COUNT))


@pytest.mark.parametrize('degrees', [90, 180, 270])
def test_a_rotation_noted_in_the_file_is_applied(tmp_path: Path, degrees: int):
    frames = open_frames(make_video(tmp_path / 'phone.mp4', range(6), rotation=degrees))

    shown = np.rot90(numbered_picture(5), degrees // 90)
    assert frames.size == (shown.shape[1], shown.shape[0])
    assert abs(frames[5].astype(int) - shown).mean() < 10


@pytest.mark.parametrize(
    ('matrix', 'mirrored'),
    [
        ((-1, 0, 0, 1), QUARTER[:, ::-1]),
        ((1, 0, 0, -1), QUARTER[::-1]),
        ((0, 1, 1, 0), QUARTER.swapaxes(0, 1)),
    ],
    ids=['sideways', 'upside down', 'along the diagonal'],
)
def test_a_mirroring_noted_in_the_file_is_applied(
    tmp_path: Path, matrix: tuple[int, int, int, int], mirrored: np.ndarray
):
    path = tmp_path / 'selfie.mp4'
    write_video(path, [QUARTER], fps=25)
    content = path.read_bytes()
    plain, noted = (
        struct.pack('>5i', a << 16, b << 16, 0, c << 16, d << 16)
        for a, b, c, d in ((1, 0, 0, 1), matrix)
    )
    place = content.index(plain, content.index(b'tkhd'))
    path.write_bytes(content[:place] + noted + content[place + len(noted) :])

    frames = open_frames(path)

    assert frames.size == (mirrored.shape[1], mirrored.shape[0])
    assert abs(frames[0].astype(int) - mirrored).mean() < 10


def test_reading_in_order_decodes_every_frame_once(video: Path, monkeypatch: pytest.MonkeyPatch):
    frames = open_frames(video)
    assert (frames.name, frames.fps, frames.size) == ('clip', 25.0, (WIDTH, HEIGHT))
    assert frames.path_of(3) == str(video)
    starts = []
    start_at = frames._start_at
    monkeypatch.setattr(frames, '_start_at', lambda key: (starts.append(key), start_at(key)))

    assert len([number_of(frame) for frame in frames]) == COUNT
    assert len(starts) <= 1


def watch_decoding(frames: VideoFrames, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The frames that come out of the decoder from now on."""
    decoded: list[Any] = []
    identify = frames._identify
    monkeypatch.setattr(frames, '_identify', lambda f: (decoded.append(f), identify(f))[1])
    return decoded


@pytest.mark.parametrize('name', ['open_groups.mp4', 'mpeg4_b_frames.avi'])
def test_going_back_decodes_from_the_key_frame_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    frames = open_frames(make_video(tmp_path / name, range(COUNT), **VIDEOS[name]))
    frames[44]
    decoded = watch_decoding(frames, monkeypatch)

    assert number_of(frames[38]) == 38
    assert len(decoded) <= 12


def test_a_jump_leaves_out_frames_that_no_other_refers_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    frames = open_frames(make_video(tmp_path / 'a.mp4', range(COUNT), codec_options=ONE_GROUP))
    frames[0]
    decoded = watch_decoding(frames, monkeypatch)

    # Of 3 frames between two P-frames, x264 lets others refer to the middle one.
    assert number_of(frames[40]) == 40
    assert len(decoded) <= 24
    assert [number_of(frames[n]) for n in (41, 42, 43, 39, 38)] == [41, 42, 43, 39, 38]


def test_a_frame_may_be_changed_by_the_caller(video: Path):
    frames = open_frames(video)
    for _ in range(2):
        frames[7][:] = 0

    assert number_of(frames[7]) == 7


def test_a_source_goes_on_after_pickling(video: Path):
    frames = open_frames(video)
    frames[20]
    copy = pickle.loads(pickle.dumps(frames))

    assert (len(copy), copy.size, number_of(copy[3])) == (COUNT, frames.size, 3)


@pytest.mark.slow
@posix
def test_a_source_can_be_used_on_both_sides_of_a_fork(video: Path):
    frames = open_frames(video)
    frames[20]

    assert in_fork(lambda: [number_of(frames[index]) for index in (30, 2)]) == [30, 2]
    assert number_of(frames[21]) == 21


@posix
def test_a_fork_does_not_wait_for_a_decoder_that_is_garbage(video: Path):
    gc.disable()
    try:
        container = av.open(str(video))
        container.streams.video[0].codec_context.thread_count = 2
        frames = container.decode(video=0)
        next(frames)
        # Its objects refer to each other: only a collector frees them, and with them the decoder.
        del container, frames
        assert in_fork(gc.collect, limit=15) >= 0
    finally:
        gc.enable()


def test_several_threads_may_read(video: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr('stdpose_mm.io.video.frame_source._CACHED_BYTES', 0)
    frames = open_frames(video)
    order = random.Random(0).sample(range(COUNT), COUNT)
    with ThreadPoolExecutor(4) as threads:
        numbers = list(threads.map(lambda index: number_of(frames[index]), order))
    assert numbers == order


@posix
def test_read_frame_sees_that_a_file_was_replaced(tmp_path: Path):
    path = make_video(tmp_path / 'clip.mp4', range(10))
    assert [number_of(read_frame(str(path), i)) for i in (9, 8, 3)] == [9, 8, 3]
    make_video(tmp_path / 'other.mp4', range(20)).replace(path)

    assert number_of(read_frame(path, 15)) == 15


@pytest.mark.parametrize('index', [-1, COUNT, 10**9])
def test_an_index_out_of_range_names_the_video_and_the_index(video: Path, index: int):
    with pytest.raises(InputError, match=f'clip has no frame {index}, expected .* 0..44'):
        open_frames(video)[index]


def test_an_mp4_that_is_cut_short_names_the_first_missing_frame(tmp_path: Path):
    path, options = tmp_path / 'cut.mp4', {'movflags': 'faststart'}
    make_video(path, range(COUNT), codec_options=CLOSED_GROUPS, container_options=options)
    path.write_bytes(path.read_bytes()[:-700])

    with pytest.raises(InputError, match=r'cut\.mp4 is cut short: frame \d+ of the 45 frames'):
        open_frames(path)


CUT_VIDEOS = {
    'mpeg4_dropped.avi': VIDEOS['mpeg4_dropped.avi'],
    'ffv1.avi': dict(codec='ffv1'),
    'variable_rate.mkv': VIDEOS['variable_rate.mkv'],
    'vp8.webm': dict(codec='libvpx'),
    'flv.flv': dict(codec='flv'),
    'fragmented.mp4': VIDEOS['fragmented.mp4'],
}


@pytest.mark.parametrize('name', CUT_VIDEOS)
def test_a_stream_that_is_cut_short_holds_the_frames_that_are_left(tmp_path: Path, name: str):
    path = cut_off(make_video(tmp_path / name, **{'times': range(COUNT), **CUT_VIDEOS[name]}))
    with pytest.warns(InputWarning, match=r'is cut short: its header announces \d\.\d\d s') as said:
        frames = open_frames(path)

    # What the cut goes through is no frame.
    assert 0 < len(frames) < COUNT - 3
    assert f'its {len(frames)} decodable frames end after' in str(said[0].message)
    assert_shown(frames, range(len(frames)))


@pytest.mark.filterwarnings('error::stdpose_mm.errors.InputWarning')
@pytest.mark.parametrize('name', ['open_groups.ts', 'no_times.h264', 'live.mkv'])
def test_a_cut_is_not_seen_where_the_file_announces_no_end(tmp_path: Path, name: str):
    options = VIDEOS.get(name, dict(container_options={'live': '1'}))
    path = cut_off(make_video(tmp_path / name, range(COUNT), **options))
    assert 0 < len(open_frames(path)) < COUNT


@pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning')
@pytest.mark.parametrize(
    ('times', 'end', 'is_cut'),
    [
        # Frames of one second each: two may be held back by the decoder.
        ([0, 1, 2, 3], '6', False),
        ([0, 1, 2, 3], '6.1', True),
        # The last frame may last as long as the longest one before, five seconds.
        ([0, 5, 6, 7], '13', False),
        ([0, 5, 6, 7], '13.1', True),
        # One frame at 2 frames a second.
        ([0], '1.5', False),
        ([0], '1.6', True),
    ],
)
def test_how_far_a_header_may_go_beyond_the_frames(times: list[int], end: str, is_cut: bool):
    seconds = [Fraction(time) for time in times]
    assert warn_if_cut_short('clip.avi', Fraction(end), seconds, Fraction(2)) is is_cut


WHOLE_VIDEOS: dict[str, dict[str, Any]] = {
    'vp9.webm': dict(codec='libvpx-vp9'),
    'hidden_frames.webm': dict(
        codec='libvpx', codec_options={'auto-alt-ref': '1', 'lag-in-frames': '16'}
    ),
    'variable_rate.webm': dict(codec='libvpx', **IN_MILLISECONDS),
    'flv.flv': dict(codec='flv'),
    'wmv.wmv': dict(codec='wmv2'),
    'mpeg2.mpg': dict(codec='mpeg2video'),
    'late.avi': dict(codec='mpeg4', **LATE),
    'late.mkv': LATE,
    'late_fragments.mp4': dict(**LATE, container_options=LIVE),
    'gaps.avi': dict(codec='mpeg4', times=[*range(COUNT - 1), 300]),
    'gaps.mkv': dict(times=[*range(COUNT - 1), 300]),
    'one_frame.avi': dict(codec='mpeg4', times=[0]),
    'one_frame.mkv': dict(times=[0]),
    'trimmed.mp4': dict(times=range(-5, COUNT - 5), container_options=EDITED),
}


@pytest.mark.filterwarnings('error::stdpose_mm.errors.InputWarning')
@pytest.mark.parametrize('name', WHOLE_VIDEOS)
def test_a_whole_file_is_not_called_cut_short(tmp_path: Path, name: str):
    open_frames(make_video(tmp_path / name, **{'times': range(COUNT), **WHOLE_VIDEOS[name]}))


@pytest.mark.filterwarnings('error::stdpose_mm.errors.InputWarning')
@pytest.mark.parametrize('name', ['talk.mp4', 'talk.mkv'])
def test_sound_that_outlasts_the_pictures_is_no_cut(tmp_path: Path, name: str):
    assert len(open_frames(make_talkie(tmp_path / name, range(0, 1000, 40), lasts=3))) == 25


@pytest.mark.parametrize(
    ('keep', 'options'),
    [
        (0, {'codec': 'mpeg4', 'gop_size': 100}),
        (0.5, {'codec': 'mpeg4', 'gop_size': 100}),
        (0, {}),
        (0.5, {}),
        (0, {'codec_options': CLOSED_GROUPS}),
    ],
)
def test_damage_in_the_middle_does_not_move_the_frames_behind_it(
    tmp_path: Path, keep: float, options: dict
):
    path = make_video(tmp_path / 'hurt.mp4', range(COUNT), **options)
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(video=0) if p.size]
        position, size = packets[22].pos, packets[22].size
    data = bytearray(path.read_bytes())
    kept = int(size * keep)
    data[position + kept : position + size] = bytes(size - kept)
    path.write_bytes(data)
    frames = open_frames(path)

    assert len(frames) == COUNT
    assert number_of(frames[15]) == 15
    with pytest.raises(InputError, match=r'hurt\.mp4: frame 2\d is damaged'):
        list(frames)


def test_a_size_that_changes_within_a_stream_is_refused(tmp_path: Path):
    data = b''
    for number, width in enumerate((64, 96)):
        part = tmp_path / f'{number}.h264'
        write_video(part, [np.full((64, width, 3), 90, np.uint8)] * 3, fps=25)
        data += part.read_bytes()
    (tmp_path / 'both.h264').write_bytes(data)
    frames = open_frames(tmp_path / 'both.h264')

    assert (len(frames), frames.size) == (6, (64, 64))
    with pytest.raises(InputError, match='frame 4 is 96x64 pixels, expected 64x64'):
        frames[4]


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        (b'', 'not a video'),
        (b'not a video', ''),
        (b'\x00\x00\x00\x20ftypisom' + bytes(200), ''),
        (b'1,1,10,20,30,40\n' * 50, 'text file, expected a video'),
        (None, 'does not exist'),
    ],
)
def test_what_is_no_video_is_refused(tmp_path: Path, content: bytes | None, words: str):
    path = tmp_path / 'boxes.txt'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=rf'boxes\.txt .*{words}'):
        open_frames(path)


def test_lines_of_ffmpeg_do_not_reach_the_terminal(tmp_path: Path):
    """Importing torchvision turns PyAV's log on, as is done here."""
    write_video(tmp_path / 'a.mp4', np.zeros((3, 32, 32, 3), np.uint8), fps=10)
    data = (tmp_path / 'a.mp4').read_bytes()
    (tmp_path / 'cut.mp4').write_bytes(data[: len(data) // 2])
    code = (
        'import sys, av.logging; av.logging.set_level(av.logging.ERROR)\n'
        'from stdpose_mm.errors import InputError\n'
        'from stdpose_mm.io.video import open_frames\n'
        'try: open_frames(sys.argv[1])\n'
        'except InputError as error: print(error)'
    )
    done = subprocess.run(
        [sys.executable, '-c', code, tmp_path / 'cut.mp4'],
        capture_output=True,
        text=True,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
    )
    assert 'cut.mp4' in done.stdout
    assert done.stderr == ''
