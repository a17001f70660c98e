from pathlib import Path

import numpy as np
import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.io import atomic_path
from stdpose_mm.io.labels import write_labels
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels

SKELETON = Skeleton(('hip', 'knee'))


def video(*persons: PersonLabel, frames=(4, 5, 6)) -> VideoLabels:
    return VideoLabels('gait', SKELETON, tuple(VideoFrame(i) for i in frames), persons)


def pose(frame: int, track_id: int | None = 0, visibility=(2, 2)) -> PersonLabel:
    return PersonLabel(frame, [[1.5, 2], [3, 4.25]], visibility, track_id=track_id)


def at_25(frame: int) -> float:
    return frame / 25


def test_the_file_is_laid_out_as_sports2d_does(tmp_path: Path):
    persons = pose(4), pose(6, visibility=(2, 0))
    write_labels(video(*persons), tmp_path / 'gait.trc', 'trc', at_25)

    assert (tmp_path / 'gait.trc').read_text() == (
        'PathFileType\t4\t(X/Y/Z)\tgait.trc\n'
        'DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame'
        '\tOrigNumFrames\n'
        '25.0\t25.0\t3\t2\tpx\t25.0\t5\t3\n'
        'Frame#\tTime\thip\t\t\tknee\t\t\n'
        '\t\tX1\tY1\tZ1\tX2\tY2\tZ2\n'
        '5\t0.16\t1.5\t2.0\t0.0\t3.0\t4.25\t0.0\n'
        '6\t0.2\t\t\t\t\t\t\n'
        '7\t0.24\t1.5\t2.0\t0.0\t\t\t\n'
    )


def test_the_first_line_has_the_name_of_the_finished_file(tmp_path: Path):
    path = tmp_path / 'gait.trc'
    with atomic_path(path) as temporary:
        write_labels(video(pose(4), pose(6)), temporary, 'trc', at_25)
    assert path.read_text().splitlines()[0].split('\t')[-1] == 'gait.trc'


def test_frames_that_are_not_listed_are_there(tmp_path: Path):
    write_labels(video(frames=(2, 5)), tmp_path / 'a.trc', 'trc', at_25)

    lines = (tmp_path / 'a.trc').read_text().splitlines()
    assert [line.split('\t')[0] for line in lines[5:]] == ['3', '4', '5', '6']


def test_several_people_are_told_apart_in_the_markers(tmp_path: Path):
    write_labels(video(pose(4, 9), pose(4, 2)), tmp_path / 'a.trc', 'trc', at_25)

    header = (tmp_path / 'a.trc').read_text().splitlines()[3]
    assert header.split('\t')[2::3] == ['2_hip', '2_knee', '9_hip', '9_knee']


def test_numbers_keep_their_digits(tmp_path: Path):
    place = np.array([[1 / 3, 2 / 3], [1e-7, 12345.678901234567]])
    person = PersonLabel(4, place, [2, 2], track_id=0)
    write_labels(video(person), tmp_path / 'a.trc', 'trc', at_25)

    cells = (tmp_path / 'a.trc').read_text().splitlines()[5].split('\t')[2:]
    assert [float(cells[i]) for i in (0, 1, 3, 4)] == place.ravel().tolist()


@pytest.mark.parametrize(
    ('labels', 'time_of', 'told'),
    [
        (video(pose(4)), None, 'needs the time of every frame'),
        (video(pose(4)), lambda frame: None, 'needs the time of every frame'),
        (video(pose(4, None)), at_25, 'people without one'),
        (video(pose(4), frames=(4,)), at_25, 'needs two or more'),
        (video(frames=()), at_25, 'needs two or more'),
    ],
)
def test_what_it_cannot_hold_is_refused(tmp_path: Path, labels, time_of, told: str):
    with pytest.raises(InputError, match=told):
        write_labels(labels, tmp_path / 'a.trc', 'trc', time_of)
    assert not (tmp_path / 'a.trc').exists()


def test_a_name_with_a_tab_is_refused(tmp_path: Path):
    labels = VideoLabels(
        'a',
        Skeleton(('a\tb',)),
        (VideoFrame(0), VideoFrame(1)),
        (PersonLabel(0, [[1, 2]], [2], 0),),
    )
    with pytest.raises(InputError, match='rename it'):
        write_labels(labels, tmp_path / 'a.trc', 'trc', at_25)
