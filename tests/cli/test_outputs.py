"""Commands never write over what they were given."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from stdpose_mm.cli import convert, propagate
from stdpose_mm.errors import InputError
from stdpose_mm.io import atomic_path
from stdpose_mm.io.video import write_video


@pytest.fixture
def movie(tmp_path: Path, pictures: np.ndarray) -> Path:
    write_video(tmp_path / 'clip.mp4', pictures, fps=25)
    return tmp_path / 'clip.mp4'


def refused(capsys: pytest.CaptureFixture[str], code: int) -> str:
    """The one line on stderr of a command that was refused."""
    assert code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize(
    ('option', 'victim', 'what'),
    [
        ('--out', 'movie', 'video'),
        ('--out', 'label_file', 'labels'),
        ('--save-video', 'movie', 'video'),
        ('--report', 'label_file', 'labels'),
    ],
)
def test_propagate_keeps_its_inputs(
    capsys, request, tmp_path, movie, label_file, option, victim, what
):
    target: Path = request.getfixturevalue(victim)
    before = target.read_bytes()
    arguments = [str(movie), str(label_file), '--method', 'linear', option, str(target)]
    if option != '--out':
        arguments += ['--out', str(tmp_path / 'dense.json')]
    line = refused(capsys, propagate.main(arguments))
    assert f'{option} {target} is given as {what} too, which would be overwritten' in line
    assert target.read_bytes() == before
    assert not (tmp_path / 'dense.json').exists()


@pytest.mark.parametrize('link', [os.symlink, os.link], ids=['symbolic', 'hard'])
def test_an_input_is_known_behind_a_link(capsys, tmp_path, movie, label_file, link):
    link(label_file, tmp_path / 'other.json')
    arguments = [str(movie), str(label_file), '--method', 'linear']
    line = refused(capsys, propagate.main([*arguments, '--out', str(tmp_path / 'other.json')]))
    assert 'is given as labels too, which would be overwritten' in line


def test_a_file_is_not_converted_into_itself(capsys, label_file):
    before = label_file.read_bytes()
    line = refused(capsys, convert.main([str(label_file), str(label_file)]))
    assert 'is given as IN too, which would be overwritten' in line
    assert label_file.read_bytes() == before


def test_a_pipe_is_no_target(tmp_path):
    os.mkfifo(tmp_path / 'pipe')
    with (
        pytest.raises(InputError, match=r'pipe is no regular file, expected'),
        atomic_path(tmp_path / 'pipe'),
    ):
        pass
    assert (tmp_path / 'pipe').is_fifo()


def test_a_symbolic_link_is_written_through(tmp_path):
    (tmp_path / 'folder').mkdir()
    (tmp_path / 'link.json').symlink_to(tmp_path / 'folder' / 'real.json')
    with atomic_path(tmp_path / 'link.json') as temporary:
        temporary.write_text('new')
    assert (tmp_path / 'link.json').is_symlink()
    assert (tmp_path / 'folder' / 'real.json').read_text() == 'new'
