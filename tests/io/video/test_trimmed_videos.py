"""Videos that were trimmed without encoding them anew, and files of several video streams."""

import pickle
import warnings
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from stdpose_mm.errors import InputError, InputWarning
from stdpose_mm.io.video import known_times, open_frames, write_video
from support.video_files import (
    CLOSED_GROUPS,
    OPEN_GROUPS,
    assert_shown,
    make_video,
    number_of,
    numbered_picture,
    trim,
)

COUNT = 45
HEVC = 'log-level=none:keyint=10:min-keyint=10:scenecut=0:bframes=3'

CODECS: dict[str, dict[str, Any]] = {
    'h264.mp4': dict(codec_options=CLOSED_GROUPS),
    'h264_open_groups.mp4': dict(codec_options=OPEN_GROUPS),
    'hevc.mp4': dict(codec='libx265', codec_options={'x265-params': f'{HEVC}:open-gop=0'}),
    'hevc_open_groups.mp4': dict(codec='libx265', codec_options={'x265-params': HEVC}),
    'prores.mov': dict(codec='prores_ks', pix_fmt='yuv422p10le'),
    'mpeg4.mp4': dict(codec='mpeg4', gop_size=10, max_b_frames=2),
}

PIECES = {
    'from a key frame': [(20, 25)],
    'from within a group': [(13, 20)],
    'its beginning': [(0, 33)],
    'two pieces': [(13, 10), (27, 12)],
    'two pieces from key frames': [(10, 10), (30, 15)],
    'three short pieces': [(5, 7), (15, 7), (35, 7)],
    'a later piece first': [(27, 12), (13, 10)],
    'one piece twice': [(12, 10), (12, 10)],
    'pieces that overlap': [(13, 10), (18, 10)],
    'pieces that end alike': [(35, 6), (10, 30), (38, 1)],
}


FOR_EVERY_CODEC = ('from within a group', 'a later piece first')
TRIMMED = [
    (codec, pieces)
    for codec in CODECS
    for pieces in (PIECES if codec == 'h264_open_groups.mp4' else FOR_EVERY_CODEC)
]


def make_trimmed(folder: Path, name: str, pieces: Sequence[tuple[int, int]]) -> Path:
    return trim(make_video(folder / name, range(COUNT), **CODECS[name]), pieces)


@pytest.mark.slow
@pytest.mark.filterwarnings('error::stdpose_mm.errors.InputWarning')
@pytest.mark.parametrize(('name', 'pieces'), TRIMMED)
def test_the_frames_of_a_trimmed_video_are_those_that_its_edit_list_shows(
    tmp_path: Path, name: str, pieces: str
):
    frames = open_frames(make_trimmed(tmp_path, name, PIECES[pieces]))

    shown = [first + i for first, count in PIECES[pieces] for i in range(count)]
    assert_shown(frames, shown)
    assert known_times(frames) == [Fraction(i, 25) for i in range(len(shown))]


SLOW, FAST, STILL = Fraction(1, 8), Fraction(2), Fraction(0)
PACED = {
    # (pieces, their rates, frames that are shown, and when each of them is, in frames of 0.04 s)
    'slow between': (
        [(0, 10), (10, 10), (20, 10)],
        [1, SLOW, 1],
        range(30),
        [*range(10), *range(10, 90, 8), *range(90, 100)],
    ),
    'slow, and trimmed': ([(13, 5), (30, 5)], [1, SLOW], [*range(13, 18), *range(30, 35)], None),
    'fast': ([(5, 5), (10, 20)], [1, FAST], range(5, 30), [*range(5), *np.arange(5, 15, 0.5)]),
    'still': (
        [(5, 5), (10, 25), (10, 5)],
        [1, STILL, 1],
        range(5, 15),
        [*range(6), *range(31, 35)],
    ),
}


@pytest.mark.parametrize('name', ['h264_open_groups.mp4', 'prores.mov', 'mpeg4.mp4'])
@pytest.mark.parametrize('pieces', PACED)
def test_a_frame_that_is_shown_at_another_speed_counts_once(tmp_path: Path, name: str, pieces: str):
    cuts, rates, shown, times = PACED[pieces]
    path = make_video(tmp_path / name, range(COUNT), **CODECS[name])
    speed = f'{float(min(set(rates) - {1})):g}'
    with pytest.warns(InputWarning, match=f'{name} shows frames at {speed} times their speed'):
        frames = open_frames(trim(path, cuts, [*map(Fraction, rates)]))

    assert_shown(frames, shown)
    if times is not None:
        assert known_times(frames) == [Fraction(time) / 25 for time in times]


def test_an_edit_list_that_shows_too_many_frames_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr('stdpose_mm.io.video.demuxing.MAX_SHOWN', 25)
    path = make_trimmed(tmp_path, 'mpeg4.mp4', [(10, 10)] * 3)

    with pytest.raises(InputError, match=r'mpeg4.mp4: its edit list shows more than 25 frames'):
        open_frames(path)


@pytest.mark.parametrize('name', ['h264.mp4', 'h264_open_groups.mp4', 'hevc_open_groups.mp4'])
@pytest.mark.parametrize('pieces', [[(20, 25)], [(13, 20)]])
def test_frames_of_one_piece_are_those_that_ffmpeg_shows(
    tmp_path: Path, name: str, pieces: list[tuple[int, int]]
):
    path = make_trimmed(tmp_path, name, pieces)
    with av.open(str(path)) as container:
        expected = [frame.to_ndarray(format='bgr24') for frame in container.decode(video=0)]

    frames = open_frames(path)

    np.testing.assert_array_equal(np.stack([*frames]), np.stack(expected))


def test_a_trimmed_video_goes_on_after_pickling(tmp_path: Path):
    frames = open_frames(make_trimmed(tmp_path, 'h264.mp4', PIECES['a later piece first']))
    frames[3]
    copy = pickle.loads(pickle.dumps(frames))

    assert [len(copy), number_of(copy[3]), number_of(copy[15])] == [22, 30, 16]


def test_a_copy_of_a_trimmed_video_has_its_frames_and_times(tmp_path: Path):
    frames = open_frames(make_trimmed(tmp_path, 'hevc.mp4', PIECES['two pieces']))
    write_video(tmp_path / 'copy.mp4', frames, like=frames)

    copy = open_frames(tmp_path / 'copy.mp4')
    assert [number_of(frame) for frame in copy] == [number_of(frame) for frame in frames]
    assert known_times(copy) == known_times(frames)


def test_only_a_cut_within_what_is_shown_is_refused(tmp_path: Path):
    path, options = tmp_path / 'cut.mp4', {'movflags': 'faststart'}
    make_video(path, range(COUNT), codec_options=CLOSED_GROUPS, container_options=options)
    trim(path, [(13, 20)])
    with av.open(str(path), options={'ignore_editlist': '1'}) as container:
        ends = [p.pos + p.size for p in container.demux(video=0) if p.size]
    content = path.read_bytes()
    path.write_bytes(content[: ends[39]])
    assert [number_of(frame) for frame in open_frames(path)] == [*range(13, 33)]
    path.write_bytes(content[: ends[29]])
    with pytest.raises(InputError, match='is cut short: frame 30 of the 45 frames in its header'):
        open_frames(path)


@pytest.mark.parametrize('suffix', ['mp4', 'mkv', 'ts'])
def test_frames_at_the_start_whose_references_were_cut_off_do_not_count(
    tmp_path: Path, suffix: str
):
    whole = make_video(tmp_path / 'whole.mp4', range(COUNT), **CODECS['hevc_open_groups.mp4'])
    path = tmp_path / f'cut.{suffix}'
    with av.open(str(whole)) as source, av.open(str(path), 'w') as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.size]
        keys = [i for i, packet in enumerate(packets) if packet.is_keyframe]
        for packet in packets[keys[1] :]:
            packet.stream = stream
            target.mux(packet)

    frames = open_frames(path)

    numbers = [number_of(frame) for frame in frames]
    assert numbers == [*range(numbers[0], COUNT)]
    assert [number_of(frames[i]) for i in (20, 3, 0, 11)] == [numbers[i] for i in (20, 3, 0, 11)]


def make_streams(path: Path, streams: Sequence[tuple[int, bool]]) -> Path:
    """Make a file of five black frames in streams of (height, is shown by default)."""
    with av.open(str(path), 'w') as container:
        made = []
        for height, is_default in streams:
            stream = container.add_stream('libx264', rate=25)
            stream.width, stream.height, stream.pix_fmt = 2 * height, height, 'yuv420p'
            stream.disposition = av.stream.Disposition(int(is_default))
            made.append(stream)
        for number in range(5):
            for stream in made:
                picture = np.zeros((stream.height, stream.width, 3), np.uint8)
                frame = av.VideoFrame.from_ndarray(picture, format='bgr24')
                frame.pts, frame.time_base = number, Fraction(1, 25)
                container.mux(stream.encode(frame))
        for stream in made:
            container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ('name', 'streams', 'read', 'others'),
    [
        # As cameras write them: the preview comes first, and players show the film.
        ('camera.mp4', [(32, False), (64, True)], 1, '64x32'),
        # Both are shown by default, or so is the preview alone.
        ('camera.mkv', [(32, True), (64, True), (48, True)], 1, '96x48 and 64x32'),
        ('first.mp4', [(32, True), (64, False)], 1, '64x32'),
        # Two films: the one that players show.
        ('two.mkv', [(64, False), (64, True)], 1, '128x64'),
        ('film_first.mp4', [(64, True), (32, False)], 0, '64x32'),
    ],
)
def test_of_several_streams_the_film_is_read_and_named(
    tmp_path: Path, name: str, streams: list[tuple[int, bool]], read: int, others: str
):
    path = make_streams(tmp_path / name, streams)
    with pytest.warns(InputWarning) as said:
        frames = open_frames(path)

    assert [str(warning.message) for warning in said] == [
        f'{path} holds {len(streams)} video streams: frames are read from stream {read} (128x64), '
        f'not from {others}'
    ]
    assert frames.size == (128, 64)
    assert {frame.shape for frame in frames} == {(64, 128, 3)}
    assert len(frames) == 5


def test_a_large_cover_picture_is_no_film(tmp_path: Path):
    path = tmp_path / 'covered.mp4'
    with av.open(str(path), 'w') as container:
        cover = container.add_stream('mjpeg', rate=25)
        cover.width, cover.height, cover.pix_fmt = 256, 128, 'yuvj420p'
        cover.disposition = av.stream.Disposition.attached_pic
        film = container.add_stream('libx264', rate=25)
        film.width, film.height, film.pix_fmt = 128, 32, 'yuv420p'
        large = np.zeros((128, 256, 3), np.uint8)
        for stream, picture in ((cover, large), (film, numbered_picture(7))):
            frame = av.VideoFrame.from_ndarray(picture, format='bgr24')
            frame.pts, frame.time_base = 0, Fraction(1, 25)
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    with warnings.catch_warnings():
        warnings.simplefilter('error', InputWarning)
        frames = open_frames(path)

    assert [number_of(frame) for frame in frames] == [7]
