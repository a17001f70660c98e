"""Joints and skeletons in files: which names mean one joint, and which category is read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from stdpose_mm.errors import InputError, note
from stdpose_mm.io import PathLike
from stdpose_mm.structures import Skeleton
from stdpose_mm.text import counted, listed

from .fields import errors_of, quote

V = TypeVar('V')

_AUTOMATIC = re.compile('skeleton(-[0-9]+)?', re.IGNORECASE)
"""Names of skeletons that nobody has named."""

FURTHER_JOINTS = 'the joints of further parts'

Limbs = tuple[tuple[int, int], ...]


def _key(name: str) -> str:
    """Reduce a name to what is compared: without case, blanks and punctuation; 1_11 is not 11_1."""
    letters = re.sub(r'[\W_]+', '', name).casefold() or name
    return ' '.join([letters, *re.findall('[0-9]+', name)])


def unify_joint_names(path: PathLike, poses: Iterable[Collection[str]]) -> dict[str, str]:
    """Map every name of a joint to the spelling that occurs first, with a note of other spellings.

    Names that are equal except for case, blanks and punctuation are one joint, unless they occur in
    one pose.

    Args:
        path: The file, for the note.
        poses: Names of the joints in each pose.
    """
    spellings: dict[str, dict[str, None]] = {}
    distinct: set[str] = set()
    for names in poses:
        keys = Counter(map(_key, names))
        distinct.update(key for key, count in keys.items() if count > 1)
        for name in names:
            spellings.setdefault(_key(name), {})[name] = None
    several = {
        k: [*names] for k, names in spellings.items() if len(names) > 1 and k not in distinct
    }
    if several:
        texts = [' and '.join(map(quote, names)) for names in several.values()]
        note(f'{path}: names that differ in spelling are read as one joint: {listed(texts, 5)}')
    return {
        name: several[key][0] if key in several else name
        for key, names in spellings.items()
        for name in names
    }


def joint_order(names: Sequence[str], reference: Sequence[str]) -> list[int] | None:
    """Find the position of every joint of ``reference`` in ``names``; None for other joints."""
    if len(names) != len(reference):
        return None
    for key in (str, _key):
        positions = {key(name): i for i, name in enumerate(names)}
        if len(positions) == len(names) and all(key(name) in positions for name in reference):
            return [positions[key(name)] for name in reference]
    return None


def possible_limbs(where: str, limbs: Iterable[Sequence[float]], num_joints: int) -> Limbs:
    """Leave out limbs whose ends are not both joints, with a note: limbs are only drawn."""
    pairs = [tuple(map(int, limb)) for limb in limbs]
    possible = tuple((a, b) for a, b in pairs if 0 <= a < num_joints and 0 <= b < num_joints)
    if len(possible) < len(pairs):
        left_out = len(pairs) - len(possible)
        note(f'{where}: left out {left_out} of {len(pairs)} limbs, which name no joint')
    return possible


def choose_categories(
    path: PathLike, joints_of: Mapping[str, Sequence[str]], category: str | None
) -> list[str]:
    """Choose the categories of a file whose labels are read.

    Categories with the same joints, in any order, are read together: their people are never one
    person.

    Args:
        path: The file, for messages.
        joints_of: Category that has labels -> names of its joints.
        category: The category that the user wants; None for all of them.

    Raises:
        InputError: If the file has no such category or, without ``category``, categories with
            different joints.
    """
    names = [*joints_of]
    what = listed([*map(quote, names)], 5)
    if category is not None:
        if category not in joints_of:
            raise InputError(f'{path} has no labels of the category {category!r}, only of {what}')
        return [category]
    if any(joint_order(joints_of[name], joints_of[names[0]]) is None for name in names[1:]):
        raise InputError(
            f'{path} has labels of several categories with different joints ({what}), give the '
            'category to read (--labels-category, category in Python)'
        )
    return names


def classes_of(categories: Sequence[str]) -> dict[str, str]:
    """Map the categories that are read together to the classes of their people.

    The class is '' if nobody has named the categories, as in merged projects of SLEAP, or if there
    is only one.
    """
    tells = len(categories) > 1 and not any(map(_AUTOMATIC.fullmatch, categories))
    return {name: name if tells else '' for name in categories}


def join_people(
    path: PathLike,
    pictures: Sequence[dict[Any, dict[str, V]]],
    names: Iterable[str],
    boxes: Collection[str],
) -> tuple[dict[str, str], Skeleton]:
    """Settle whose points are whose, and which names are one joint, where names were typed.

    Args:
        path: The file or folder, for notes.
        pictures: See :func:`join_ungrouped`.
        names: Names of all points in the order of the file, at least one.
        boxes: Labels of the boxes of people; the category of the skeleton if all are one.

    Returns:
        Name -> its joint, see :func:`unify_joint_names`; and the joints in the order of the names.

    Raises:
        InputError: If a name is empty.
    """
    note_numbered_people(path, [name for groups in pictures for name in groups.get(None, {})])
    join_ungrouped(path, pictures)
    joint_of = unify_joint_names(path, [points for of in pictures for points in of.values()])
    joints = dict.fromkeys(joint_of[name] for name in names)
    (category,) = boxes if len(boxes) == 1 else ('person',)
    with errors_of(path):
        return joint_of, Skeleton((*joints,), category=category)


def join_ungrouped(path: PathLike, pictures: Iterable[dict[Any, dict[str, V]]]) -> None:
    """Join the points without a group to the one group of their picture that lacks them all.

    Where no group or several lack them, they stay a person of their own, with a note.

    Args:
        path: The file or folder, for the note.
        pictures: For every picture, group (None for none) -> joint -> its point; changed in place.
    """
    left = 0
    for groups in pictures:
        points = groups.get(None, {})
        lacking = [
            group for key, group in groups.items() if key is not None and not points.keys() & group
        ]
        if points and len(lacking) == 1:
            lacking[0].update(groups.pop(None))
        elif points and len(groups) > 1:
            left += len(points)
    if left:
        note(
            f'{path}: {counted(left, "point")} without a group beside people with one are read as '
            'another person, give them the group of their person'
        )


def note_numbered_people(path: PathLike, names: Iterable[str]) -> None:
    """Note joints without a person whose names differ in a number, as ``nose_1`` and ``nose_2``.

    A number may be that of a person if several joints have the same numbers.
    """
    numbers: dict[str, set[str]] = {}
    for name in names:
        for match in re.finditer('[0-9]+', name):
            form = f'{name[: match.start()]}#{name[match.end() :]}'
            numbers.setdefault(form, set()).add(match[0])
    counts = Counter(frozenset(of) for of in numbers.values() if len(of) > 1)
    forms = [form for form, of in numbers.items() if counts[frozenset(of)] > 1]
    if forms:
        note(
            f'{path}: labels that differ in a number ({listed([*map(quote, forms)], 5)}) are read '
            'as different joints of one person; if they are of several people, group their points'
        )


def note_unread(path: PathLike, what: str, names: Iterable[str]) -> None:
    """Note what a file holds besides the joints that are read, such as those of hands.

    Args:
        path: The file or folder.
        what: What is not read.
        names: Its fields or kinds, each as often as it occurs.
    """
    counts = [f'{name} ({number})' for name, number in sorted(Counter(names).items())]
    if counts:
        note(f'{path}: {what} are not read: {listed(counts, 5)}')
