"""Labels of two people that coincide, as if one person were labelled twice.

In 60 videos with all their people labelled (Multi-Person PoseTrack) no pair of the 39,936 in one
frame is nearer to each other than 6.1 % of the person's size, joint by joint and on average.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stdpose_mm.structures import PersonLabel, pose_extent
from stdpose_mm.text import listed, ranges

MAX_DISTANCE = 0.05
"""Largest mean distance of joints, as a share of the person's size, for labels of one person."""

MIN_JOINTS = 4
"""Minimum number of joints that both people must have."""

MAX_NAMED = 5
"""Maximum number of pairs that are named; the others are counted."""


@dataclass(frozen=True)
class DoubledLabels:
    """Hold two people whose labels coincide.

    Args:
        track_ids: Track ids of the two people.
        frames: Frames in which their labels coincide, ascending.
    """

    track_ids: tuple[int, int]
    frames: tuple[int, ...]


def find_doubled_labels(tracks: Mapping[int, Mapping[int, PersonLabel]]) -> list[DoubledLabels]:
    """Find people whose labels coincide, by their track ids.

    Args:
        tracks: Track id -> {frame index: given label}.
    """
    here: dict[int, list[tuple[int, PersonLabel]]] = {}
    for track_id in sorted(tracks):
        for frame, label in tracks[track_id].items():
            here.setdefault(frame, []).append((track_id, label))
    frames_of: dict[tuple[int, int], list[int]] = {}
    for frame in sorted(here):
        ids = [track_id for track_id, _ in here[frame]]
        for one, other in _find_pairs([label for _, label in here[frame]]):
            frames_of.setdefault((ids[one], ids[other]), []).append(frame)
    return [DoubledLabels(pair, tuple(frames_of[pair])) for pair in sorted(frames_of)]


def word_doubled(found: Sequence[DoubledLabels], who: str) -> list[str]:
    """Say in a sentence which people seem to be labelled twice; return [] without any.

    Args:
        found: The result of :func:`find_doubled_labels`.
        who: Name of the subjects' category.
    """
    if not found:
        return []
    pairs = [
        f'{who} {one.track_ids[0]} and {who} {one.track_ids[1]} in '
        f'frame{"s" if len(one.frames) > 1 else ""} {ranges(one.frames)}'
        for one in found
    ]
    return [
        f'{listed(pairs, MAX_NAMED)} lie on each other, as if one {who} were labelled twice: if '
        'so, remove one of the two labels, or each becomes a track of its own'
    ]


def _find_pairs(labels: Sequence[PersonLabel]) -> list[tuple[int, int]]:
    """Find the pairs of labels in one frame that coincide, as positions in the list."""
    if len(labels) < 2:
        return []
    places = np.stack([label.keypoints for label in labels])
    placed = np.stack([label.given & label.labelled for label in labels])
    sizes = pose_extent(places, placed)[:, 2:].max(axis=1)
    # [one, other, joint]
    common = placed[:, None] & placed[None]
    distances = np.linalg.norm(places[:, None] - places[None], axis=-1)
    number = common.sum(axis=-1)
    means = np.where(common, distances, 0.0).sum(axis=-1) / np.maximum(number, 1)
    near = means <= MAX_DISTANCE * np.maximum(sizes[:, None], sizes[None])
    return [(int(a), int(b)) for a, b in np.argwhere(np.triu(near & (number >= MIN_JOINTS), 1))]
