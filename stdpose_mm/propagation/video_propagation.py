"""From sparse labels of a video to a pose for every person in every frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import replace

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels
from stdpose_mm.tracking import assign_track_ids, interpolate_box, person_box

from .base import BasePropagator, Frames, PropagatedPose
from .cached_frames import CachedFrames
from .gaps import Gap, find_gaps

Tracks = Mapping[int, Mapping[int, PersonLabel]]
"""Track id -> {frame index: given label}."""

GapCache = MutableMapping[tuple[object, ...], list[PropagatedPose]]
"""Fingerprint of a gap -> its poses, so that a correction redoes only the gaps it touches."""

Boxes = Mapping[tuple[int, int], np.ndarray]
"""(track id, frame index) -> [4] person box."""


def propagate_labels(
    frames: Frames,
    labels: VideoLabels,
    propagator: BasePropagator,
    boxes: Boxes | None = None,
) -> VideoLabels:
    """Propagate sparse labels through a whole video.

    Args:
        frames: The video's pictures.
        labels: The given labels; people without track ids are associated first, labels whose
            ``source`` is 'propagated' are left out.
        propagator: How to fill the gaps.
        boxes: Person boxes that replace the interpolated ones in unlabelled frames.

    Returns:
        Labels of every person in every frame, ordered by frame and track: the given ones
        unchanged (scores and boxes filled in where they had none), all others with ``source``
        'propagated'. All frames of the video are listed.

    Raises:
        InputError: If there are no labels, one lies beyond the video, or the propagator does not
            know a labelled joint.
    """
    labels = given_labels(labels)
    persons: list[PersonLabel] = []
    for _, people in propagate_frames(
        frames, labels.tracks(), labels.skeleton, propagator, boxes=boxes
    ):
        persons.extend(people)
    return dense_labels(labels, persons, len(frames))


def given_labels(labels: VideoLabels) -> VideoLabels:
    """The labels that count as given, all with track ids."""
    given = labels.with_persons([p for p in labels.persons if p.source == 'given'])
    return assign_track_ids(given)


def dense_labels(labels: VideoLabels, persons: list[PersonLabel], num_frames: int) -> VideoLabels:
    """``labels`` with all frames of the video listed and ``persons`` as its people."""
    known = {frame.index: frame for frame in labels.frames}
    frames = tuple(known.get(index) or VideoFrame(index) for index in range(num_frames))
    return replace(labels, frames=frames, persons=tuple(persons))


def propagate_frames(
    frames: Frames,
    tracks: Tracks,
    skeleton: Skeleton,
    propagator: BasePropagator,
    cache: GapCache | None = None,
    boxes: Boxes | None = None,
) -> Iterator[tuple[int, list[PersonLabel]]]:
    """The people of every frame, ordered by frame, as soon as they are known.

    Args:
        frames: The video's pictures.
        tracks: The given labels.
        skeleton: Their joints.
        propagator: How to fill the gaps.
        cache: Results of earlier runs with this propagator and video; updated on the way.
        boxes: Person boxes that replace the interpolated ones in unlabelled frames.

    Yields:
        (frame index, people sorted by track id), from frame 0 to the last. A track whose labels
        have neither a joint nor a box appears where it is given only: nothing is known of it.

    Raises:
        InputError: See :func:`propagate_labels`.
    """
    cache = {} if cache is None else cache
    num_frames = len(frames)
    _check(tracks, num_frames)
    gaps: list[Gap] = []
    people: dict[int, dict[int, PersonLabel]] = {index: {} for index in range(num_frames)}
    for track_id, labels in sorted(tracks.items()):
        for frame_index, label in labels.items():
            people[frame_index][track_id] = _completed(label, track_id)
        gaps.extend(_gaps_of_track(track_id, labels, num_frames, boxes or {}))

    keys = {id(gap): gap.fingerprint(propagator.reads_second_labels) for gap in gaps}
    for stale in set(cache) - set(keys.values()):
        del cache[stale]
    gap_of = {(gap.track_id, frame_index): gap for gap in gaps for frame_index in gap.frames}
    missing = [0] * num_frames
    for _, frame_index in gap_of:
        missing[frame_index] += 1
    todo: list[Gap] = []
    for gap in gaps:
        if keys[id(gap)] not in cache:
            todo.append(gap)
            continue
        for pose in cache[keys[id(gap)]]:
            people[pose.frame_index][pose.track_id] = _person(pose, gap)
            missing[pose.frame_index] -= 1

    done: dict[int, list[PropagatedPose]] = {id(gap): [] for gap in todo}
    todo.sort(key=lambda gap: (gap.first, gap.last, gap.track_id))
    next_frame = 0
    for pose in propagator.propagate(CachedFrames(frames), todo, skeleton):
        gap = gap_of[pose.track_id, pose.frame_index]
        people[pose.frame_index][pose.track_id] = _person(pose, gap)
        missing[pose.frame_index] -= 1
        done[id(gap)].append(pose)
        if len(done[id(gap)]) == len(gap.frames):
            cache[keys[id(gap)]] = done.pop(id(gap))
        while next_frame < num_frames and missing[next_frame] == 0:
            yield next_frame, _sorted_people(people.pop(next_frame))
            next_frame += 1
    for frame_index in range(next_frame, num_frames):
        if missing[frame_index]:
            raise RuntimeError(
                f'{type(propagator).__name__} left out {missing[frame_index]} people of '
                f'frame {frame_index}'
            )
        yield frame_index, _sorted_people(people.pop(frame_index))


def _check(tracks: Tracks, num_frames: int) -> None:
    labelled = [frame_index for labels in tracks.values() for frame_index in labels]
    if not labelled:
        raise InputError('there are no given labels to propagate, label a person in one frame')
    if max(labelled) >= num_frames:
        raise InputError(
            f'a label is on frame {max(labelled)}, but the video has {num_frames} frames '
            f'(0..{num_frames - 1}), give the labels of this video'
        )


def _gaps_of_track(
    track_id: int, labels: Mapping[int, PersonLabel], num_frames: int, boxes: Boxes
) -> list[Gap]:
    boxed = [frame for frame, label in sorted(labels.items()) if _has_place(label)]
    if not boxed:
        return []
    known = np.stack([person_box(labels[frame]) for frame in boxed])
    box_of = {
        frame: boxes.get((track_id, frame), interpolate_box(boxed, known, frame))
        for frame in range(num_frames)
        if frame not in labels
    }
    return find_gaps(track_id, labels, box_of, num_frames)


def _has_place(label: PersonLabel) -> bool:
    return bool(label.labelled.any()) or (
        label.bbox is not None and bool((label.bbox[2:] > 0).all())
    )


def _completed(label: PersonLabel, track_id: int) -> PersonLabel:
    """A given label with scores (1 where labelled) and a box, for output."""
    scores = label.labelled.astype(np.float64) if label.scores is None else label.scores
    bbox = person_box(label) if label.bbox is None and _has_place(label) else label.bbox
    return replace(label, track_id=track_id, scores=scores, bbox=bbox, source='given')


def _person(pose: PropagatedPose, gap: Gap) -> PersonLabel:
    return PersonLabel(
        frame_index=pose.frame_index,
        keypoints=pose.keypoints,
        visibility=pose.visibility,
        track_id=pose.track_id,
        scores=pose.scores,
        bbox=gap.bbox_of(pose.frame_index),
        source='propagated',
    )


def _sorted_people(people: Mapping[int, PersonLabel]) -> list[PersonLabel]:
    return [people[track_id] for track_id in sorted(people)]
