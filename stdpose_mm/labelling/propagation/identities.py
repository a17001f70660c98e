"""Moving labels and boxes from one person of a video to another."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TypeVar

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.structures import TRACK_NAME, PersonLabel, unused_track_ids

from .track_plans import Boxes

_Value = TypeVar('_Value')

MutableTracks = dict[int, dict[int, PersonLabel]]
"""Person id -> {frame index: given label}."""


def absent_label(frame_idx: int, person_id: int, num_keypoints: int) -> PersonLabel:
    """Make a label that marks a person as absent from a frame on."""
    return PersonLabel(frame_idx, np.zeros((num_keypoints, 2)), np.zeros(num_keypoints), person_id)


def swap_tracks(
    tracks: MutableTracks, boxes: Boxes, frame_idx: int, first_id: int, second_id: int
) -> Boxes:
    """Swap the labels and boxes of two people from a frame on.

    Args:
        tracks: The labels, which are changed. If only one of the two is present before the frame,
            the other one is marked absent in the frame unless it is labelled there.
        boxes: Person id -> {frame index: box}.
        frame_idx: The first frame in which they are swapped.
        first_id: A person with labels.
        second_id: Another person with labels.

    Returns:
        The boxes of these two people after the swap.
    """
    people = {person_id: tracks[person_id] for person_id in (first_id, second_id)}
    is_gone = {person_id: _is_gone(track, frame_idx) for person_id, track in people.items()}
    names = {person_id: _track_name(track) for person_id, track in people.items()}
    for person_id, source in ((first_id, second_id), (second_id, first_id)):
        earlier, _ = _split_at(people[person_id], frame_idx)
        _, later = _split_at(people[source], frame_idx)
        taken = {n: _of_person(p, person_id, names[person_id]) for n, p in later.items()}
        if earlier and is_gone[source] and not is_gone[person_id] and frame_idx not in taken:
            taken[frame_idx] = absent_label(frame_idx, person_id, _num_keypoints(earlier))
        tracks[person_id] = earlier | taken
        if not tracks[person_id]:
            del tracks[person_id]
    first_boxes, first_moved = _split_at(boxes.get(first_id, {}), frame_idx)
    second_boxes, second_moved = _split_at(boxes.get(second_id, {}), frame_idx)
    return {first_id: first_boxes | second_moved, second_id: second_boxes | first_moved}


def split_track(
    tracks: MutableTracks, boxes: Boxes, frame_idx: int, person_id: int
) -> tuple[int, Boxes]:
    """Move the labels and boxes of a person from a frame on to a new person.

    Args:
        tracks: The labels, which are changed: the earlier person is marked absent in the frame, the
            new one absent before its first label.
        boxes: Person id -> {frame index: box}.
        frame_idx: The first frame of the new person.
        person_id: The person to split.

    Returns:
        The id of the new person, and the boxes of both.

    Raises:
        InputError: If there are not labels on both sides of the frame.
    """
    earlier, moved = _split_at(tracks[person_id], frame_idx)
    for labels, where in ((earlier, 'before'), (moved, 'from')):
        if not any(label.is_located for label in labels.values()):
            raise InputError(
                f'person {person_id} has no label {where} frame {frame_idx}'
                f'{" on" if where == "from" else ""}, label it there first'
            )
    # Boxes of a removed person may still exist.
    new_id = next(unused_track_ids({*tracks, *boxes}))
    count = _num_keypoints(earlier)
    earlier[frame_idx] = absent_label(frame_idx, person_id, count)
    tracks[person_id] = earlier
    tracks[new_id] = {n: _of_person(p, new_id, '') for n, p in moved.items()}
    if min(moved) > 0:
        tracks[new_id][0] = absent_label(0, new_id, count)
    before, after = _split_at(boxes.get(person_id, {}), frame_idx)
    return new_id, {person_id: before, new_id: after}


def merge_tracks(tracks: MutableTracks, boxes: Boxes, person_id: int, into: int) -> Boxes:
    """Move the labels and boxes of a person to another one.

    Args:
        tracks: The labels, which are changed. A label of one person replaces a mark of absence of
            the other.
        boxes: Person id -> {frame index: box}. Of two boxes in a frame, the box of the person who
            is present there is kept or, if both are, the box of the one whose nearest label is
            nearer.
        person_id: The person that ends.
        into: The person that stays.

    Returns:
        The boxes of these two people after the merge.

    Raises:
        InputError: If both have a position in the same frame.
    """
    ending, staying = tracks[person_id], tracks[into]
    both = [n for n in ending if n in staying and ending[n].is_located and staying[n].is_located]
    if both:
        raise InputError(
            f'persons {person_id} and {into} are both labelled in frame {min(both)}, remove '
            'one of the two labels first'
        )
    first = {
        person: min((n for n, p in track.items() if not p.is_absent), default=-1)
        for person, track in ((person_id, ending), (into, staying))
    }
    name = _track_name(staying) or _track_name(ending)
    merged: dict[int, PersonLabel] = {}
    for person, other, track in ((person_id, into, ending), (into, person_id, staying)):
        for frame_idx, label in track.items():
            # A mark of absence before a person's first label says nothing about the other person.
            is_before = label.is_absent and first[other] <= frame_idx < first[person]
            if not is_before and (frame_idx not in merged or merged[frame_idx].is_absent):
                merged[frame_idx] = _of_person(label, into, name)
    del tracks[person_id]
    tracks[into] = merged
    merged_boxes = _merge_boxes((staying, boxes.get(into, {})), (ending, boxes.get(person_id, {})))
    return {person_id: {}, into: merged_boxes}


def _num_keypoints(track: Mapping[int, PersonLabel]) -> int:
    return len(next(iter(track.values())).visibility)


def _track_name(track: Mapping[int, PersonLabel]) -> str:
    """Return the name of a person in the label file; '' for none."""
    return next((name for p in track.values() if (name := p.extra.get(TRACK_NAME))), '')


def _of_person(label: PersonLabel, person_id: int, name: str) -> PersonLabel:
    """Reassign a label to this person, whose name may be ''."""
    if label.track_id == person_id:
        return label
    extra = {key: value for key, value in label.extra.items() if key != TRACK_NAME}
    if name:
        extra[TRACK_NAME] = name
    return dataclasses.replace(label, track_id=person_id, extra=extra)


def _split_at(
    values: Mapping[int, _Value], frame_idx: int
) -> tuple[dict[int, _Value], dict[int, _Value]]:
    """Split values by frame index into those before a frame and those from it on."""
    before = {n: value for n, value in values.items() if n < frame_idx}
    return before, {n: value for n, value in values.items() if n >= frame_idx}


def _merge_boxes(
    *people: tuple[Mapping[int, PersonLabel], Mapping[int, np.ndarray]],
) -> dict[int, np.ndarray]:
    """Merge the boxes of people, given by labels and boxes; the first takes precedence."""

    def remoteness(track: Mapping[int, PersonLabel], frame_idx: int) -> tuple[bool, float]:
        distances = (abs(n - frame_idx) for n, label in track.items() if label.is_located)
        return _is_gone(track, frame_idx + 1), min(distances, default=np.inf)

    merged = {}
    for frame_idx in sorted({n for _, boxes in people for n in boxes}):
        _, nearest = min(
            (person for person in people if frame_idx in person[1]),
            key=lambda person: remoteness(person[0], frame_idx),
        )
        merged[frame_idx] = nearest[frame_idx]
    return merged


def _is_gone(track: Mapping[int, PersonLabel], frame_idx: int) -> bool:
    """Return whether the last label before a frame marks the person as absent."""
    before = [n for n in track if n < frame_idx]
    return bool(before) and track[max(before)].is_absent
