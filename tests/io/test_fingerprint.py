"""What results depend on, as a text."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import stdpose_mm
from stdpose_mm.errors import InputError
from stdpose_mm.io import fingerprint as module
from stdpose_mm.io.fingerprint import (
    NOT_DECIDING,
    code_fingerprint,
    file_fingerprint,
    fingerprint,
    stream_fingerprint,
)
from stdpose_mm.io.video import (
    ArrayFrames,
    FrameSource,
    FrameView,
    cache_frames,
    open_frames,
    write_video,
)
from support.paths import ROOT

PACKAGE = Path(stdpose_mm.__file__).parent
DECIDING = (
    *('codecs', 'datasets', 'detection', 'engine', 'evaluation', 'inference', 'io', 'models'),
    *('structures', 'tracking', 'labelling/__init__.py'),
    *('labelling/evidence', 'labelling/propagation'),
)


class Settings:
    """An object with attributes, that knows itself."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)
        self.me = self


@dataclass(frozen=True)
class Point:
    x: float
    label: np.ndarray | None = None


def network(seed: int = 0, slope: float = 0.1, shift: float = 0) -> Any:
    torch = pytest.importorskip('torch', reason='no part of the light installation')
    torch.manual_seed(seed)
    nn = torch.nn
    made = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.LeakyReLU(slope))
    with torch.no_grad():
        made[0].weight[1, 2] += shift
    return made


def half_precision(number: int) -> Any:
    torch = pytest.importorskip('torch', reason='no part of the light installation')
    return torch.full((3,), float(number), dtype=torch.bfloat16)


@pytest.mark.parametrize(
    'make',
    [
        lambda n: n,
        lambda n: [1, [n, 'text']],
        lambda n: {'b': 1, 'a': n},
        lambda n: {str(n), 'other'},
        lambda n: np.full(3, n, np.float32),
        lambda n: np.array([n, 'text'], dtype=object),
        lambda n: Settings(value=Settings(number=n)),
        lambda n: Point(1.0, np.full(2, n)),
        lambda n: partial(max, n),
        lambda n: (min, max)[n - 1],
        half_precision,
        network,
        lambda n: network(slope=n),
        lambda n: network(shift=1e-6 * n),
    ],
)
def test_other_values_have_other_fingerprints(make: Callable[[int], Any]) -> None:
    assert fingerprint(make(1)) == fingerprint(make(1))
    assert fingerprint(make(1)) != fingerprint(make(2))


def test_types_and_places_count() -> None:
    values = [1, 1.0, '1', b'1', [1], (1, 2), (12,), ['1', '2'], ['12'], np.int8(1), True, None]
    values += [np.zeros(2), np.zeros((2, 1)), np.zeros(2, np.float32), [0, 0], {}, [], ()]
    assert len({fingerprint(value) for value in values}) == len(values)


def test_orders_and_sharing_do_not_count() -> None:
    assert fingerprint({'a': 1, 'b': 2}) == fingerprint({'b': 2, 'a': 1})
    point = Point(2.0)
    assert fingerprint([point, point]) == fingerprint([Point(2.0), Point(2.0)])


@pytest.mark.slow
def test_another_process_gives_the_same(tmp_path: Path) -> None:
    (tmp_path / 'file').write_bytes(b'content')
    made = "{'a': {1, 'x'}, 'b': np.arange(6.0)}, Path(sys.argv[1]), max"
    code = (
        'import sys; import numpy as np; from pathlib import Path\n'
        'from stdpose_mm.io.fingerprint import fingerprint\n'
        f'print(fingerprint(({made})))\n'
    )
    answers = set()
    for seed in ('1', '2'):
        environment = {**os.environ, 'PYTHONPATH': str(ROOT), 'PYTHONHASHSEED': seed}
        command = [sys.executable, '-c', code, str(tmp_path / 'file')]
        answers.add(subprocess.check_output(command, env=environment, text=True))
    assert len(answers) == 1


def test_files_count_by_content(tmp_path: Path) -> None:
    for name, content in (('a', b'1'), ('b', b'1'), ('c', b'2')):
        (tmp_path / name).write_bytes(content)
    a, b, c = (fingerprint(tmp_path / name) for name in 'abc')
    assert a == b != c
    # A path to no file counts by name.
    assert len({fingerprint(tmp_path / name) for name in ('x', 'y', 'x')}) == 2


@pytest.mark.parametrize('size', [0, 5, 2**20, 2**20 + 1])
def test_a_stream_counts_like_the_bytes_in_it(size: int) -> None:
    content = bytes(range(256)) * (size // 256) + b'x' * (size % 256)
    assert stream_fingerprint(io.BytesIO(content)) == fingerprint(content)


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r'missing\.pth cannot be read: No such file'):
        file_fingerprint(tmp_path / 'missing.pth')


def test_a_file_is_read_once_until_it_changes(tmp_path: Path, monkeypatch: Any) -> None:
    opened = []

    def spy(path: str, mode: str) -> Any:
        opened.append(path)
        return open(path, mode)

    monkeypatch.setattr(module, 'open', spy, raising=False)
    path = tmp_path / 'video.mp4'
    path.write_bytes(b'1' * 100)
    before = file_fingerprint(path)
    assert file_fingerprint(path) == before
    assert len(opened) == 1
    path.write_bytes(b'1' * 99 + b'2')
    os.utime(path, ns=(0, 10**9))
    assert file_fingerprint(path) != before
    assert len(opened) == 2


def pictures_in(folder: Path, last: int = 9) -> FrameSource:
    folder.mkdir()
    for number, value in enumerate((9, 9, last)):
        cv2.imwrite(str(folder / f'{number}.png'), np.full((4, 5, 3), value, np.uint8))
    return open_frames(folder)


def test_pictures_count_by_the_content_of_all_files(tmp_path: Path) -> None:
    first, moved = pictures_in(tmp_path / 'a'), pictures_in(tmp_path / 'b')
    assert fingerprint(first) == fingerprint(moved)
    files = [str(tmp_path / 'a' / f'{number}.png') for number in range(3)]
    pictures_in(tmp_path / 'c', last=10)
    others = [tmp_path / 'c', [*files, files[0]], files[:2], files[:1]]
    assert len({fingerprint(open_frames(other)) for other in (files, *others)}) == 5


def test_a_video_counts_by_its_whole_file(tmp_path: Path) -> None:
    path, moved = tmp_path / 'a.mp4', tmp_path / 'b.mp4'
    write_video(path, np.zeros((5, 32, 32, 3), np.uint8), fps=10)
    content = path.read_bytes()
    moved.write_bytes(content)
    before = fingerprint(open_frames(path))
    assert fingerprint(open_frames(moved)) == before
    # Behind the last frame: players do not mind, and all pictures stay as they are.
    moved.write_bytes(content + b'\0\0\0\x08free')
    assert len(open_frames(moved)) == 5
    assert fingerprint(open_frames(moved)) != before


def test_frames_in_no_file_count_by_their_pixels() -> None:
    def in_memory(last: int) -> ArrayFrames:
        return ArrayFrames([np.full((2, 2, 3), value, np.uint8) for value in (9, last)])

    assert fingerprint(in_memory(1)) == fingerprint(in_memory(1))
    assert fingerprint(in_memory(1)) != fingerprint(in_memory(2))


def test_which_frames_are_selected_counts_and_no_cache_in_front_of_them(tmp_path: Path) -> None:
    video = pictures_in(tmp_path / 'a', last=10)
    first, second = FrameView(video, range(2)), FrameView(video, range(1, 3))
    assert fingerprint(first) == fingerprint(FrameView(video, [0, 1]))
    cached = cache_frames(first)
    cached[0]
    assert fingerprint(cached) == fingerprint(first)
    assert fingerprint(cached) != fingerprint(cache_frames(second))
    assert fingerprint(cache_frames(video)) == fingerprint(video)


@pytest.mark.parametrize(
    ('indices', 'is_whole'),
    [(range(3), True), ([0, 1, 2], True), (np.arange(3), True)]
    + [(order, False) for order in (range(2), [2, 1, 0], [0, 1, 1], [0, 1, 2, 2], np.arange(2))],
)
def test_a_view_of_all_frames_in_order_is_the_video(
    tmp_path: Path, indices: Sequence[int], is_whole: bool
) -> None:
    video = pictures_in(tmp_path / 'a', last=10)
    view = FrameView(video, indices)
    assert (fingerprint(view) == fingerprint(video)) is is_whole
    assert fingerprint(FrameView(view, range(len(view)))) == fingerprint(view)


def test_a_video_beside_its_view_is_read_once() -> None:
    reads: list[int] = []

    class CountedFrames(ArrayFrames):
        def _read(self, index: int) -> np.ndarray:
            reads.append(index)
            return super()._read(index)

    video = CountedFrames([np.full((2, 2, 3), value, np.uint8) for value in (9, 1)])
    fingerprint([FrameView(video, range(2)), cache_frames(video), video])
    assert reads == [0, 1]


@pytest.fixture
def copied_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small package in place of this one."""
    root = tmp_path / 'stdpose_mm'
    for name in ('models/head.py', 'apis/face.py', 'propagation/weights/fuser.bin', 'errors.py'):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text('1')
    monkeypatch.setattr(module, 'files', lambda package: root)
    return root


@pytest.mark.parametrize(
    ('name', 'decides'),
    [
        ('models/head.py', True),
        ('propagation/weights/fuser.bin', True),
        ('errors.py', True),
        ('new_room/anything.py', True),
        ('apis/face.py', False),
        ('models/__pycache__/head.pyc', False),
    ],
)
def test_which_code_decides(copied_code: Path, name: str, decides: bool) -> None:
    before = code_fingerprint.__wrapped__()
    assert code_fingerprint.__wrapped__() == before
    (copied_code / name).parent.mkdir(parents=True, exist_ok=True)
    (copied_code / name).write_text('2')
    assert (code_fingerprint.__wrapped__() != before) == decides


def test_every_room_is_said_to_decide_or_not() -> None:
    rooms = {path.parent.name for path in PACKAGE.glob('*/__init__.py')} - {'labelling'}
    inside = (PACKAGE / 'labelling').iterdir()
    rooms |= {f'labelling/{path.name}' for path in inside if path.name != '__pycache__'}
    assert rooms == {*DECIDING, *NOT_DECIDING}
