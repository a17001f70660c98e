"""Commands never write over what they were given."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stdpose_mm.cli import convert, propagate
from stdpose_mm.errors import InputError
from stdpose_mm.io import atomic_path


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
    run_main, request, tmp_path, movie, label_file, option, victim, what
):
    target: Path = request.getfixturevalue(victim)
    before = target.read_bytes()
    out = () if option == '--out' else ('--out', tmp_path / 'dense.json')
    arguments = [movie, label_file, '--method', 'linear', option, target, *out]
    code, _, (line,) = run_main(propagate.main, *arguments)
    assert code == 2
    assert f'{option} {target} is given as {what} too, which would be overwritten' in line
    assert target.read_bytes() == before
    assert not (tmp_path / 'dense.json').exists()


@pytest.mark.parametrize('link', [os.symlink, os.link], ids=['symbolic', 'hard'])
def test_an_input_is_known_behind_a_link(run_main, tmp_path, movie, label_file, link):
    other = tmp_path / 'other.json'
    link(label_file, other)
    code, _, (line,) = run_main(propagate.main, movie, label_file, '--out', other)
    assert code == 2
    assert 'is given as labels too, which would be overwritten' in line


def test_a_file_is_not_converted_into_itself(run_main, label_file):
    before = label_file.read_bytes()
    code, _, (line,) = run_main(convert.main, label_file, label_file)
    assert code == 2
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
