import os
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from stdpose_mm.constants import VIDEO_OUTPUT_SUFFIXES
from stdpose_mm.errors import InputError
from stdpose_mm.io.video import (
    ArrayFrames,
    FrameView,
    cache_frames,
    open_frames,
    presentation_times,
    write_video,
)
from support.paths import ROOT
from support.video_files import make_talkie, make_video, number_of

VARYING = [0, 40, 60, 140, 150, 300, 700, 720, 900, 960]
"""Milliseconds."""


WRITE = """
import sys
import numpy as np
from stdpose_mm.io.video import write_video
noise = np.random.default_rng(0).integers(0, 127, (40, 120, 160, 3), np.uint8)
write_video(sys.argv[1], [np.roll(noise[0], n, 1) + picture for n, picture in enumerate(noise)], 25)
"""


def pictures(count: int, height: int, width: int) -> list[np.ndarray]:
    return [np.full((height, width, 3), 20 * i, np.uint8) for i in range(count)]


@pytest.mark.skipif(sys.platform != 'linux', reason='the variable is of glibc')
def test_the_same_pictures_give_the_same_bytes_whatever_the_memory_held(tmp_path: Path):
    contents = set()
    for byte in ('1', '170'):
        path = tmp_path / f'{byte}.mp4'
        environment = {**os.environ, 'MALLOC_PERTURB_': byte, 'PYTHONPATH': str(ROOT)}
        subprocess.run([sys.executable, '-c', WRITE, path], env=environment, check=True)
        contents.add(path.read_bytes())
    assert len(contents) == 1


def test_frames_come_back_with_their_rate(tmp_path: Path):
    path = tmp_path / 'new' / 'out.mp4'
    write_video(path, iter(pictures(8, 31, 47)), fps=29.97)
    frames = open_frames(path)

    assert len(frames) == 8
    assert frames.fps == pytest.approx(29.97)
    # Odd sizes are padded.
    assert frames.size == (48, 32)
    assert [round(frame.mean() / 20) for frame in frames] == list(range(8))


def test_names_may_look_like_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    make_talkie(tmp_path / 'http:in.mp4', range(6))
    write_video('10:30.mp4', pictures(6, 32, 48), like=open_frames('http:in.mp4'))
    assert len(open_frames('10:30.mp4')) == 6


def copied(path: Path, suffix: str = '.mp4') -> Path:
    """Copy a video; return the copy."""
    source = open_frames(path)
    copy = path.with_name(f'out{suffix}')
    write_video(copy, source, like=source)
    return copy


def make_varying(folder: Path) -> Path:
    return make_video(folder / 'in.mp4', VARYING, time_base=Fraction(1, 1000))


@pytest.mark.parametrize(('rotation', 'shown'), [(None, '4/3'), (90, '3/4'), (180, '4/3')])
@pytest.mark.parametrize('suffix', ['.mp4', '.mkv'])
def test_pixels_that_are_not_square_stay_so(
    tmp_path: Path, rotation: float | None, shown: str, suffix: str
):
    options = {'rotation': rotation, 'sample_aspect_ratio': Fraction(4, 3)}
    copy = copied(make_video(tmp_path / 'in.mp4', range(4), **options), suffix)

    with av.open(str(copy)) as container:
        assert container.streams.video[0].sample_aspect_ratio == Fraction(shown)


@pytest.mark.parametrize(
    'frames', [[], [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 6, 3), np.uint8)]]
)
def test_a_failed_write_leaves_what_was_there(tmp_path: Path, frames: list[np.ndarray]):
    path = tmp_path / 'out.mp4'
    path.write_text('before')

    with pytest.raises(ValueError, match='frame'):
        write_video(path, frames, fps=25)
    assert path.read_text() == 'before'
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize('name', ['out', 'out.unknown'])
def test_a_name_without_container_is_refused(tmp_path: Path, name: str):
    with pytest.raises(InputError, match=r'is not a name for a video, give one ending in \.mp4'):
        write_video(tmp_path / name, pictures(1, 16, 16), fps=25)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('fps', [0, -1, float('nan'), float('inf')])
def test_a_rate_that_is_none_is_refused(tmp_path: Path, fps: float):
    with pytest.raises(InputError, match='frames per second'):
        write_video(tmp_path / 'out.mp4', pictures(1, 16, 16), fps=fps)


def loudest(samples: np.ndarray, start: float, end: float) -> float:
    """The largest sample between two times in seconds."""
    return float(np.abs(samples[round(48000 * start) : round(48000 * end)]).max())


def sound_of(path: Path) -> tuple[str, list[bytes], np.ndarray]:
    """Codec, packets from time 0 on, and the samples by their time (48 kHz, silence elsewhere)."""
    samples = np.zeros(5 * 48000)
    packets = []
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        for packet in container.demux(stream):
            if packet.size and packet.pts >= 0:
                packets.append(bytes(packet))
            for frame in packet.decode():
                first = round(frame.pts * frame.time_base * 48000)
                values = frame.to_ndarray()[0].astype(float)
                values /= 1.0 if frame.format.name.startswith('flt') else 2**15
                if first >= 0:
                    samples[first : first + len(values)] = values
        return stream.codec_context.name, packets, samples


@pytest.mark.parametrize('suffix', ['.mp4', '.mov', '.mkv'])
def test_varying_times_are_kept(tmp_path: Path, suffix: str):
    written = open_frames(copied(make_varying(tmp_path), suffix))

    assert presentation_times(written) == [Fraction(time, 1000) for time in VARYING]
    assert [number_of(picture) for picture in written] == list(range(10))


def test_times_of_odd_time_bases_are_exact(tmp_path: Path):
    ticks = [7 * 3003, 8 * 3003, 11 * 3003 + 1, 90000]
    copy = copied(make_video(tmp_path / 'in.mp4', ticks, time_base=Fraction(1, 90000)))

    expected = [Fraction(tick - ticks[0], 90000) for tick in ticks]
    assert presentation_times(open_frames(copy)) == expected


@pytest.mark.parametrize('suffix', ['.avi', '.h264'])
def test_varying_times_are_refused_where_they_would_be_lost(tmp_path: Path, suffix: str):
    with pytest.raises(InputError, match=r'only one frame rate.*give a name such as out\.mp4'):
        copied(make_varying(tmp_path), suffix)
    assert [path.name for path in tmp_path.iterdir()] == ['in.mp4']


def test_times_rounded_to_milliseconds_are_steady_enough_for_avi(tmp_path: Path):
    write_video(tmp_path / 'in.mkv', pictures(8, 32, 48), fps=30)
    for suffix in ('.avi', '.mp4'):
        written = open_frames(copied(tmp_path / 'in.mkv', suffix))
        assert len(written) == 8
        assert written.fps == pytest.approx(30, rel=0.01)


def test_times_that_are_guesses_are_not_taken(tmp_path: Path):
    source = open_frames(make_video(tmp_path / 'in.h264', range(8)))

    assert source.time_of(3) is None
    assert presentation_times(source) == [Fraction(n, 25) for n in range(8)]
    assert presentation_times(ArrayFrames(pictures(2, 16, 16))) == [0, Fraction(1, 25)]


def test_sound_is_copied_bit_by_bit_and_in_time(tmp_path: Path):
    path = make_talkie(tmp_path / 'in.mp4', VARYING)
    codec, packets, samples = sound_of(copied(path))
    assert codec == 'aac'
    assert packets == sound_of(path)[1]
    assert loudest(samples, 0, 0.45) < 0.01
    assert loudest(samples, 0.55, 0.95) > 0.3


def test_sound_that_the_container_does_not_take_is_encoded_anew(tmp_path: Path):
    path = make_talkie(tmp_path / 'in.mov', VARYING, codec='pcm_s16le')
    codec, _, samples = sound_of(copied(path))
    assert codec == 'aac'
    tone = samples[round(0.55 * 48000) : round(0.95 * 48000)]
    spectrum = np.abs(np.fft.rfft(tone))
    assert np.fft.rfftfreq(len(tone), 1 / 48000)[spectrum.argmax()] == pytest.approx(440, abs=3)
    assert loudest(samples, 0, 0.45) < 0.01


def test_sound_moves_with_pictures_that_begin_late(tmp_path: Path):
    late = [time + 200 for time in VARYING]
    copy = copied(make_talkie(tmp_path / 'in.mp4', late, lasts=1.2))
    _, _, samples = sound_of(copy)
    assert presentation_times(open_frames(copy))[-1] == Fraction(960, 1000)
    assert loudest(samples, 0, 0.25) < 0.01
    assert loudest(samples, 0.35, 0.9) > 0.3


def test_sound_ends_with_the_pictures(tmp_path: Path):
    source = open_frames(make_talkie(tmp_path / 'in.mp4', VARYING, begins=0))
    write_video(tmp_path / 'out.mp4', [source[n] for n in range(6)], like=source)

    # The sixth picture is shown from 0.3 s until the seventh would come, at 0.7 s.
    _, _, samples = sound_of(tmp_path / 'out.mp4')
    assert loudest(samples, 0.6, 0.69) > 0.3
    assert loudest(samples, 0.75, 5) == 0


def test_views_of_a_whole_video_have_its_times_and_sound(tmp_path: Path):
    source = open_frames(make_talkie(tmp_path / 'in.mp4', VARYING))
    view, part = cache_frames(source), FrameView(source, [4, 5, 7])

    assert view.audio_path == str(tmp_path / 'in.mp4')
    assert presentation_times(view) == presentation_times(source)
    assert part.audio_path is None
    assert presentation_times(part) == [0, Fraction(150, 1000), Fraction(570, 1000)]


@pytest.mark.skipif(not hasattr(os, 'sched_setaffinity'), reason='processors cannot be chosen')
@pytest.mark.parametrize('suffix', VIDEO_OUTPUT_SUFFIXES)
def test_the_encoding_does_not_depend_on_the_processors(tmp_path: Path, suffix: str):
    pictures = [np.full((160, 192, 3), 20 * shade, np.uint8) for shade in range(12)]
    processors = os.sched_getaffinity(0)
    contents = []
    for number, chosen in enumerate((processors, {min(processors)})):
        os.sched_setaffinity(0, chosen)
        try:
            write_video(tmp_path / f'{number}{suffix}', pictures)
        finally:
            os.sched_setaffinity(0, processors)
        contents.append((tmp_path / f'{number}{suffix}').read_bytes())
    # Not all bytes are compared: x264's pictures may differ between any two runs.
    settings = [re.findall(rb'[a-z_]*threads=[0-9]+', content) for content in contents]
    assert settings[0] == settings[1]
    assert settings[0]


def test_matroska_files_hold_no_random_number(tmp_path: Path):
    write_video(tmp_path / 'a.mkv', [np.zeros((16, 16, 3), np.uint8)])
    # SegmentUID, of 16 bytes.
    assert b'\x73\xa4\x90' not in (tmp_path / 'a.mkv').read_bytes()
