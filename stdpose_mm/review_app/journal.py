"""The journal of a project: one line of JSON per edit, written before the edit is shown.

It also holds the labels before the first edit, so that no other file is needed to continue, and
fingerprints of the saved label files, to recognise them.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import numpy as np

from stdpose_mm.errors import InputError, os_error_text
from stdpose_mm.io.disk.atomic import require_writable
from stdpose_mm.io.disk.outputs import keep_copy
from stdpose_mm.io.labels.fields import Record
from stdpose_mm.io.labels.posetrack18 import parse_posetrack18, posetrack18_fields
from stdpose_mm.labelling.propagation import given_labels
from stdpose_mm.structures import FrameNumbering, PersonLabel, VideoLabels
from stdpose_mm.text import counted

from .edits import JournalEntry

VERSION = 1

LABEL_FILE = 'label file'
"""Name of the input that the journal can replace, since it also holds the labels."""

_KEY = 'stdpose_review'
"""Field of the first line that identifies a journal; its value is the version."""

_LABELS = 'given_labels'
"""The only field of the line with the labels before the first edit."""

_SAVED = 'saved'
"""Field of a line that is not an edit: the fingerprint of a saved label file."""


class Journal:
    """Append-only file that one server at a time writes to.

    A last line that is incomplete because the machine or the server stopped is cut off: no page was
    told that this edit is saved. Nothing is written to a file that is not a journal, or belongs to
    other inputs.

    Args:
        path: The file; created by the first edit or save.
        inputs: Fingerprints of the edited inputs by name: the video and the label file. None for
            the label file means to use the labels in the journal. Another label file is refused
            here only if the journal holds no labels to compare it with.
        recover: Whether to continue with what is before a damaged line; the whole file is kept as a
            copy then.
        read_only: Whether to show what is before a damaged line, and refuse every edit: the file
            stays as it is, and another server may have it open.

    Attributes:
        entries: The edits in the journal.
        labels: The labels given to :meth:`keep` before the first edit; None if the journal has no
            edit, began without labels, or was written by a version that did not keep them.
        saves: Fingerprint of a saved label file -> number of edits in it, and the fingerprint of
            the network that had learned from labels; None if there was none.
        notes: Messages to the user about the file, one sentence each.

    Raises:
        InputError: If another server has the file open, or the file is not a journal, belongs to
            other inputs, is damaged or cannot be read.
    """

    def __init__(
        self, path: Path, inputs: dict[str, Any], recover: bool = False, read_only: bool = False
    ) -> None:
        self.path = path
        self.recover, self.read_only = recover, read_only
        self.entries: list[JournalEntry] = []
        self.labels: VideoLabels | None = None
        self.saves: dict[str, tuple[int, str | None]] = {}
        self.notes: list[str] = []
        self._inputs = inputs
        self._file: BinaryIO | None = None
        self._lines: list[_Line] = []
        self._to_keep = b''
        self._is_begun = path.exists()
        if self._is_begun:
            try:
                self._read()
            except InputError:
                self.close()
                raise
        elif not read_only:
            require_writable(path)

    def keep(self, labels: VideoLabels, size: tuple[int, int]) -> None:
        """Write the given labels before the first edit, unless the journal already holds them.

        If there is no file yet, they are written with the first edit or save.

        Args:
            labels: Labels on the frames of the video.
            size: (width, height) of the video.

        Raises:
            InputError: If they cannot be written; the file is then unchanged.
        """
        if self.labels is not None:
            return
        # It was checked before that labels without a size fit the video.
        frames = [replace(frame, width=size[0], height=size[1]) for frame in labels.frames]
        first_labels = replace(given_labels(labels), frames=tuple(frames))
        fields = {'video': labels.name, 'posetrack18': posetrack18_fields(first_labels)}
        self._to_keep = _line({_LABELS: fields})
        if self._file is not None and not self.read_only:
            self._write(b'')

    def append(self, entry: JournalEntry) -> None:
        """Write an edit and wait until it is on the disk.

        Raises:
            InputError: If the edit cannot be written; the file is then unchanged.
        """
        self._write(_line(entry))
        self.entries.append(entry)

    def add_save(self, content: str, revision: int, network: str | None) -> None:
        """Record that labels are being saved, so that the file is recognised later.

        Args:
            content: Fingerprint of the file.
            revision: Number of edits in it.
            network: Fingerprint of the network that had learned from labels.

        Raises:
            InputError: See :meth:`append`.
        """
        self._write(_line({_SAVED: content, 'revision': revision, 'network': network}))
        self.saves[content] = revision, network

    def other_input(self, name: str) -> InputError:
        """Make the error for an input that differs from the one that the edits began with."""
        expected = f'the same {name} as before'
        if name == LABEL_FILE:
            expected = f'{expected}, with its options, or --project {self.path} and no LABELS'
        return InputError(
            f'{self.path} holds edits of another {name} than the given one: give {expected}, to '
            'continue, or another file with --project to start over'
        )

    def close(self) -> None:
        """Close the file, so that another server can open it."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, line: bytes) -> None:
        """Write a line; if the labels are still to be written, write them first.

        Raises:
            InputError: If it cannot be written, or the project was opened to read only.
        """
        if self.read_only:
            raise InputError(
                f'{self.path} was opened with --read-only, so nothing is changed: start again '
                'without it to edit'
            )
        file = self._begin() if self._file is None else self._file
        is_empty = file.seek(0, os.SEEK_END) == 0
        header = _line({_KEY: VERSION, **self._inputs}) if is_empty else b''
        self._append(file, header + self._to_keep + line)
        self._is_begun = True
        self._to_keep = b''

    def _append(self, file: BinaryIO, content: bytes) -> None:
        end = file.seek(0, os.SEEK_END)
        try:
            if file.write(content) < len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(file.fileno())
        except OSError as error:
            # A partly written line must not remain before the next entry.
            file.truncate(end)
            raise InputError(os_error_text(error, f'{self.path} cannot be written')) from error

    def _begin(self) -> BinaryIO:
        """Open the file for writing.

        Raises:
            InputError: If another server has written edits to it meanwhile, which the labels of
                this server lack.
        """
        self._file = self._open_locked()
        if not self._is_begun and self._file.seek(0, os.SEEK_END) > 0:
            self.close()
            raise InputError(
                f'{self.path} holds edits that another review server has made meanwhile, stop this '
                'server and start it again to continue with them'
            )
        return self._file

    def _open_locked(self) -> BinaryIO:
        try:
            if self.read_only:
                return open(self.path, 'rb')
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Without a buffer, nothing remains to be written after an error.
            file = cast(BinaryIO, open(self.path, 'a+b', buffering=0))  # noqa: SIM115
        except OSError as error:
            raise InputError(os_error_text(error, f'{self.path} cannot be opened')) from error
        try:
            _lock(file)
        except OSError as error:
            file.close()
            raise InputError(
                f'{self.path} is open in another review server, use that one or stop it first'
            ) from error
        return file

    def cut_off_edit(self, number: int, problem: str) -> None:
        """Remove an edit that does not fit, and all that follows, if recovery was requested.

        Args:
            number: Index of the edit in ``entries``.
            problem: Why it does not fit.

        Raises:
            InputError: If recovery was not requested, or the file cannot be copied.
        """
        line = [line for line in self._lines if _is_edit(line.fields)][number]
        self._cut_off(
            line.start,
            f'{self.path}, line {line.number}: edit {number + 1} cannot be repeated ({problem})',
            'give the same files and options as before, another file with --project to start over',
        )

    def _cut_off(self, end: int, problem: str, remedy: str) -> None:
        """Remove what follows after ``end`` bytes, if recovery was requested."""
        lines = [line for line in self._lines if line.start < end]
        edits = counted(sum(_is_edit(line.fields) for line in lines), 'edit')
        if self.read_only:
            self._take(lines)
            self.notes.append(f'{problem}: the {edits} before it are shown, nothing is changed')
            return
        if not self.recover:
            raise InputError(
                f'{problem}, {remedy}, or --recover to continue with the {edits} before it, or '
                '--read-only to look at them'
            )
        assert self._file is not None
        copy = keep_copy(self.path)
        self._file.truncate(end)
        self._take(lines)
        self.notes.append(
            f'{problem}: continuing with the {edits} before it, the whole file is kept as {copy}'
        )

    def _read(self) -> None:
        self._file = self._open_locked()
        self._file.seek(0)
        content = self._file.read()
        lines, end = self._parse(content)
        self._take(lines)
        if lines:
            self._require_inputs(lines[0].fields)
        if b'\n' in content[end:] or _begins_with_object(content[end:]):
            number = content[:end].count(b'\n') + 1
            problem = f'{self.path}, line {number} is damaged'
            self._cut_off(end, problem, 'give a copy of the project from before with --project')
        elif content[end:]:
            edits = counted(len(self.entries), 'edit')
            self.notes.append(
                f'{self.path}: the last line was incomplete, as when a server stops while it '
                f'writes, and was cut off; it holds {edits}'
            )
            if not self.read_only:
                self._file.truncate(end)
        elif not content.endswith(b'\n') and content and not self.read_only:
            # Some editors remove the end of the last line.
            self._append(self._file, b'\n')

    def _parse(self, content: bytes) -> tuple[list[_Line], int]:
        """Return the lines before the first one that is damaged or incomplete, and their length.

        Raises:
            InputError: If the first line does not identify a journal.
        """
        lines: list[_Line] = []
        end = 0
        for number, text in enumerate(content.splitlines(keepends=True), 1):
            try:
                fields = json.loads(text) if text.strip() else None
            except ValueError:
                fields = text
            if isinstance(fields, dict) and (lines or _KEY in fields):
                lines.append(_Line(number, end, fields))
            elif fields is not None:
                break
            end += len(text)
        start = b'{"%s": ' % _KEY.encode()
        is_begun = b'\n' not in content and content[: len(start)] == start[: len(content)]
        if not lines and not is_begun and content:
            raise InputError(
                f'{self.path}, line 1: this is not a project of stdpose review, give another file '
                'with --project'
            )
        return lines, end

    def _take(self, lines: list[_Line]) -> None:
        """Take labels, edits and saves from the lines."""
        self._lines, self.labels, self.saves = lines, None, {}
        self.entries = [cast(JournalEntry, line.fields) for line in lines if _is_edit(line.fields)]
        for _, _, fields in lines:
            if _LABELS in fields:
                # Parsing uses up the JSON, and lines are taken again if others are cut off.
                if not isinstance(fields[_LABELS], VideoLabels):
                    fields[_LABELS] = self._unpack(fields[_LABELS])
                self.labels = fields[_LABELS]
            elif _SAVED in fields:
                self.saves[str(fields[_SAVED])] = fields.get('revision', 0), fields.get('network')

    def _require_inputs(self, header: dict[str, Any]) -> None:
        """Refuse a journal of another version, or of other inputs."""
        if header[_KEY] != VERSION:
            raise InputError(
                f'{self.path} was written by another version of stdpose review '
                f'({header[_KEY]!r} instead of {VERSION}), use that version'
            )
        for name, value in self._inputs.items():
            is_compared_later = name == LABEL_FILE and self.labels is not None
            if header.get(name) != value and not is_compared_later:
                raise self.other_input(name)

    def _unpack(self, fields: Any) -> VideoLabels:
        """Convert what :meth:`keep` has written to labels on the frames of the video."""
        record = Record(self.path, _LABELS, fields)
        name, posetrack18 = record.text('video'), record.raw('posetrack18', expected='labels')
        labels = parse_posetrack18(self.path, posetrack18, visibility='coco')
        return replace(labels, name=name, numbering=FrameNumbering('matched', 'the journal'))


class _Line(NamedTuple):
    """A line of the file: its number, where it starts, in bytes, and its fields."""

    number: int
    start: int
    fields: dict[str, Any]


def _begins_with_object(text: bytes) -> bool:
    """Tell whether a text begins with a whole JSON object, unlike a line that was not finished."""
    with suppress(ValueError):
        json.JSONDecoder().raw_decode(text.decode())
        return True
    return False


def _is_edit(fields: dict[str, Any]) -> bool:
    return not fields.keys() & {_KEY, _LABELS, _SAVED}


def _lock(file: BinaryIO) -> None:
    """Lock an opened file for this process; raises an OSError if another one has locked it."""
    if sys.platform == 'win32':
        import msvcrt

        # Nobody else can read a locked byte, so a byte far behind the end is locked.
        file.seek(2**31 - 2)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _line(entry: Any) -> bytes:
    return json.dumps(entry, allow_nan=False).encode() + b'\n'


def same_labels(labels: VideoLabels, others: VideoLabels) -> bool:
    """Tell whether edits of the given labels of ``labels`` can be applied to those of ``others``.

    Fields that are only kept for writing, such as picture names, may differ.
    """
    names, other_names = labels.skeleton.keypoint_names, others.skeleton.keypoint_names
    return names == other_names and _values_by_pose(labels) == _values_by_pose(others)


def _values_by_pose(labels: VideoLabels) -> dict[tuple[int, int | None], list[Any]]:
    return {
        (person.frame_index, person.track_id): [
            person.source,
            *(None if array is None else array.tolist() for array in _arrays(person)),
        ]
        for person in given_labels(labels).persons
    }


def _arrays(person: PersonLabel) -> list[np.ndarray | None]:
    points = [person.keypoints, person.visibility, person.keypoint_sources]
    return [*points, person.bbox, person.head_box]
