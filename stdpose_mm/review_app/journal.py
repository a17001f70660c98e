"""The journal of a project: one line of JSON per edit, on the disk before the edit is shown.

It also holds the labels before the first edit, so that no other file is needed to continue, and
by which content the files are known that labels were saved to.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from stdpose_mm.errors import InputError, os_error_text
from stdpose_mm.io.atomic import require_writable

if os.name == 'posix':
    import fcntl

VERSION = 1

LABEL_FILE = 'label file'
"""Name of the input that the journal can replace, since it holds the labels."""

READING_OPTIONS = (
    *('--as-given', '--labels-video', '--labels-size', '--first-frame-number', '--frame-of'),
    '--loaded-into-cvat',
)
"""Options that change which labels are read from the same file."""

_ANEW = 'or give another file with --project to begin anew'

_KEY = 'stdpose_review'
"""Field of the first line by which a journal is known; its value is the version."""

_LABELS = 'given_labels'
"""The only field of the line with the labels before the first edit."""

_SAVED = 'saved'
"""Field of a line that is no edit: the fingerprint of the file that labels are saved to."""


class Journal:
    """An append-only file that one server at a time writes to.

    An incomplete line, from a stop of the machine or the server, is cut off: no page was told that
    this edit is saved.

    Args:
        path: The file; made with the first edit or save.
        inputs: Fingerprints of the edited inputs by name: the video and the label file. None for
            the label file uses the labels in the journal. Another label file is refused here only
            if the journal holds no labels to compare its labels with.

    Attributes:
        entries: The edits in the journal.
        labels: The labels given to :meth:`keep` before the first edit; None if the journal has no
            edit, began without any, or is from the time before labels were kept.
        saves: Fingerprint of what was saved -> number of edits in it.
        has_other_file: Whether the edits began with another label file than the one that is given.
        notes: Messages to the user about the file, one sentence each.

    Raises:
        InputError: If another server has the file open, or the file is no journal, belongs to other
            inputs or cannot be read.
    """

    def __init__(self, path: Path, inputs: dict[str, Any]) -> None:
        self.path = path
        self.entries: list[dict[str, Any]] = []
        self.labels: Any = None
        self.saves: dict[str, int] = {}
        self.has_other_file = False
        self.notes: list[str] = []
        self._inputs = inputs
        self._file: BinaryIO | None = None
        self._to_keep = b''
        self._is_begun = path.exists()
        if self._is_begun:
            self._open()
        else:
            require_writable(path)

    def keep(self, labels: dict[str, Any]) -> None:
        """Write the labels before the first edit, unless the journal holds them already.

        If there is no file yet, they are written with the first edit or save.

        Raises:
            InputError: If they cannot be written; the file is then unchanged.
        """
        if self.labels is not None:
            return
        self._to_keep = _line({_LABELS: labels})
        if self._file is not None:
            self._write(b'')

    def append(self, entry: dict[str, Any]) -> None:
        """Write an edit, and wait until it is on the disk.

        Raises:
            InputError: If the edit cannot be written; the file is then unchanged.
        """
        self._write(_line(entry))
        self.entries.append(entry)

    def add_save(self, content: str, revision: int) -> None:
        """Write that labels are being saved, so that the file is known later.

        Args:
            content: Fingerprint of the file.
            revision: Number of edits in it.

        Raises:
            InputError: See :meth:`append`.
        """
        self._write(_line({_SAVED: content, 'revision': revision}))
        self.saves[content] = revision

    def other_labels(self) -> InputError:
        """Make the error for labels that are not those that the edits began with."""
        way = f'leave LABELS out and give --project {self.path} to go on with those edits, {_ANEW}'
        if self.has_other_file or self.labels is None:
            what = 'of another label file than the one that is given'
        else:
            what = 'of labels that were read differently from the same file'
            way = f'give the options of before ({", ".join(READING_OPTIONS)}), {way}'
        return InputError(f'{self.path} holds edits {what}, {way}')

    def close(self) -> None:
        """Close the file, so that another server can open it."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None

    def _write(self, line: bytes) -> None:
        """Write a line, after the labels if they are still to be written."""
        if self._file is None:
            self._begin()
        assert self._file is not None
        end = self._file.seek(0, os.SEEK_END)
        try:
            if end == 0:
                self._file.write(_line({_KEY: VERSION, **self._inputs}))
            self._file.write(self._to_keep + line)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            # A partly written line must not remain before the next entry.
            self._reopen_at(end)
            raise InputError(os_error_text(error, f'{self.path} cannot be written')) from error
        self._is_begun = True
        self._to_keep = b''

    def _begin(self) -> None:
        """Open the file for writing.

        Raises:
            InputError: If another server has written edits to it meanwhile, which are not in the
                labels of this one.
        """
        self._file = self._locked()
        if not self._is_begun and self._file.seek(0, os.SEEK_END) > 0:
            self.close()
            raise InputError(
                f'{self.path} holds edits that another review server has made meanwhile, end this '
                'one and start it again to go on with them'
            )

    def _reopen_at(self, end: int) -> None:
        # Closing tries to write what is buffered, which fails again.
        self.close()
        with open(self.path, 'r+b') as file:
            file.truncate(end)
        self._file = self._locked()

    def _locked(self) -> BinaryIO:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = open(self.path, 'a+b')  # noqa: SIM115
        except OSError as error:
            raise InputError(os_error_text(error, f'{self.path} cannot be opened')) from error
        if os.name == 'posix':
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                file.close()
                raise InputError(
                    f'{self.path} is open in another review server, use that one or end it first'
                ) from error
        return file

    def _open(self) -> None:
        self._file = self._locked()
        self._file.seek(0)
        content = self._file.read()
        whole = content.rfind(b'\n') + 1
        if whole < len(content):
            self.notes.append(
                f'{self.path}: the last line was not finished when the server stopped, it was cut '
                'off; every edit that was confirmed is there'
            )
            self._file.truncate(whole)
        lines = list(self._parse(content[:whole]))
        if not lines:
            return
        for line in lines[1:]:
            if _LABELS in line:
                self.labels, self._to_keep = line[_LABELS], b''
            elif _SAVED in line:
                self.saves[str(line[_SAVED])] = line.get('revision', 0)
            else:
                self.entries.append(line)
        self._check(lines[0])

    def _parse(self, content: bytes) -> Iterator[dict[str, Any]]:
        for number, line in enumerate(content.splitlines(), 1):
            try:
                entry = json.loads(line)
            except ValueError:
                entry = None
            if not isinstance(entry, dict) or (number == 1 and _KEY not in entry):
                self.close()
                raise InputError(
                    f'{self.path}, line {number}: this is no project of stdpose review, give '
                    'another file with --project'
                )
            yield entry

    def _check(self, first: dict[str, Any]) -> None:
        if first[_KEY] != VERSION:
            self.close()
            raise InputError(
                f'{self.path} was written by another version of stdpose review '
                f'({first[_KEY]!r} instead of {VERSION}), use that version'
            )
        for name, value in self._inputs.items():
            if first.get(name) == value:
                continue
            if name == LABEL_FILE and self.labels is not None:
                self.has_other_file = value is not None
                continue
            self.close()
            if name == LABEL_FILE and first.get(name) is None:
                raise self.other_labels()
            raise InputError(
                f'{self.path} holds edits of another {name} than the one that is given, give the '
                f'{name} of before, {_ANEW}'
            )


def _line(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry, allow_nan=False).encode() + b'\n'
