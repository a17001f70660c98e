"""Which frames of a video labelled pictures are: what names tell, and what settles the rest."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import (
    FrameOptions,
    describe_frames,
    follow_names,
    frame_indices,
    match_frames,
    read_frame_list,
)
from stdpose_mm.io.labels.frame_numbers import picture_stem
from stdpose_mm.io.video import (
    ArrayFrames,
    FrameSource,
    FrameView,
    cache_frames,
    open_frames,
    write_video,
)
from stdpose_mm.structures import FrameNumbering, PersonLabel, Skeleton, VideoFrame, VideoLabels

HASH = '3f2a9c0d1e4b5a6978877665544332211'


def numbering_of(names: Sequence[str], **known: object) -> FrameNumbering:
    return frame_indices('labels.json', names, **known)[1]


def indices_of(names: Sequence[str], **known: object) -> list[int]:
    return frame_indices('labels.json', names, **known)[0]


def labels_on(names: Sequence[str], folder: Path | str = 'nowhere', **known: object) -> VideoLabels:
    """One label on each picture."""
    indices, numbering = frame_indices(Path(folder) / 'labels.json', names, **known)
    frames = [VideoFrame(index, name) for index, name in zip(indices, names, strict=True)]
    people = [PersonLabel(index, np.full((1, 2), 8.0), np.full(1, 2), 0) for index in indices]
    return VideoLabels('clip', Skeleton(('nose',)), frames, people, numbering=numbering)


def video_of(length: int) -> FrameSource:
    return ArrayFrames(np.zeros((length, 16, 16, 3), np.uint8), name='clip.mp4')


class TestNames:
    @pytest.mark.parametrize(
        ('names', 'numbers'),
        [
            (['cam2_0007.jpg', 'cam2_0014.jpg'], [7, 14]),
            (['7_left_2.jpg', '14_left_2.jpg'], [7, 14]),
            ([f'clip_mp4-{n:04d}_jpg.rf.{HASH[n:]}.jpg' for n in (7, 14)], [7, 14]),
            (['1a2b3c4d-000007.jpg', '99887766-000014.jpg'], [7, 14]),
            (['00000021_crop.jpg'], [21]),
            (['frame.0007', 'frame.0014'], [7, 14]),
            (['Clip-Frame_7.jpg'], [7]),
            (['img7.jpg'], [7]),
            (['clip_1234.jpg'], [1234]),
        ],
        ids=lambda value: str(value[0]) if isinstance(value[0], str) else '',
    )
    def test_the_number_that_differs_counts(self, names: list[str], numbers: list[int]) -> None:
        assert indices_of(names) == numbers
        assert numbering_of(names).kind == 'names'

    @pytest.mark.parametrize(
        'names',
        [
            ['shot_a.jpg', 'shot_b.jpg'],
            ['clip_mp4_jpg.rf.abc1.jpg', 'clip_mov_jpg.rf.abc2.jpg'],
            ['a/7.jpg', 'b/7.jpg'],
            ['cam1_frame7.jpg', 'cam2_frame9.jpg'],
            ['20240501123007111.jpg', '20240501123008222.jpg'],
            ['', ''],
            [],
            # A single number may be that of a camera.
            ['cam1.png'],
            ['subject12.png'],
            ['7_left.png'],
        ],
        ids=str,
    )
    def test_without_one_number_there_are_only_positions(self, names: list[str]) -> None:
        assert indices_of(names) == list(range(len(names)))
        assert numbering_of(names).kind == 'positions'

    @pytest.mark.parametrize(
        ('names', 'times'),
        [
            (['clip_0.480.jpg', 'clip_12.50.jpg'], [0.48, 12.5]),
            (['clip_mp4-1.5_jpg.rf.a1.jpg', 'clip_mp4-2.5_jpg.rf.b2.jpg'], [1.5, 2.5]),
            # No numbers of frames: of one picture alone, of other lengths, with a unit, too large.
            (['take_2.001.png'], [2.001]),
            (['take_2.5.png', 'take_2.75.png'], [2.5, 2.75]),
            (['take_2.001s.png', 'take_2.101s.png'], [2.001, 2.101]),
            (['take_2.00000001.png', 'take_2.20000001.png'], [2.00000001, 2.20000001]),
        ],
    )
    def test_seconds_in_names_are_times(self, names: list[str], times: list[float]) -> None:
        numbering = numbering_of(names)
        assert numbering.kind == 'times'
        assert list(numbering.times.values()) == times

    @given(
        st.lists(st.integers(0, 10**7), min_size=2, max_size=6, unique=True),
        st.sampled_from(['frame', 'IMG_', 'a-b.c_', 'clip_mp4-', '']),
        st.sampled_from(['{}.jpg', 'dir/{}.PNG', 'C:\\x\\{}.jpeg', '{}_jpg.rf.0a1B2c.jpg']),
        st.integers(1, 9),
    )
    def test_any_numbers_are_found(
        self, numbers: list[int], stem: str, form: str, digits: int
    ) -> None:
        names = [form.format(f'{stem}{number:0{digits}d}') for number in numbers]
        assert indices_of(names) == numbers

    def test_stems_are_what_the_maker_of_a_picture_wrote(self) -> None:
        assert picture_stem(f'x/Clip_mp4-0007_jpg.rf.{HASH}.jpg') == 'Clip-0007'
        assert picture_stem('images\\cb0618f6-shot.a.png') == 'shot.a'
        assert picture_stem('La\u0308ufer.png') == 'L\u00e4ufer'


NUMBERED = ('000007.jpg', '000014.jpg')
SHOTS = ('shot_a.jpg', 'shot_b.jpg', 'shot_c.jpg')
SECONDS = ('0.040.jpg', '1.500.jpg')


TAKES = ('take_2.001.png', 'take_2.101.png', 'take_2.201.png')


@pytest.mark.parametrize(
    ('names', 'length', 'known', 'first_number', 'frames'),
    [
        (['000000.jpg', '000007.jpg'], 30, {}, None, [0, 7]),
        # FFmpeg counts from 1, unless the format counts from 0.
        (['000001.jpg', '000008.jpg'], 30, {}, None, [0, 7]),
        (['000001.jpg', '000008.jpg'], 30, {'first_number': 0}, None, [1, 8]),
        # Only from 1 does the last one exist.
        (['000008.jpg', '000030.jpg'], 30, {}, None, [7, 29]),
        # CVAT's names count from 0.
        (['frame_000007.png', 'frame_000014.png'], 30, {}, None, [7, 14]),
        # Of a file that counts from 1.
        (['a', 'b', 'c'], 30, {'indices': [1, 8, 30]}, 1, [0, 7, 29]),
        # A first number makes numbers of what may be the digits of seconds.
        (TAKES, 300, {}, 0, [1, 101, 201]),
        (TAKES, 300, {}, 1, [0, 100, 200]),
        # All pictures of a video are its frames.
        (SHOTS, 3, {}, None, [0, 1, 2]),
    ],
)
def test_what_tells_the_frames(
    names: Sequence[str], length: int, known: dict, first_number: int | None, frames: list[int]
) -> None:
    options = FrameOptions(first_number=first_number)
    matched = match_frames(labels_on(names, **known), video_of(length), options)

    assert list(matched.labelled_frame_indices) == frames
    if names == TAKES:
        assert describe_frames(matched).endswith(f'(take_2.001.png is frame {frames[0]})')


@pytest.mark.parametrize(
    ('names', 'length', 'options', 'words'),
    [
        (['cam1.png'], 30, {}, r"it is unknown which .*'cam1.png' .*--frame-of FILE"),
        (SHOTS, 30, {}, r"pictures 'shot_a.jpg', 'shot_b.jpg' and 1 more of clip"),
        (SHOTS, 30, {'first_number': 1}, 'needs frame numbers in the names'),
        (NUMBERED, 30, {}, r"'.*', '.*' .* number 0 or 1, give --first-frame"),
        (NUMBERED, None, {}, 'first frame of the video has number 0 or 1'),
        (
            TAKES,
            None,
            {},
            r"'take_2.001.png', .* of clip may be of frames or digits of seconds, give "
            r'--first-frame-number N.*--frame-of FILE',
        ),
        (
            ['000030.jpg'],
            30,
            {'first_number': 0},
            r'on frame 30 .* or --first-frame-number N if they count the first frame as N$',
        ),
        (NUMBERED, 30, {'first_number': 9}, 'on frame -2 .* or --first-frame-number N'),
        (SHOTS, 30, {'frame_of': {'shot_a.jpg': 4}}, r"does not list 'shot_b.jpg'"),
        (
            SHOTS,
            30,
            {'frame_of': {'shot_a.jpg': 4, 'shot_b.jpg': 5, 'shot_c.jpg': 4}},
            r"'shot_a.jpg' and 'shot_c.jpg' .* both frame 4",
        ),
        (SECONDS, None, {}, r'at times of a video, .* give --frame-of'),
        (
            ['take_2.001.png', 'take_2.101.png'],
            300,
            {'subject': 'boxes'},
            r'--boxes-first-frame-number N.*--boxes-frame-of FILE',
        ),
    ],
)
def test_what_leaves_frames_open_is_refused(
    names: Sequence[str], length: int | None, options: dict, words: str
) -> None:
    source = None if length is None else video_of(length)
    with pytest.raises(InputError, match=words):
        match_frames(labels_on(names), source, FrameOptions(**options))


class TestTimesOrNumbers:
    """Digits behind a dot are of a second, or the number of a frame."""

    names = TAKES

    def test_a_list_makes_them_times(self, tmp_path: Path) -> None:
        # 2.001 s, 2.101 s and 2.201 s at 10 frames a second.
        write_video(tmp_path / 'c.mp4', np.zeros((40, 32, 32, 3), np.uint8), fps=10)
        options = FrameOptions(time_of={name: float(name[5:10]) for name in self.names})
        matched = match_frames(labels_on(self.names), open_frames(tmp_path / 'c.mp4'), options)
        assert matched.labelled_frame_indices == (20, 21, 22)

    def test_stated_times_and_indices_go_before(self) -> None:
        assert numbering_of(self.names, times=[2.001, 2.101, 2.201]).kind == 'times'
        assert numbering_of(self.names, indices=[1, 2, 3]).kind == 'index'
        with pytest.raises(InputError, match='frame_index 8 appears twice'):
            indices_of(['a', 'b'], indices=[8, 8])

    def test_the_pictures_of_these_names_settle_it(self, tmp_path: Path) -> None:
        for name in self.names:
            cv2.imwrite(str(tmp_path / name), np.zeros((16, 16, 3), np.uint8))
        matched = match_frames(labels_on(self.names[1:]), open_frames(tmp_path))
        assert matched.labelled_frame_indices == (1, 2)


CLOCKS = {
    'player': '{h:02}.{m:02}.{s:02}.{ms:03}',
    'decimals': '{h}-{m:02}-{s:02}.{ms:03}',
    'comma': '{h:02}_{m:02}_{s:02},{ms:03}',
    'colons': '{h:02}:{m:02}:{s:02}-{ms:03}',
    'letters': '{h}h{m:02}m{s:02}s{ms:03}',
    'units': '{h}h {m}min {s}.{ms:03}sec',
    'all letters': '{h:02}h{m:02}m{s:02}s{ms:03}ms',
    'blank and comma': '{seconds},{ms:03} seconds',
    'minutes and seconds': '{minutes}m{s}.{ms:03}s',
    'seconds': '{seconds}.{ms:03}s',
    'milliseconds': '{all_ms}ms',
}
"""Forms of times in the names of pictures."""


class TestClocks:
    @pytest.mark.parametrize('form', CLOCKS.values(), ids=CLOCKS)
    @given(
        times=st.lists(st.integers(0, 36_000_000), min_size=1, max_size=4, unique=True),
        around=st.sampled_from([('', ''), ('clip ', ''), ('DJI_0067-', '-crop'), ('frame', '_a')]),
        case=st.sampled_from([str, str.upper]),
    )
    def test_a_time_is_read_with_all_its_parts(
        self, form: str, times: list[int], around: tuple[str, str], case: Callable[[str], str]
    ) -> None:
        names = []
        for all_ms in times:
            seconds, ms = divmod(all_ms, 1000)
            minutes, s = divmod(seconds, 60)
            h, m = divmod(minutes, 60)
            parts = dict(h=h, m=m, s=s, ms=ms, minutes=minutes, seconds=seconds, all_ms=all_ms)
            names.append(f'{case(form.format(**parts)).join(around)}.jpg')
        numbering = numbering_of(names)

        assert numbering.kind == 'times'
        assert [*numbering.times.values()] == [all_ms / 1000 for all_ms in times]

    @pytest.mark.parametrize(
        ('names', 'times'),
        [
            (['00_00_00', '00_00_06'], [0, 6]),
            (['clip_00_00_58', 'clip_00_01_02'], [58, 62]),
            (['00_30_10'], [1810]),
            (['clip_2s', 'clip_6s'], [2, 6]),
            (['clip_2min', 'clip_3min'], [120, 180]),
            (['frame0m5s', 'frame1m5s'], [5, 65]),
            (['clip 1:05', 'clip 1:07'], [65, 67]),
            (['clip_1-05.2', 'clip_2-07.1'], [65.2, 127.1]),
            (['vlcsnap-2024-01-05-00h00m05s120', 'vlcsnap-2024-01-05-00h00m07s000'], [5.12, 7]),
            # The number of a camera is no minute.
            (['cam2_12.480', 'cam2_13.5'], [12.48, 13.5]),
        ],
        ids=lambda value: str(value[0]),
    )
    def test_what_a_time_looks_like(self, names: list[str], times: list[float]) -> None:
        numbering = numbering_of([f'{name}.jpg' for name in names])

        assert numbering.kind == 'times'
        assert [*numbering.times.values()] == times

    @pytest.mark.parametrize(
        'names',
        [
            # The last two digits may be of a frame or of a second.
            ['00-00-10-12', '00-00-10-20'],
            ['00.00.10.12', '00.00.11.20'],
            # A day, a subject, a trial or a minute.
            ['a_01_02_05', 'a_01_02_45'],
            ['take_2-12.480', 'take_2-12.520'],
            ['take_2.001', 'take_2.101'],
            ['clip_0m05', 'clip_1m05'],
        ],
        ids=str,
    )
    def test_what_may_be_a_time_is_asked_for(self, names: list[str]) -> None:
        video = video_of(100_000)
        video.fps = 25.0
        with pytest.raises(InputError, match=r'may be of frames or digits|it is unknown which'):
            match_frames(labels_on([f'{name}.jpg' for name in names]), video)

    @pytest.mark.parametrize(
        'names',
        [
            ['a_01_02_0005', 'a_01_02_0045'],
            ['a_01_02_05', 'a_01_02_65'],
            ['12.30.45_0005', '12.30.45_0045'],
            ['2024-01-05_0005', '2024-01-05_0045'],
            ['clip_5south', 'clip_45south'],
            ['5m', '45m'],
        ],
        ids=str,
    )
    def test_what_is_no_time_is_a_number(self, names: list[str]) -> None:
        assert numbering_of([f'{name}.jpg' for name in names]).kind == 'names'

    def test_frames_are_not_named_like_times(self) -> None:
        assert follow_names({50: 'clip_2s.jpg'}, [51])[51] == ''


@pytest.mark.parametrize(
    ('name', 'stem'),
    [
        ('up%2Fmy%20clip%2007.jpg', 'my clip 07'),
        # These codes are of a control character and of no character.
        ('img%0312.png', 'img%0312'),
        ('a%FF12.png', 'a%FF12'),
        ('100%_12.png', '100%_12'),
    ],
)
def test_names_are_decoded_if_they_can_be(name: str, stem: str) -> None:
    assert picture_stem(name) == stem


class TestSeveralStatements:
    """Numbers in names, the fields frame_id, and times that may be in another unit."""

    @pytest.mark.parametrize(
        ('numbers', 'times'),
        [
            # Numbers that count the pictures, or have another origin or no even step.
            ((1, 2, 3), (0, 12.48, 20)),
            ((1, 2, 3), (0, 0.5, 1)),
            ((3, 7), (12.48, 40)),
            ((100, 110, 120), (0, 0.4, 0.8)),
            ((3, 4, 7), (0, 12.48, 13)),
        ],
    )
    def test_times_alone_are_seconds(self, numbers: Sequence[int], times: Sequence[float]) -> None:
        numbering = numbering_of([f's_{number}.jpg' for number in numbers], times=times)

        assert numbering.kind == 'times'
        assert [*numbering.times.values()] == [*times]

    def test_a_count_of_pictures_whose_times_may_be_milliseconds_is_asked_for(self) -> None:
        names = [f'{i}.jpg' for i in range(4)]
        labels = labels_on(names, times=(0, 40, 80, 120), frame_ids=(0, 1, 2, 3))
        with pytest.raises(InputError, match='contradict the times of its pictures, give --first'):
            match_frames(labels, video_of(5000))


class LateFrames(ArrayFrames):
    """Frames at 25 a second whose first one players show some time after the sound."""

    fps, start = 25.0, Fraction(0)


@given(
    late=st.integers(0, 400).map(lambda number: Fraction(number, 200)),
    frames=st.sets(st.integers(0, 59), min_size=1, max_size=4).map(sorted),
)
def test_times_count_as_players_show_them(late: Fraction, frames: list[int]) -> None:
    """A start within the first frame is no other frame."""
    video = LateFrames(np.zeros((60, 16, 16, 3), np.uint8), name='clip.mkv')
    video.start, is_late = late, late >= Fraction(1, 25)
    times = [float(Fraction(frame, 25) + (late if is_late else 0)) for frame in frames]

    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter('always')
        labels = labels_on([f'c_{time:.3f}s.jpg' for time in times])
        assert [*match_frames(labels, cache_frames(video))] == frames
    told = [str(message.message) for message in notes]
    what = f'clip.mkv starts {float(late):.2f} s after another stream'
    assert [what in text for text in told] == [True] * is_late


class TestPositions:
    names = SHOTS

    def test_a_list_tells_the_frames(self, tmp_path: Path) -> None:
        text = 'name,frame\r\nshot_a,4\r\nx/shot_b.jpg,2\r\n\r\nshot_c.png , 29\r\nmore.jpg,3'
        (tmp_path / 'frames.csv').write_text(text)
        options = read_frame_list(tmp_path / 'frames.csv')
        matched = match_frames(labels_on(self.names), video_of(30), options)
        assert [frame.index for frame in matched.frames] == [4, 2, 29]
        assert [person.frame_index for person in matched.persons] == [4, 2, 29]

    @pytest.mark.parametrize(
        ('words', 'option'),
        [
            (['seconds', 'Second', 'time', 'Time (s)', 'timestamp', 'sec'], 'time_of'),
            (['frame', 'Frames', 'frame_index', 'index', 'Number'], 'frame_of'),
        ],
    )
    def test_a_header_tells_what_a_list_is_of(
        self, tmp_path: Path, words: list[str], option: str
    ) -> None:
        for word in words:
            (tmp_path / 'list.csv').write_text(f'name,{word}\nshot_a.jpg,4\n')
            options = read_frame_list(tmp_path / 'list.csv')
            assert options == FrameOptions(**{option: {'shot_a.jpg': 4}})

    @pytest.mark.parametrize(
        ('text', 'message'),
        [
            ('', 'is empty'),
            ('name,frame\n', 'names no picture'),
            ('name,position\na,4', r"the header 'position', .*\"time\" or \"sec\".*\"number\""),
            ('name,time_ms\na,4', "has the header 'time_ms'"),
            ('a.jpg,1\na.jpg,2\n', "picture 'a.jpg' appears twice"),
            ('a.jpg,1\nb.jpg,x\n', r"every line must be a picture and its frame.*got 'b.jpg,x'"),
            ('a.jpg,1\nb.jpg,2.5\n', r"got 'b.jpg,2.5'"),
            ('name,time\na.jpg,1.5\nb.jpg,\n', r"its time in seconds.* got 'b.jpg,'"),
            (',1\n', r"got ',1'"),
            ('a\0,\x001\0', r'is not UTF-8 text \(byte 1\)'),
        ],
    )
    def test_a_bad_list_is_refused(self, tmp_path: Path, text: str, message: str) -> None:
        (tmp_path / 'frames.csv').write_text(text)
        with pytest.raises(InputError, match=message):
            read_frame_list(tmp_path / 'frames.csv')


def write_variable(path: Path, times: Sequence[float]) -> None:
    """A video whose frames begin at given times, in milliseconds."""
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('mpeg4', rate=1000)
        stream.width = stream.height = 32
        stream.pix_fmt = 'yuv420p'
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for time in times:
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format='rgb24')
            frame.pts = round(1000 * time)
            frame.time_base = Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


class TestTimes:
    @pytest.mark.parametrize(
        ('names', 'frames'),
        [
            # 1/30 = 0.0333.., 44/30 = 1.4666..: rounded, cut, and in the middle of a frame.
            (['a_0.033.jpg', 'a_1.467.jpg'], [1, 44]),
            (['a_0.03.jpg', 'a_1.46.jpg'], [1, 44]),
            # Shortly before the next frame, by more than the last digit.
            (['a_0.061.jpg', 'a_1.491.jpg'], [1, 44]),
            (['a_0.000000.jpg', 'a_1.966667.jpg'], [0, 59]),
        ],
    )
    def test_constant_frame_rate(self, tmp_path: Path, names: list[str], frames: list[int]) -> None:
        """Frames at multiples of 1/30 s."""
        write_video(tmp_path / 'c.mp4', np.zeros((60, 32, 32, 3), np.uint8), fps=30)
        matched = match_frames(labels_on(names), open_frames(tmp_path / 'c.mp4'))
        assert list(matched.labelled_frame_indices) == frames

    def test_variable_frame_rate(self, tmp_path: Path) -> None:
        write_variable(tmp_path / 'v.mkv', [0, 0.04, 0.08, 0.5, 0.54, 1.2, 1.24])
        variable = open_frames(tmp_path / 'v.mkv')
        names = ['0.040.jpg', '0.300.jpg', '0.500.jpg', '1.199.jpg', '1.240.jpg']
        matched = match_frames(labels_on(names), variable)
        assert list(matched.labelled_frame_indices) == [1, 2, 3, 5, 6]
        stated = labels_on(['000001.jpg', '000002.jpg'], times=[0.5, 1.24])
        assert list(match_frames(stated, variable).labelled_frame_indices) == [3, 6]
        told = FrameOptions(time_of={'000001.jpg': 0.5, '000002': 1.2})
        assert list(match_frames(stated, variable, told).labelled_frame_indices) == [3, 5]
        with pytest.raises(InputError, match=r"on frame 7 \('9.500.jpg'\), which is not among"):
            match_frames(labels_on(['0.040.jpg', '9.500.jpg']), variable)

    def test_times_may_be_cut_by_nearly_their_last_digit(self, tmp_path: Path) -> None:
        write_variable(tmp_path / 'v.mkv', [0, 0.039, 0.079, 0.12])
        labels = labels_on(['0.03s.jpg', '0.07s.jpg'])
        matched = match_frames(labels, open_frames(tmp_path / 'v.mkv'))
        assert list(matched.labelled_frame_indices) == [1, 2]

    def test_of_two_pictures_of_a_frame_the_labelled_one_counts(self) -> None:
        labels = labels_on(['a.jpg', 'b.jpg'])
        labels = labels.with_persons([labels.persons[1]])
        options = FrameOptions(frame_of={'a.jpg': 3, 'b.jpg': 3})
        matched = match_frames(labels, video_of(9), options)
        assert [(frame.index, frame.file_name) for frame in matched.frames] == [(3, 'b.jpg')]
        assert list(matched.labelled_frame_indices) == [3]


def moving(length: int = 20) -> np.ndarray:
    """A square that moves by 2 pixels a frame over a still background."""
    rng = np.random.default_rng(0)
    background = np.kron(rng.integers(60, 200, (6, 8, 1)), np.ones((16, 16, 3))).astype(np.uint8)
    pictures = np.repeat(background[None], length, axis=0)
    for i in range(length):
        pictures[i, 40:60, 10 + 2 * i : 30 + 2 * i] = 255
    return pictures


SavePictures = Callable[[dict[str, int]], Path]


class TestPictures:
    """Labelled pictures beside the label file are looked at."""

    @pytest.fixture
    def clip(self, tmp_path: Path) -> FrameSource:
        write_video(tmp_path / 'clip.mp4', moving(), fps=10)
        return open_frames(tmp_path / 'clip.mp4')

    @pytest.fixture
    def save(self, tmp_path: Path) -> SavePictures:
        """Write pictures: name -> frame shown; of another size, as Roboflow stretches them."""

        def write(shown: dict[str, int]) -> Path:
            for name, frame in shown.items():
                picture = cv2.resize(moving()[frame], (100, 100))
                cv2.imwrite(str(tmp_path / name), picture, [cv2.IMWRITE_JPEG_QUALITY, 80])
            return tmp_path

        return write

    @pytest.mark.parametrize(
        ('first', 'numbers'), [(0, (6, 9, 14)), (3, (6, 9, 14)), (1, (1, 6)), (0, (15, 19))]
    )
    def test_they_tell_where_numbers_start(
        self, clip: FrameSource, save: SavePictures, first: int, numbers: tuple[int, ...]
    ) -> None:
        names = {f'{n + first:06d}_jpg.rf.{HASH[n:]}.jpg': n for n in numbers}
        matched = match_frames(labels_on(list(names), save(names)), clip)
        assert matched.labelled_frame_indices == numbers
        assert 'and the pictures beside the file show these frames of clip' in describe_frames(
            matched
        )

    def test_a_wrong_number_is_refused(self, clip: FrameSource, save: SavePictures) -> None:
        names = {f'img{n:04d}.jpg': n + 1 for n in (6, 9, 14)}
        labels = labels_on(list(names), save(names), first_number=0)
        with pytest.raises(InputError, match='show frames of clip that are 1 later, give'):
            match_frames(labels, clip)

    def test_pictures_of_another_video_are_refused(
        self, clip: FrameSource, save: SavePictures, tmp_path: Path
    ) -> None:
        save({'0000.jpg': 0, '0003.jpg': 3})
        other = ArrayFrames(np.random.default_rng(1).integers(0, 255, (9, 40, 40, 3), np.uint8))
        with pytest.raises(InputError, match='show no frame of'):
            match_frames(labels_on(['0000.jpg', '0003.jpg'], tmp_path), other)

    def test_what_the_user_says_holds_and_doubt_is_said(
        self, clip: FrameSource, save: SavePictures
    ) -> None:
        names = {f'{n + 1:06d}.jpg': n for n in (6, 9, 14)}
        options = FrameOptions(first_number=0)
        matched = match_frames(labels_on(list(names), save(names)), clip, options)
        assert list(matched.labelled_frame_indices) == [7, 10, 15]
        assert 'but the pictures beside the file show frames of clip that are 1 earlier' in (
            describe_frames(matched)
        )

    def test_pictures_without_contrast_tell_nothing(
        self, save: SavePictures, tmp_path: Path
    ) -> None:
        rng = np.random.default_rng(2)
        foggy = 120 + rng.integers(0, 9, (20, 90, 160, 3)).astype(np.uint8)
        names = [f'{n + 1:06d}.jpg' for n in (6, 9, 14)]
        for name in names:
            cv2.imwrite(str(tmp_path / name), foggy[int(name[:6]) - 1])
        still = np.repeat(moving(1), 20, axis=0)
        of_still = {f'still_{name}': 0 for name in names}
        save(of_still)
        for named, pictures in ((names, foggy), ([*of_still], still)):
            with pytest.raises(InputError, match='number 0 or 1'):
                match_frames(labels_on(named, tmp_path), ArrayFrames(pictures))


class TestPictureSets:
    @pytest.fixture
    def pictures(self, tmp_path: Path) -> FrameSource:
        """Pictures 000011.jpg to 000020.jpg."""
        folder = tmp_path / 'frames'
        folder.mkdir()
        for i, picture in enumerate(moving(10)):
            cv2.imwrite(str(folder / f'{i + 11:06d}.jpg'), picture)
        return open_frames(folder)

    @pytest.mark.parametrize(
        'form', ['x/{:06d}.jpg', '{:06d}.PNG', '{:06d}_jpg.rf.a1b2.jpg', '1a2b3c4d-{:06d}.jpg']
    )
    def test_names_of_the_pictures_decide(self, pictures: FrameSource, form: str) -> None:
        matched = match_frames(labels_on([form.format(n) for n in (12, 18)]), pictures)
        assert list(matched.labelled_frame_indices) == [1, 7]
        assert describe_frames(matched) == (
            'labels on frames 1, 7, read from the names of the pictures in frames'
        )

    def test_names_of_pictures_decide_in_every_view_of_them(self, pictures: FrameSource) -> None:
        labels = labels_on(['000014.jpg', '000018.jpg'])
        for view in (cache_frames(pictures), FrameView(pictures)):
            assert list(match_frames(labels, view).labelled_frame_indices) == [3, 7]
        selection = FrameView(pictures, range(2, 9))  # 000013.jpg to 000019.jpg
        assert list(match_frames(labels, selection).labelled_frame_indices) == [1, 5]

    def test_numbers_of_other_names_mean_nothing_where_pictures_are_missing(
        self, pictures: FrameSource
    ) -> None:
        folder = Path(pictures.path_of(0)).parent
        (folder / '000013.jpg').rename(folder / '000000.jpg')
        labels = labels_on(['cam_0000.jpg', 'cam_0007.jpg'])
        with pytest.raises(InputError, match=r'have gaps between 0 and 20, .*--frame-of FILE'):
            match_frames(labels, open_frames(folder))
        told = match_frames(labels, open_frames(folder), FrameOptions(first_number=0))
        assert list(told.labelled_frame_indices) == [0, 7]

    @pytest.mark.parametrize('labelled', [(0, 2), (1, 2)])
    def test_frames_from_0_and_pictures_from_1_are_not_matched_by_name(
        self, tmp_path: Path, labelled: tuple[int, ...]
    ) -> None:
        for number in (1, 2, 3):
            cv2.imwrite(str(tmp_path / f'{number:06d}.png'), moving(1)[0])
        labels = labels_on([f'clip/{n:06d}.jpg' for n in labelled], indices=labelled)
        with pytest.raises(InputError, match=r'counts its pictures from 1 \(000001\.png\), but'):
            match_frames(labels, open_frames(tmp_path))
        for first in range(labelled[0] + 1):
            options = FrameOptions(first_number=first)
            matched = match_frames(labels, open_frames(tmp_path), options)
            assert [frame.index for frame in matched.frames] == [n - first for n in labelled]
        # A selection of pictures is not counted from 1.
        (tmp_path / '000003.png').rename(tmp_path / '000005.png')
        if labelled[0]:
            assert list(match_frames(labels, open_frames(tmp_path))) == [0, 1]

    def test_matching_again_changes_nothing(self, pictures: FrameSource) -> None:
        labels = labels_on(['000012.jpg', '000018.jpg'])
        matched = match_frames(labels, pictures, FrameOptions(first_number=12))
        assert list(matched.labelled_frame_indices) == [0, 6]
        again = match_frames(matched, pictures)
        assert list(again.labelled_frame_indices) == [0, 6]
        assert describe_frames(again) == describe_frames(matched)


def test_frames_are_described_shortly() -> None:
    labels = labels_on([''] * 21, indices=[*range(0, 40, 2), 39])
    made = [*labels.persons[:20], labels.persons[20].with_source('propagated')]
    assert describe_frames(match_frames(labels.with_persons(made), video_of(40))) == (
        'labels on frames 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22 and 8 more, read '
        'from frame_index'
    )
    matched = match_frames(labels_on(['x/000001.jpg', 'x/000008.jpg']), video_of(30))
    assert describe_frames(matched) == (
        'labels on frames 0, 7, read from the numbers in the names of the pictures '
        '(000001.jpg is frame 0)'
    )
