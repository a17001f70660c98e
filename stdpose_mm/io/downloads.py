"""Downloads: a file is fetched once, whole or not at all.

Networks that their authors publish as ONNX files lie in the folder ``downloads`` of the cache
folder, which ``stdpose cache`` never empties.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import IO, ClassVar
from urllib.request import Request, urlopen

from platformdirs import user_cache_path
from tqdm import tqdm

from stdpose_mm.errors import DISK_ERRORS, InputError, note, one_line, system_errors_of

from .cache_folder import choose_cache_folder
from .disk.atomic import atomic_path, write_text

MIRROR_VARIABLE = 'STDPOSE_MIRROR'
"""Environment variable with the address of a server that has the same files in the same folders; it
is used in place of ``PUBLISHED_AT``."""

PUBLISHED_AT = {
    'MMPose': (
        'https://download.openmmlab.com/mmpose/v1/projects',
        'https://huggingface.co/Tau-J/RTMPose/resolve/main',
    ),
    'ViTPose': ('https://huggingface.co/JunkyByte/easy_ViTPose/resolve/main/onnx',),
}
"""Project -> addresses of folders with its files, which are tried in this order. Those of MMPose
are of OpenMMLab and of RTMPose's author."""

NON_COMMERCIAL = ('COCO-WholeBody', 'Halpe', 'Human-Art')
"""Beginnings of the names of data sets that are for non-commercial use only."""

MEMBER = 'end2end.onnx'
"""Name of the network in a published zip file, as MMDeploy exports it."""

_FIRST_BYTE = b'\x08'
"""First byte of an ONNX file: the tag of its version."""

_ANSWER_TIMEOUT = 20
"""Seconds after which a server that sends nothing counts as unreachable."""

_LEAST_SPEED = 20_000
"""Bytes per second; a server that is slower, apart from the first seconds, is given up."""

_MOST_RESUMPTIONS = 5
"""How often a download that was cut short is resumed at one address."""

_MAX_BYTES = 2**31
"""Size of the largest network that is unpacked: that of the largest ONNX file in one piece."""


@dataclass(frozen=True)
class PublishedFile:
    """A network that its authors publish.

    Args:
        names: Its name and its aliases.
        file: Path of its ONNX file, or of a zip file that holds it, on the server.
        input_size: (width, height) of its input in pixels.
        trained_on: Data sets that it was trained on.
        sha256: SHA-256 of the ONNX file; None if it is not known.
        project: The project that it is of, one of ``PUBLISHED_AT``; the licence is Apache-2.0.
    """

    kind: ClassVar = 'ONNX'

    names: tuple[str, ...]
    file: str
    input_size: tuple[int, int]
    trained_on: str
    sha256: str | None = field(default=None, kw_only=True)
    project: str = field(default='MMPose', kw_only=True)

    @property
    def name(self) -> str:
        """Its name."""
        return self.names[0]

    @property
    def size(self) -> str:
        """Height x width of its input."""
        return '{1}x{0}'.format(*self.input_size)

    @property
    def path(self) -> Path:
        """The path at which it is cached once it is fetched."""
        folder = choose_cache_folder() or user_cache_path('stdpose_mm', appauthor=False)
        return folder / 'downloads' / PurePosixPath(self.file).with_suffix('.onnx').name

    @property
    def download(self) -> tuple[str, Path]:
        """The address of its file, and the path to which the user may copy it instead."""
        return self._addresses[0], self.path.with_name(PurePosixPath(self.file).name)

    @property
    def _addresses(self) -> list[str]:
        """The addresses of its file on the servers in use."""
        mirror = os.environ.get(MIRROR_VARIABLE)
        bases = (mirror,) if mirror else PUBLISHED_AT[self.project]
        return [f'{base.rstrip("/")}/{self.file}' for base in bases]

    def fetch(self) -> Path:
        """Return its ONNX file; fetch it first, with a note, if it is missing.

        A zip file of the published name that the user has put beside it is unpacked instead. If the
        SHA-256 is not known, it is stored in a file beside the network when that is first used. It
        is compared at each use.

        Raises:
            InputError: If it cannot be fetched or unpacked, is not the published network, or has
                changed since its first use.
        """
        (_, archive), file = self.download, self.path
        record = file.with_suffix('.sha256')
        if not file.is_file():
            record.unlink(missing_ok=True)
            with atomic_path(file) as temporary:
                if archive.is_file():
                    try:
                        with archive.open('rb') as stream:
                            self._unpack(stream, temporary)
                    except ValueError as error:
                        raise InputError(
                            f'{archive}, which you put there, {error}, remove it, and it is fetched'
                        ) from error
                else:
                    self._fetch(archive, temporary)
        with system_errors_of(f'{file} cannot be read'):
            stat = file.stat()
            digest = _digest(file, stat.st_size, stat.st_mtime_ns)
        if self.sha256 is not None:
            if digest != self.sha256:
                raise InputError(
                    f'{file} is not the published {self.name}, its SHA-256 is {digest} and not '
                    f'{self.sha256}, remove {file}, and it is fetched again'
                )
            return file
        # As `sha256sum --check` reads it.
        line = f'{digest}  {file.name}\n'
        if not record.is_file():
            write_text(record, line)
        elif record.read_text('utf-8', 'replace') != line:
            raise InputError(
                f'{file} is not what it was when {self.name} was first used, its SHA-256 is '
                f'{digest} and not the one in {record.name}, remove {file}, and it is fetched again'
            )
        return file

    def _fetch(self, archive: Path, out: Path) -> None:
        """Download its file, of which only the network is stored, from the first server that can.

        Args:
            archive: Path of the file, for messages and its folder.
            out: Path of the network.

        Raises:
            InputError: If none can.
        """
        terms = (
            f'licence of {self.project}: Apache-2.0; training data (with their own terms, * is for '
            f'non-commercial use only): {mark_non_commercial(self.trained_on)}'
        )
        if self.sha256 is None:
            terms += '; its SHA-256 is not known beforehand, it is compared from its first use on'
        reasons = []
        for url in self._addresses:

            def announce(size: str, url: str = url) -> None:
                note(f'fetching {self.name} ({size}) from {url} to {archive.parent}; {terms}')

            # This file has no name, so that not even a killed run leaves a part of it.
            with tempfile.TemporaryFile(dir=archive.parent) as stream:
                try:
                    download(url, stream, announce)
                    self._unpack(stream, out)
                except (HTTPException, OSError, ValueError) as error:
                    if _is_local(error):
                        raise
                    reasons.append(f'{url} ({one_line(error)})')
                else:
                    return
        raise InputError(
            f'{self.name} cannot be fetched from {" or ".join(reasons)}, try again, download one '
            f'of them in another way and copy it to {archive}, or set {MIRROR_VARIABLE} to the '
            'address of a server that has it'
        )

    def _unpack(self, stream: IO[bytes], out: Path) -> None:
        """Write the network, and nothing else, from a published file.

        Raises:
            ValueError: If it is not the published file; the message goes on from its name.
        """
        (_unzip if self.file.endswith('.zip') else _copy)(stream, out)
        if self.sha256 is not None and (digest := file_sha256(out)) != self.sha256:
            raise ValueError(f'holds another network than the published one, with SHA-256 {digest}')


def mark_non_commercial(trained_on: str) -> str:
    """Put a star behind each data set of a list that is for non-commercial use only."""
    names = trained_on.split(', ')
    return ', '.join(name + '*' * name.startswith(NON_COMMERCIAL) for name in names)


def note_downloads(downloads: Iterable[tuple[str, Path]]) -> None:
    """Name the files that are still to be fetched, if there are several, before the first one is.

    Args:
        downloads: Address of each file, and the path to which the user may copy it instead.
    """
    missing = [f'{url} as {path}' for url, path in downloads if not path.is_file()]
    if len(missing) > 1:
        note(
            f'{len(missing)} files are fetched once, unless you put them there: '
            f'{", ".join(missing)}'
        )


def _is_local(error: Exception) -> bool:
    """Return whether an error is of the disk here, which another server would not mend."""
    return isinstance(error, OSError) and error.errno in DISK_ERRORS


def download(url: str, stream: IO[bytes], announce: Callable[[str], object]) -> None:
    """Download the whole content of a URL, with a progress bar on a terminal.

    A download that is cut short is resumed, if the server lets it, as long as it gets on.

    Args:
        url: The URL.
        stream: An empty file, to which the content is written.
        announce: Called with the size in words before the content is read.

    Raises:
        HTTPException, OSError, ValueError: If it cannot be fetched or is cut short.
    """
    for attempts_left in reversed(range(_MOST_RESUMPTIONS + 1)):
        received = stream.tell()
        try:
            _receive(url, stream, announce if received == 0 else lambda size: None)
        except (HTTPException, OSError, ValueError) as error:
            if not attempts_left or stream.tell() <= received or _is_local(error):
                raise
        else:
            return


def _receive(url: str, stream: IO[bytes], announce: Callable[[str], object]) -> None:
    """Write the content of a URL from the end of the stream on; else all of it."""
    received = stream.tell()
    request = Request(url, headers={'Range': f'bytes={received}-'} if received else {})
    with urlopen(request, timeout=_ANSWER_TIMEOUT) as answer:
        if received and getattr(answer, 'status', None) != HTTPStatus.PARTIAL_CONTENT:
            received = stream.seek(0)
            stream.truncate()
        size = int(answer.headers.get('Content-Length') or 0)
        announce(f'{size / 1e6:.1f} MB' if size else 'size unknown')
        began = time.monotonic()
        with tqdm(total=size or None, unit='B', unit_scale=True, disable=None) as bar:
            # Not `read`, which waits for the whole block.
            while block := getattr(answer, 'read1', answer.read)(2**18):
                stream.write(block)
                bar.update(len(block))
                seconds = time.monotonic() - began - _ANSWER_TIMEOUT
                if stream.tell() - received < _LEAST_SPEED * seconds:
                    raise TimeoutError(f'slower than {_LEAST_SPEED // 1000} kB per second')
    if size and stream.tell() != received + size:
        raise ValueError(f'only {stream.tell()} of {received + size} bytes were received')


def file_sha256(file: Path) -> str:
    """Compute the SHA-256 of a file."""
    digest = sha256()
    with file.open('rb') as stream:
        while block := stream.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def _unzip(stream: IO[bytes], out: Path) -> None:
    """Unpack the network, and nothing else, from a zip file.

    Raises:
        ValueError: If it does not hold one; the message goes on from its name.
    """
    try:
        with zipfile.ZipFile(stream) as archive:
            members = [m for m in archive.infolist() if PurePosixPath(m.filename).name == MEMBER]
            if len(members) != 1 or members[0].file_size > _MAX_BYTES:
                raise ValueError(f'it holds {len(members)} files of this name, or a too large one')
            with archive.open(members[0]) as packed, out.open('wb') as file:
                shutil.copyfileobj(packed, file)
    except OSError:
        # A full disk.
        raise
    # zipfile and its decompressors raise various errors for damaged or encrypted files.
    except Exception as error:
        raise ValueError(f'is not a zip file with one {MEMBER}: {one_line(error)}') from error


def _copy(stream: IO[bytes], out: Path) -> None:
    """Copy a network that is not packed.

    Raises:
        ValueError: If it is none; the message goes on from its name.
    """
    stream.seek(0)
    with out.open('wb') as file:
        shutil.copyfileobj(stream, file)
    stream.seek(0)
    if stream.read(1) != _FIRST_BYTE:
        raise ValueError('is not an ONNX file')


@lru_cache(maxsize=16)
def _digest(file: Path, size: int, time: int) -> str:
    """Compute the SHA-256 of a file, once per version of it."""
    return file_sha256(file)
