"""Labels in which left and right, or two people, seem to be exchanged.

A label is compared with the straight line between the labels before and after it. In 281 videos
with labels in every 3rd, 7th or 15th frame (JHMDB, Multi-Person PoseTrack) one of 9,278 poses, and
none of 16,546 pairs of people, fits twice as well when exchanged. Of sides exchanged on purpose,
96 % are found with labels in every 3rd frame and 60 % in every 15th; of people, 98 %.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stdpose_mm.structures import PersonLabel, Skeleton
from stdpose_mm.text import listed

MAX_RATIO = 0.5
"""Largest ratio of the distance after an exchange to that before it that counts as exchanged."""

MIN_JOINTS = 4
"""Minimum number of joints that must be comparable."""

MAX_NAMED = 5
"""Maximum number of labels that are named; the others are counted."""

Tracks = Mapping[int, Mapping[int, PersonLabel]]


@dataclass(frozen=True)
class ExchangedLabels:
    """Hold labels of one frame that fit their neighbours better when exchanged.

    Args:
        frame_index: The frame.
        track_ids: The person with exchanged sides, or the two exchanged people.
    """

    frame_index: int
    track_ids: tuple[int] | tuple[int, int]


@dataclass(frozen=True)
class _Between:
    """Hold a label, and its expected place [K, 2], known [K] bool, on the line between others."""

    label: PersonLabel
    expected: np.ndarray
    known: np.ndarray

    def side_distances(self, mirrored: np.ndarray) -> tuple[float, float]:
        """Measure how far paired joints are from the line, as labelled and with exchanged sides.

        Returns:
            Sums in pixels over the same joints; 0 if there are too few joints.
        """
        placed = _placed(self.label)
        is_paired = mirrored != np.arange(len(mirrored))
        counted = self.known & placed & placed[mirrored] & is_paired
        if counted.sum() < MIN_JOINTS:
            return 0.0, 0.0
        places = self.label.keypoints
        as_labelled, exchanged = (
            float(np.linalg.norm(one[counted] - self.expected[counted], axis=1).sum())
            for one in (places, places[mirrored])
        )
        return as_labelled, exchanged


def find_exchanged_labels(tracks: Tracks, skeleton: Skeleton) -> list[ExchangedLabels]:
    """Find labels in which left and right, or two people, seem to be exchanged, by frame.

    Args:
        tracks: Track id -> {frame index: given label}.
        skeleton: The joints.
    """
    between = {track_id: _between(labels) for track_id, labels in tracks.items()}
    found = [
        ExchangedLabels(frame, (track_id,))
        for track_id, places in between.items()
        for frame in _exchanged_sides(places, skeleton)
    ]
    for frame in sorted({frame for places in between.values() for frame in places}):
        here = {track_id: places[frame] for track_id, places in between.items() if frame in places}
        found += [ExchangedLabels(frame, pair) for pair in _exchanged_people(here)]
    return sorted(found, key=lambda one: (one.frame_index, len(one.track_ids), one.track_ids))


def word_exchanged(found: Sequence[ExchangedLabels], who: str) -> list[str]:
    """Say which sides and which people to look at, in one sentence each.

    Args:
        found: The result of :func:`find_exchanged_labels`.
        who: Name of the subjects' category.
    """
    sides = [
        f'{who} {one.track_ids[0]} in frame {one.frame_index}'
        for one in found
        if len(one.track_ids) == 1
    ]
    people = [
        f'{who} {one.track_ids[0]} and {who} {one.track_ids[1]} in frame {one.frame_index}'
        for one in found
        if len(one.track_ids) == 2
    ]
    told = 'by the labels before and after: look at them before you go on'
    notes = []
    if sides:
        notes.append(f'left and right of {listed(sides, MAX_NAMED)} seem to be exchanged, {told}')
    if people:
        notes.append(f'{listed(people, MAX_NAMED)} seem to be exchanged, {told}')
    return notes


def _between(labels: Mapping[int, PersonLabel]) -> dict[int, _Between]:
    """Find the expected place of each label that has neighbours on both sides."""
    frames = sorted(labels)
    places = {}
    for before, frame, after in zip(frames, frames[1:], frames[2:], strict=False):
        share = (frame - before) / (after - before)
        first, last = labels[before], labels[after]
        expected = (1 - share) * first.keypoints + share * last.keypoints
        places[frame] = _Between(labels[frame], expected, _placed(first) & _placed(last))
    return places


def _exchanged_sides(places: Mapping[int, _Between], skeleton: Skeleton) -> list[int]:
    mirrored = np.array(skeleton.flip_indices)
    ratios = {}
    for frame, place in places.items():
        as_labelled, exchanged = place.side_distances(mirrored)
        if exchanged < MAX_RATIO * as_labelled:
            ratios[frame] = exchanged / as_labelled
    # Next to an exchanged label the line itself is wrong.
    order = sorted(places)
    return [
        frame
        for number, frame in enumerate(order)
        if frame in ratios
        and all(
            ratios[frame] <= ratios.get(other, np.inf)
            for other in order[max(number - 1, 0) : number + 2]
        )
    ]


def _exchanged_people(here: Mapping[int, _Between]) -> list[tuple[int, int]]:
    """Find pairs of people in a frame who fit each other's lines better than their own."""
    if len(here) < 2:
        return []
    ids = sorted(here)
    places = np.stack([here[one].label.keypoints for one in ids])
    given = np.stack([_placed(here[one].label) for one in ids])
    expected = np.stack([here[one].expected for one in ids])
    known = np.stack([here[one].known for one in ids])
    # [label, line, joint]
    counted = given[:, None] & known[None]
    distances = np.linalg.norm(places[:, None] - expected[None], axis=-1)
    number = counted.sum(axis=-1)
    sums = np.where(counted, distances, 0.0).sum(axis=-1)
    means = np.where(number >= MIN_JOINTS, sums / np.maximum(number, 1), np.nan)
    own = np.diag(means)
    exchanged = means + means.T < MAX_RATIO * (own[:, None] + own[None])
    return [(ids[a], ids[b]) for a, b in np.argwhere(np.triu(exchanged, 1))]


def _placed(label: PersonLabel) -> np.ndarray:
    """Tell which joints the label gives a place, [K] bool."""
    placed: np.ndarray = label.given & label.labelled
    return placed
