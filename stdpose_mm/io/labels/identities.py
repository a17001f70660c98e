"""Identities in files: which person of the video a pose belongs to."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from typing import Any, NamedTuple

from stdpose_mm.errors import note
from stdpose_mm.io import PathLike
from stdpose_mm.io.limits import MAX_ID
from stdpose_mm.structures import CLASS_NAME, TRACK_NAME, unused_track_ids
from stdpose_mm.text import counted, listed

from .fields import Record, quote

StatedIdentity = int | str | None
"""Identity as :meth:`Record.identity` reads it: a number, a name, or None."""


class Identity(NamedTuple):
    """The identity of a person.

    Args:
        track_id: Number of the person; None if unknown.
        name: Name of the person in the file; '' if it is a number.
        class_name: Class of the person in a file of several classes, else ''. Labels of two classes
            never belong to one person.
    """

    track_id: int | None
    name: str = ''
    class_name: str = ''

    @property
    def extra(self) -> dict[str, Any]:
        """The names, as entries of ``PersonLabel.extra``."""
        names = {TRACK_NAME: self.name, CLASS_NAME: self.class_name}
        return {key: name for key, name in names.items() if name}


def identity_field(
    people: Sequence[Record], pictures: Sequence[Hashable], names: Sequence[str]
) -> tuple[str | None, list[str]]:
    """Find the first of several fields that holds identities, and those that two people share.

    Without tracking, AlphaPose writes an ``idx`` of 0 for everybody, and some tools number all
    people in ``id``. So a field other than ``track_id`` holds no identities if two people in a
    picture share a value, or if all values are distinct.

    Args:
        people: The people of a file.
        pictures: The picture of each.
        names: Names of the fields.
    """
    shared_fields: list[str] = []
    for name in names:
        if name == 'id' and any(isinstance(person.peek(name), str) for person in people):
            continue
        ids = [person.identity(name, may_be_list=True) for person in people]
        pairs = [
            (who, picture) for who, picture in zip(ids, pictures, strict=True) if who is not None
        ]
        different, is_shared = {who for who, _ in pairs}, len({*pairs}) < len(pairs)
        if pairs and (name == 'track_id' or (len(different) < len(pairs) and not is_shared)):
            return name, shared_fields
        if is_shared and len(different) > 1:
            shared_fields.append(name)
    return None, shared_fields


def number_identities(
    path: PathLike, stated: Sequence[StatedIdentity], classes: Sequence[str]
) -> list[Identity]:
    """Number the identities of a file.

    Numbers stay, names get unused numbers in the order in which they appear, with a note. If people
    of two classes have one number, it stays with the class that has it first.

    Args:
        path: The file, for the note.
        stated: What the file states for every person.
        classes: Class of every person, '' in a file of one.
    """
    new_ids = unused_track_ids({value for value in stated if isinstance(value, int)})
    class_of: dict[StatedIdentity, str] = {}
    identities: dict[tuple[StatedIdentity, str], Identity] = {}
    for value, name in zip(stated, classes, strict=True):
        if (value, name) not in identities:
            is_free = value is None or class_of.setdefault(value, name) == name
            as_name = value if isinstance(value, str) else ''
            track_id = value if is_free and not isinstance(value, str) else next(new_ids)
            identities[value, name] = Identity(track_id, as_name, name)
    names = list(dict.fromkeys(value for value in stated if isinstance(value, str)))
    if names:
        what = f'{counted(len(names), "name")} ({listed([*map(quote, names)], 5)})'
        note(f'{path}: people have {what} in place of numbers, and are numbered in this order')
    return [identities[pair] for pair in zip(stated, classes, strict=True)]


def number_tracks(
    where: PathLike, tracks: Sequence[tuple[str, Collection[Hashable]]]
) -> list[Identity]:
    """Number the named tracks of a video.

    Tracks of one name are one person, as in merged projects, unless two of them are in one frame:
    then they stay apart, with a note. The numbers are the names if all are distinct whole numbers,
    else the positions of the tracks.

    Args:
        where: The file and its video, for the note.
        tracks: Name of every track, '' for none, and the frames in which it is.
    """
    frames_of: dict[str, list[Collection[Hashable]]] = {}
    for name, frames in tracks:
        frames_of.setdefault(name, []).append(frames)
    meeting = [n for n, of in frames_of.items() if n and sum(map(len, of)) > len(set().union(*of))]
    if meeting:
        what = listed([*map(quote, meeting)], 5)
        note(f'{where}: two tracks have the name {what} in one frame, and are read as two people')
    numeric = not meeting and all(
        n.isascii() and n.isdigit() and int(n) <= MAX_ID for n in frames_of
    )
    if numeric and len({*map(int, frames_of)}) == len(frames_of):
        return [Identity(int(name)) for name, _ in tracks]
    names = [name for name, _ in tracks]
    return [
        Identity(names.index(name) if name and name not in meeting else position, name)
        for position, name in enumerate(names)
    ]
