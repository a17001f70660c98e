from pathlib import Path

import numpy as np
import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.io.video import open_frames, write_video


def pictures(count: int, height: int, width: int) -> list[np.ndarray]:
    return [np.full((height, width, 3), 20 * i, np.uint8) for i in range(count)]


def test_frames_come_back_with_their_rate(tmp_path: Path):
    path = tmp_path / 'new' / 'out.mp4'
    write_video(path, iter(pictures(8, 32, 48)), fps=29.97)
    frames = open_frames(path)

    assert len(frames) == 8
    assert frames.fps == pytest.approx(29.97)
    assert frames.size == (48, 32)
    assert [round(frame.mean() / 20) for frame in frames] == list(range(8))


def test_odd_sizes_are_padded(tmp_path: Path):
    write_video(tmp_path / 'out.mp4', pictures(2, 31, 47), fps=25)

    assert open_frames(tmp_path / 'out.mp4').size == (48, 32)


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
    with pytest.raises(InputError, match=r'is no name for a video, give one that ends in \.mp4'):
        write_video(tmp_path / name, pictures(1, 16, 16), fps=25)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('fps', [0, -1, float('nan'), float('inf')])
def test_a_rate_that_is_none_is_refused(tmp_path: Path, fps: float):
    with pytest.raises(InputError, match='frames per second'):
        write_video(tmp_path / 'out.mp4', pictures(1, 16, 16), fps=fps)
