"""Poses in files: which joints have coordinates, and which entries hold a person.

Formats mark a joint that was not found or not labelled by a placeholder: (0, 0), a score of 0, an
empty cell. The rules that tell coordinates from placeholders are in this module.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, TypeVar

import numpy as np

from stdpose_mm.errors import InputError, note
from stdpose_mm.io import PathLike
from stdpose_mm.io.limits import MAX_COORDINATE
from stdpose_mm.structures import (
    NOT_LABELLED,
    OCCLUDED,
    VISIBLE,
    PersonLabel,
    Skeleton,
    VideoFrame,
    VideoLabels,
)
from stdpose_mm.text import counted, listed

from .fields import errors_of
from .identities import number_identities, number_tracks

T = TypeVar('T')

Person = dict[str, Any]
"""Fields of a :class:`PersonLabel` except ``frame_index``, which is not known yet. In place of
``track_id`` there may be ``identity``, as :meth:`Record.identity` reads it, and ``class_name``, see
:func:`number_identities`."""


def estimated_person(keypoints: np.ndarray, scores: np.ndarray | None, **fields: Any) -> Person:
    """Make a person from the estimates of a network; all joints are 'propagated'.

    Args:
        keypoints: [K, 2] pixels, NaN or zeros for joints that were not found.
        scores: [K]; None if unknown.
        fields: Further fields, such as ``visibility`` [K] if the file has it.
    """
    visibility = np.full(len(keypoints), VISIBLE)
    is_lacking = np.isnan(keypoints).any(axis=1, keepdims=True)
    scores = None if scores is None else np.nan_to_num(scores)
    keypoints = np.where(is_lacking, 0.0, keypoints)
    person = {'keypoints': keypoints, 'visibility': visibility, 'scores': scores}
    return {**person, 'source': 'propagated', **fields}


def person_of_joints(
    skeleton: Skeleton, joints: Mapping[str, tuple[float, float, int]], **fields: Any
) -> Person:
    """Make a person from its labelled joints: name -> (x, y, visibility)."""
    keypoints = np.zeros((skeleton.num_keypoints, 2))
    visibility = np.full(skeleton.num_keypoints, NOT_LABELLED)
    for name, (x, y, flag) in joints.items():
        joint = skeleton.index_of(name)
        keypoints[joint], visibility[joint] = (x, y), flag
    return {'keypoints': keypoints, 'visibility': visibility, **fields}


def holds_a_joint(person: Person) -> bool:
    """Tell whether any joint is labelled."""
    return bool((person['visibility'] != NOT_LABELLED).any())


def located_people(path: PathLike, groups: Iterable[Sequence[Person]]) -> list[list[Person]]:
    """Unlabel estimated joints that were not found; leave out people with no joint and no box.

    The identities that the file states are numbered.
    """
    located = leave_out_empty(path, ([*map(_only_found, group)] for group in groups), _holds_place)
    people = [person for group in located for person in group if 'identity' in person]
    classes = [person.pop('class_name', '') for person in people]
    identities = number_identities(path, [person.pop('identity') for person in people], classes)
    for person, identity in zip(people, identities, strict=True):
        person['track_id'] = identity.track_id
        person['extra'] = {**person.get('extra', {}), **identity.extra}
    return located


def _only_found(person: Person) -> Person:
    """Unlabel the joints for which a network wrote a placeholder because it did not find them.

    Placeholders are (0, 0) with any score (OpenPose, YOLO), (-1, -1) (DeepLabCut), and any
    coordinates with a score below 0 (MMPose, for an empty heatmap).
    """
    if person.get('source') != 'propagated' or person.get('scores') is None:
        # Propagated labels of this package may also be in formats without scores.
        return person
    missed = is_placeholder(person['keypoints']) | (np.asarray(person['scores']) < 0)
    return {**person, 'visibility': np.where(missed, NOT_LABELLED, person['visibility'])}


def completed_scores(scores: np.ndarray, estimated: np.ndarray) -> np.ndarray | None:
    """Give joints without a score the score 1; return None if no estimated joint has a score.

    Args:
        scores: [K], NaN where unknown.
        estimated: [K] bool: the labelled joints that are not corrected.
    """
    is_scored = np.isfinite(scores)
    if estimated.any() and not is_scored[estimated].any():
        return None
    return np.where(is_scored, scores, 1.0)


def people_of_tracks(
    path: PathLike,
    names: Sequence[str],
    xy: np.ndarray,
    scores: np.ndarray,
    given: np.ndarray | None = None,
) -> list[list[Person]]:
    """Make the people of each of F frames from arrays of N tracks.

    Args:
        path: The file, for messages.
        names: Names of the tracks, see :func:`number_tracks`.
        xy: [F, N, K, 2] pixels, NaN for joints without a place.
        scores: [F, N, K], NaN where unknown.
        given: [F, N, K] bool: joints that a person placed; None if all are estimates.
    """
    labelled = ~np.isnan(xy).any(axis=3)
    places = [{*frames.nonzero()[0].tolist()} for frames in labelled.any(axis=2).T]
    identities = number_tracks(path, [*zip(names, places, strict=True)])
    people: list[list[Person]] = [[] for _ in xy]
    for i, track in np.argwhere(labelled.any(axis=2)).tolist():
        joints, identity = labelled[i, track], identities[track]
        by_hand = np.zeros_like(joints) if given is None else given[i, track]
        fields: Person = {'track_id': identity.track_id, 'extra': identity.extra}
        if by_hand.any():
            sources = np.where(by_hand, 'given', np.where(joints, 'propagated', 'absent'))
            fields |= {'source': 'given', 'keypoint_sources': sources}
        person_scores = completed_scores(scores[i, track], joints & ~by_hand)
        if person_scores is not None and given is not None:
            person_scores = None if (by_hand | ~joints).all() else person_scores * joints
        people[i].append(
            estimated_person(xy[i, track], person_scores, visibility=VISIBLE * joints, **fields)
        )
    return people


def is_placeholder(points: np.ndarray) -> np.ndarray:
    """Tell which of K points [K, 2] are the (0, 0) or (-1, -1) of a joint without a place, [K]."""
    return np.asarray(points == 0).all(axis=1) | np.asarray(points == -1).all(axis=1)


def _holds_place(person: Person) -> bool:
    """Tell whether there is a labelled joint or a box of non-zero size."""
    box = person.get('bbox')
    return holds_a_joint(person) or (box is not None and bool((np.asarray(box)[2:] > 0).all()))


def leave_out_empty(
    path: PathLike, groups: Iterable[Sequence[T]], holds: Callable[[T], bool]
) -> list[list[T]]:
    """Leave out the entries of each group that hold nothing or repeat another one, with notes.

    Tools write empty entries for objects that are not labelled yet or were not found.
    """
    before = list(groups)
    after = [list(filter(holds, group)) for group in before]
    empty = sum(map(len, before)) - sum(map(len, after))
    if empty:
        note(f'{path}: left out {counted(empty, "entry")} with neither a joint nor a box')
    return without_repeated(path, 'entry', after)


def key_of(item: Any) -> Hashable:
    """Make a key that is equal for labels that state the same.

    The ``id`` of a label is left out: it only counts the labels.
    """
    if isinstance(item, PersonLabel):
        item = {field.name: getattr(item, field.name) for field in dataclasses.fields(item)}
    if isinstance(item, dict):
        return tuple((name, key_of(value)) for name, value in item.items() if name != 'id')
    if isinstance(item, tuple):
        return tuple(map(key_of, item))
    return item.tobytes() if isinstance(item, np.ndarray) else repr(item)


def without_repeated(
    path: PathLike, what: str, groups: Iterable[Sequence[T]], key: Callable[[T], Hashable] = key_of
) -> list[list[T]]:
    """Leave out the items of each group that repeat another one, with a note that counts them.

    Args:
        path: The file, for the note.
        what: What an item is, in the singular, for the note.
        groups: Items of one picture or video.
        key: Makes a key that is equal for items that state the same.
    """
    before = list(groups)
    after = []
    for group in before:
        first: dict[bytes, T] = {}
        for item in group:
            # Keys take more memory than the labels.
            digest = hashlib.blake2b(repr(key(item)).encode(), digest_size=16).digest()
            first.setdefault(digest, item)
        after.append([*first.values()])
    repeated = sum(map(len, before)) - sum(map(len, after))
    if repeated:
        note(f'{path}: left out {counted(repeated, what)} repeating another one exactly')
    return after


def note_corner(path: PathLike, videos: Iterable[VideoLabels]) -> None:
    """Note how many joints were given at (0, 0), which is a position but also a placeholder."""
    names = [
        labels.skeleton.keypoint_names[joint]
        for labels in videos
        for person in labels.persons
        if person.is_given
        for joint in np.flatnonzero(person.labelled & ~person.keypoints.any(axis=1) & person.given)
    ]
    if names:
        what = f'{counted(len(names), "joint")} ({listed([*dict.fromkeys(names)], 5)})'
        note(
            f'{path}: {what} labelled at (0, 0), the corner of the picture; set v = 0 for joints '
            'that were not labelled'
        )


def refuse_fractions(path: PathLike, videos: Iterable[VideoLabels]) -> None:
    """Refuse joints that are fractions of a picture.

    Raises:
        InputError: If most coordinates of the file are within -1..1 and all within -2..2, since
            people may be partly outside, and at least three joints have no whole coordinate.
    """
    if any((abs(p.keypoints[p.labelled]) > 2).any() for labels in videos for p in labels.persons):
        return
    groups = [p.keypoints[p.labelled] for labels in videos for p in labels.persons]
    points = np.concatenate([np.empty((0, 2)), *groups])
    is_broken = (points != np.round(points)).all(axis=1)
    if is_broken.sum() >= 3 and np.median(np.abs(points)) <= 1:
        raise InputError(
            f'{path} has all joints within -2..2, as fractions of a picture have, expected pixels: '
            'multiply them by the width and height of the pictures'
        )


def without_placeholders(joints: np.ndarray) -> np.ndarray:
    """Make joints [..., 3] that hold a placeholder in place of x, y and v 0, 0, 0.

    Such a joint has a v of -1, or neither a place (x or y is NaN) nor a v above 0.
    """
    places, flags = joints[..., :2], joints[..., 2:]
    lacks_place = np.isnan(places).any(axis=-1, keepdims=True)
    return np.where((flags == -1) | (lacks_place & ~(flags > 0)), 0.0, joints)


def posetrack_visibility(joints: np.ndarray) -> np.ndarray:
    """Translate PoseTrack's v of joints [K, 3]: invisible joints with coordinates are occluded."""
    invisible = np.where((joints != 0).any(axis=1), OCCLUDED, NOT_LABELLED)
    return np.where(joints[:, 2] == 1, VISIBLE, invisible)


def video_of_frames(
    path: PathLike,
    name: str,
    skeleton: Skeleton,
    frames: Iterable[tuple[int, Sequence[Person]]],
    extra: dict[str, Any] | None = None,
) -> VideoLabels:
    """Make a video from pairs (frame index, people) in any order.

    Raises:
        InputError: If a frame occurs twice or labels contradict each other; it begins with
            ``path``.
    """
    (distinct,) = without_repeated(path, 'frame', [[(i, (*people,)) for i, people in frames]])
    ordered = sorted(distinct, key=lambda frame: frame[0])
    indices, groups = zip(*ordered, strict=True) if ordered else ((), ())
    located = zip(indices, located_people(path, groups), strict=True)
    with errors_of(path):
        persons = tuple(PersonLabel(i, **person) for i, people in located for person in people)
        return VideoLabels(name, skeleton, tuple(map(VideoFrame, indices)), persons, extra or {})


def joint_scores(person: PersonLabel) -> np.ndarray:
    """Return scores [K] for result files: 0 for unlabelled joints, 1 if the score is unknown."""
    scores = np.ones(len(person.visibility)) if person.scores is None else person.scores
    return np.where(person.labelled, scores, 0.0)


def require_readable(labels: VideoLabels) -> None:
    """Refuse labels with coordinates that the readers of this package would refuse.

    Labels from files are within the limit, but rescaled and propagated labels may exceed it.

    Raises:
        InputError: If a joint or a corner of a box or of an ignore region is beyond
            ``MAX_COORDINATE``.
    """
    regions = ((frame.index, r.points) for frame in labels.frames for r in frame.ignore_regions)
    people = ((p.frame_index, points) for p in labels.persons for points in _places(p))
    for frame_index, points in chain(regions, people):
        furthest = float(np.abs(points).max(initial=0))
        # Tolerates the rounding of x + width and y + height.
        if furthest > MAX_COORDINATE + 1e-6:
            raise InputError(
                f'labels on frame {frame_index} of {labels.name} have a coordinate of '
                f'{furthest:.6g}, expected at most 1e7: check the given labels and --labels-size'
            )


def _places(person: PersonLabel) -> Iterator[np.ndarray]:
    """Yield the points [N, 2] of a label: its joints and the corners of its boxes."""
    yield person.keypoints
    for box in (person.bbox, person.head_box):
        if box is not None:
            yield np.stack([box[:2], box[:2] + box[2:]])
