import json
from pathlib import Path

import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.io import atomic_path, write_json, write_text
from stdpose_mm.io.atomic import require_writable


def test_the_file_appears_when_the_block_ends(tmp_path: Path):
    path = tmp_path / 'new' / 'out.mp4'
    with atomic_path(path) as temporary:
        temporary.write_text('done')
        assert not path.exists()
        assert (temporary.parent, temporary.suffix) == (path.parent, '.mp4')

    assert path.read_text() == 'done'
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize('error', [RuntimeError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: type):
    path = tmp_path / 'out.json'
    path.write_text('old')

    def fail() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text('half')
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == 'old'
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match='is a folder'), atomic_path(tmp_path):
        pass


def test_a_place_that_cannot_be_written_to_is_refused(tmp_path: Path):
    (tmp_path / 'file').write_text('')

    with pytest.raises(InputError, match='cannot be written'):
        write_json(tmp_path / 'file' / 'out.json', {})


def test_json_is_plain_utf8(tmp_path: Path):
    write_json(tmp_path / 'a.json', {'名': 1.5})

    assert (tmp_path / 'a.json').read_bytes() == '{"名": 1.5}\n'.encode()
    assert json.loads((tmp_path / 'a.json').read_text(encoding='utf-8')) == {'名': 1.5}


def test_nan_is_not_written(tmp_path: Path):
    with pytest.raises(ValueError, match='not JSON compliant'):
        write_json(tmp_path / 'a.json', [float('nan')])
    assert not list(tmp_path.iterdir())


def test_half_a_character_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match='no Unicode character'):
        write_text(tmp_path / 'a.json', 'name \ud800')
    assert not list(tmp_path.iterdir())


def test_asking_whether_a_file_can_be_written_leaves_none(tmp_path: Path):
    require_writable(tmp_path / 'new' / 'out.json')
    assert not list(tmp_path.rglob('*'))
    (tmp_path / 'file').touch()
    for path in (tmp_path / 'file' / 'out.json', tmp_path):
        with pytest.raises(InputError):
            require_writable(path)
