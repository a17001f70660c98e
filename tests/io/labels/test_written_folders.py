"""Folders with a file for every frame: old or new, and the user's other files in them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.io.disk import atomic
from stdpose_mm.io.labels import write_labels
from stdpose_mm.structures import VideoFrame, VideoLabels
from support.forks import in_fork
from support.label_samples import SKELETON, person, sample
from support.platforms import linux, posix

FORMATS = ('openpose', 'labelme', 'yolo-pose')
OLD, NEW = sample(), sample(persons=(person(1, 0), person(2, 0)))


def content(folder: Path) -> dict[str, bytes]:
    """What users see in a folder: path of a file -> its bytes."""
    paths = {str(path.relative_to(folder)): path for path in sorted(folder.rglob('*'))}
    return {name: path.read_bytes() for name, path in paths.items() if path.is_file()}


def written(labels: VideoLabels, folder: Path, format: str) -> dict[str, bytes]:
    write_labels(labels, folder, format)
    return content(folder)


def kill_at(step: int, work: Callable[[], Any]) -> bool:
    """Do work in a child that is killed at a step at the file system; tell whether it ended before.

    Opening, renaming and removing of files and folders are steps, and calls of the C library.
    """
    events = {'open', 'os.mkdir', 'os.remove', 'os.rename', 'os.rmdir', 'ctypes.dlsym'}
    process = os.fork()
    if process == 0:
        steps = [0]

        def watch(event: str, _: object) -> None:
            if event in events:
                steps[0] += 1
                if steps[0] == step:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(watch)
        work()
        os._exit(0)
    return os.waitpid(process, 0)[1] == 0


@linux
@pytest.mark.parametrize(
    ('format', 'is_new'), [('openpose', False), ('labelme', True), ('yolo-pose', False)]
)
def test_a_kill_at_any_step_leaves_the_old_folder_or_the_new_one(
    tmp_path: Path, format: str, is_new: bool
):
    new = written(NEW, tmp_path / 'expected', format)
    old = {} if is_new else written(OLD, tmp_path / 'before', format)
    assert old != new
    states: list[str] = []
    while not states or states[-1] != 'ended':
        folder = tmp_path / str(len(states)) / 'clip'
        if not is_new:
            write_labels(OLD, folder, format)
        ended = kill_at(len(states) + 1, lambda to=folder: write_labels(NEW, to, format))
        left = content(folder)
        assert left in (old, new)
        states.append('ended' if ended else 'old' if left == old else 'new')
    assert states[-1] == 'ended'
    assert content(folder) == new
    assert len(states) > 3 * len(new)


@posix
def test_what_a_killed_run_left_does_not_hinder_the_next(tmp_path: Path):
    new = written(NEW, tmp_path / 'expected', 'openpose')
    assert not kill_at(8, lambda: write_labels(NEW, tmp_path / 'clip', 'openpose'))
    (left,) = tmp_path.glob('.*')
    os.utime(left, (0, 0))
    assert written(NEW, tmp_path / 'clip', 'openpose') == new
    assert {path.name for path in tmp_path.iterdir()} == {'clip', 'expected'}


OTHERS = {
    'openpose': ('notes.txt', 'pictures/000000.jpg'),
    'labelme': ('000000.jpg', '000001.jpg', '.labelmerc', 'more/000003.jpg'),
    'yolo-pose': ('images/000000.jpg', 'labels.cache', 'labels/classes.names'),
}


@pytest.mark.parametrize('format', FORMATS)
def test_other_files_of_the_folder_stay(tmp_path: Path, format: str):
    new = written(NEW, tmp_path / 'expected', format)
    write_labels(OLD, tmp_path / 'clip', format)
    others = {name: name.encode() for name in OTHERS[format]}
    for name, data in others.items():
        (tmp_path / 'clip' / name).parent.mkdir(exist_ok=True)
        (tmp_path / 'clip' / name).write_bytes(data)
    assert written(NEW, tmp_path / 'clip', format) == {**new, **others}
    assert {path.name for path in tmp_path.iterdir()} == {'clip', 'expected'}


@pytest.mark.parametrize('format', FORMATS)
@pytest.mark.parametrize('reason', ['the current folder', 'a mount point', 'another system'])
def test_a_folder_that_cannot_be_replaced_keeps_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str, reason: str
):
    new = written(NEW, tmp_path / 'expected', format)
    write_labels(OLD, tmp_path / 'clip', format)
    place = (tmp_path / 'clip').stat().st_ino
    if reason == 'the current folder':
        monkeypatch.chdir(tmp_path / 'clip')
    elif reason == 'a mount point':
        # Nothing can be renamed from beside it.
        monkeypatch.setattr(os.path, 'ismount', lambda path: True)
    else:
        monkeypatch.setattr(atomic.ctypes, 'CDLL', lambda *_, **__: object())
    assert written(NEW, tmp_path / 'clip', format) == new
    assert (tmp_path / 'clip').stat().st_ino == place
    assert not [*tmp_path.rglob('.*')]


@posix
def test_a_link_to_a_folder_stays_a_link(tmp_path: Path):
    write_labels(OLD, tmp_path / 'clip', 'openpose')
    (tmp_path / 'link').symlink_to('clip')
    new = written(NEW, tmp_path / 'link', 'openpose')
    assert (tmp_path / 'link').is_symlink()
    assert content(tmp_path / 'clip') == new == written(NEW, tmp_path / 'expected', 'openpose')


@posix
def test_a_replaced_folder_has_the_rights_of_the_old_one(tmp_path: Path):
    write_labels(OLD, tmp_path / 'clip', 'openpose')
    (tmp_path / 'clip').chmod(0o750)
    write_labels(NEW, tmp_path / 'clip', 'openpose')
    assert (tmp_path / 'clip').stat().st_mode & 0o777 == 0o750


@posix
@pytest.mark.parametrize('format', FORMATS)
def test_a_write_protected_file_protects_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str
):
    old = written(OLD, tmp_path / 'clip', format)
    protected = tmp_path / 'clip' / max(old)
    protected.chmod(0o444)
    # The administrator, as whom tests may run, may write everything.
    monkeypatch.setattr(os, 'access', lambda path, mode: bool(os.stat(path).st_mode & 0o200))
    with pytest.raises(InputError, match=rf'{protected.name} cannot be written: Permission denied'):
        write_labels(NEW, tmp_path / 'clip', format)
    assert content(tmp_path / 'clip') == old
    assert [path.name for path in tmp_path.iterdir()] == ['clip']


@posix
def test_the_number_of_listings_does_not_grow_with_the_video(tmp_path: Path):
    def count_listings(frames: int) -> int:
        labels = VideoLabels('c', SKELETON, tuple(map(VideoFrame, range(frames))), ())
        listings = []
        sys.addaudithook(
            lambda event, _: listings.append(event) if event in ('os.scandir', 'os.listdir') else 0
        )
        write_labels(labels, tmp_path / str(frames), 'openpose')
        return len(listings)

    few, many = (in_fork(lambda n=n: count_listings(n)) for n in (5, 50))
    assert len(content(tmp_path / '50')) == 50
    assert few == many
