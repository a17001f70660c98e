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


def test_people_are_told_apart_and_every_frame_is_there(tmp_path: Path):
    place = np.array([[1 / 3, 2 / 3], [1e-7, 12345.678901234567]])
    persons = pose(2, 9), PersonLabel(2, place, [2, 2], track_id=2)
    with atomic_path(tmp_path / 'a.trc') as temporary:
        write_labels(video(*persons, frames=(2, 5)), temporary, 'trc', at_25)

    rows = [line.split('\t') for line in (tmp_path / 'a.trc').read_text().splitlines()]
    assert rows[0][-1] == 'a.trc'  # the finished file
    assert rows[3][2::3] == ['2_hip', '2_knee', '9_hip', '9_knee']
    assert [row[0] for row in rows[5:]] == ['3', '4', '5', '6']
    assert [float(rows[5][i]) for i in (2, 3, 5, 6)] == place.ravel().tolist()


TABBED = VideoLabels(
    'a', Skeleton(('a\tb',)), (VideoFrame(0), VideoFrame(1)), (PersonLabel(0, [[1, 2]], [2], 0),)
)


@pytest.mark.parametrize(
    ('labels', 'time_of', 'told'),
    [
        (video(pose(4)), None, 'needs the time of every frame'),
        (video(pose(4)), lambda frame: None, 'needs the time of every frame'),
        (video(pose(4, None)), at_25, 'people without one'),
        (video(pose(4), frames=(4,)), at_25, 'needs two or more'),
        (TABBED, at_25, 'rename it'),
    ],
)
def test_what_it_cannot_hold_is_refused(tmp_path: Path, labels, time_of, told: str):
    with pytest.raises(InputError, match=told):
        write_labels(labels, tmp_path / 'a.trc', 'trc', time_of)
    assert not (tmp_path / 'a.trc').exists()
