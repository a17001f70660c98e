"""From sparse labels of a video to a pose for every person in every frame."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, replace

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.io.video import CachedFrames, FrameSource
from stdpose_mm.structures import (
    FrameDetections,
    PersonLabel,
    Skeleton,
    TrackBoxes,
    VideoFrame,
    VideoLabels,
    person_box,
)
from stdpose_mm.tracking import assign_track_ids

from .base import BasePropagator, PropagatedPose
from .gaps import Gap, LifeSpan, PresenceInterval, find_gaps, find_presence_intervals

Tracks = Mapping[int, Mapping[int, PersonLabel]]
"""Track id -> {frame index: given label}."""

GapCache = MutableMapping[str, list[PropagatedPose]]
"""Fingerprint of a gap -> its poses, so that a correction redoes only the gaps it touches."""

Boxes = Mapping[int, Mapping[int, np.ndarray]]
"""Track id -> {frame index: [4] person box}."""

DetectedPeople = Mapping[int, FrameDetections]
"""Frame index -> the people that a detector found there."""


def propagate_labels(
    frames: FrameSource,
    labels: VideoLabels,
    propagator: BasePropagator,
    boxes: Boxes | None = None,
    detections: DetectedPeople | None = None,
    life_span: LifeSpan = 'video',
) -> VideoLabels:
    """Propagate sparse labels through a whole video.

    Args:
        frames: The video's pictures.
        labels: The given labels; people without track ids are associated first, labels whose
            ``source`` is not 'given' are left out.
        propagator: How to fill the gaps.
        boxes: Person boxes of unlabelled frames, see :func:`propagate_frames`.
        detections: People found by a detector.
        life_span: Where a track begins and ends.

    Returns:
        Labels of every person in every frame, ordered by frame and track: the given ones
        unchanged (scores and boxes filled in where they had none), all others with ``source``
        'propagated' or 'absent'. All frames of the video are listed.

    Raises:
        InputError: If there are no labels, one lies beyond the video, or the propagator does not
            know a labelled joint.
    """
    labels = given_labels(labels)
    persons: list[PersonLabel] = []
    for _, people in propagate_frames(
        frames,
        labels.tracks(),
        labels.skeleton,
        propagator,
        boxes=boxes,
        detections=detections,
        life_span=life_span,
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


def boxes_of(labels: VideoLabels) -> Boxes:
    """The person boxes that labels carry, whatever their ``source``."""
    return {
        track_id: {
            frame: label.bbox
            for frame, label in track.items()
            if label.bbox is not None and label.has_box
        }
        for track_id, track in labels.tracks().items()
    }


def propagate_frames(
    frames: FrameSource,
    tracks: Tracks,
    skeleton: Skeleton,
    propagator: BasePropagator,
    cache: GapCache | None = None,
    boxes: Boxes | None = None,
    detections: DetectedPeople | None = None,
    life_span: LifeSpan = 'video',
) -> Iterator[tuple[int, list[PersonLabel]]]:
    """The people of every frame, ordered by frame, as soon as they are known.

    Memory does not grow with the video but for ``cache``: poses are dropped once their frame has
    been handed out.

    Args:
        frames: The video's pictures.
        tracks: The given labels. One without a joint and a box says that the person is absent
            from there until the next label with a place.
        skeleton: Their joints.
        propagator: How to fill the gaps.
        cache: Results of earlier runs with this propagator and video; updated on the way.
        boxes: Person boxes of unlabelled frames; between them and the labels boxes are
            interpolated.
        detections: People found by a detector, which take the place of interpolated boxes.
        life_span: 'video': a track goes from the first frame to the last; 'labels': from its
            first label to its last.

    Yields:
        (frame index, people sorted by track id), from frame 0 to the last. Everyone is in every
        frame: given, propagated, or outside of a presence interval (see
        :func:`~.gaps.find_presence_intervals`) absent.

    Raises:
        InputError: See :func:`propagate_labels`.
    """
    cache = {} if cache is None else cache
    _check(tracks, len(frames))
    plans = {
        track_id: _plan_track(
            track_id,
            tracks[track_id],
            len(frames),
            life_span,
            (boxes or {}).get(track_id, {}),
            detections or {},
        )
        for track_id in sorted(tracks)
    }
    gaps = [gap for plan in plans.values() for gap in plan.gaps]
    keys = {id(gap): gap.fingerprint(propagator.reads_second_labels) for gap in gaps}
    for stale in set(cache) - set(keys.values()):
        del cache[stale]
    todo = [gap for gap in gaps if keys[id(gap)] not in cache]
    todo.sort(key=lambda gap: (gap.first, gap.last, gap.track_id))
    waiting = {id(gap) for gap in todo}
    poses = propagator.propagate(CachedFrames(frames), todo, skeleton)
    found: dict[int, dict[int, PropagatedPose]] = {}

    def pose_of(gap: Gap, frame_index: int) -> PropagatedPose | None:
        """From the cache or from the propagator; None if that has left it out."""
        if id(gap) not in waiting and id(gap) not in found:
            found[id(gap)] = {pose.frame_index: pose for pose in cache[keys[id(gap)]]}
        while frame_index not in found.get(id(gap), ()):
            pose = next(poses, None)
            if pose is None:
                return None
            owner = plans[pose.track_id].gap_at(pose.frame_index)
            assert owner is not None
            results = found.setdefault(id(owner), {})
            results[pose.frame_index] = pose
            if len(results) == len(owner.frames):
                cache[keys[id(owner)]] = list(results.values())
        pose = found[id(gap)][frame_index]
        if frame_index == gap.frames[-1]:
            del found[id(gap)]
        return pose

    for frame_index in range(len(frames)):
        people: list[PersonLabel] = []
        left_out = 0
        for track_id, plan in plans.items():
            gap = plan.gap_at(frame_index)
            if frame_index in plan.labels:
                people.append(_completed(plan.labels[frame_index], track_id))
            elif gap is None:
                people.append(_absent(track_id, frame_index, skeleton.num_keypoints))
            else:
                pose = pose_of(gap, frame_index)
                left_out += pose is None
                if pose is not None:
                    people.append(_person(pose, gap))
        if left_out:
            raise RuntimeError(
                f'{type(propagator).__name__} left out {left_out} people of frame {frame_index}'
            )
        yield frame_index, people


def _check(tracks: Tracks, num_frames: int) -> None:
    labels = [label for track in tracks.values() for label in track.values()]
    if not any(label.has_place for label in labels):
        raise InputError('there are no given labels to propagate, label a person in one frame')
    last = max(frame_index for track in tracks.values() for frame_index in track)
    if last >= num_frames:
        raise InputError(
            f'a label is on frame {last}, but the video has {num_frames} frames '
            f'(0..{num_frames - 1}), give the labels of this video'
        )


def gaps_of_labels(labels: VideoLabels, num_frames: int) -> list[Gap]:
    """What a propagator would be asked to fill: the gaps of all tracks, boxes interpolated.

    Args:
        labels: Given labels with track ids.
        num_frames: Length of the video.
    """
    return [
        gap
        for track_id, track in sorted(labels.tracks().items())
        for gap in _plan_track(track_id, track, num_frames, 'video', {}, {}).gaps
    ]


@dataclass(frozen=True)
class _TrackPlan:
    """Where the poses of one track come from: its labels, and ``gaps`` in order of time."""

    labels: Mapping[int, PersonLabel]
    gaps: list[Gap]

    def gap_at(self, frame_index: int) -> Gap | None:
        """The gap that a frame is in."""
        place = bisect_right(self.gaps, frame_index, key=lambda gap: gap.frames[0]) - 1
        if place < 0 or frame_index not in self.gaps[place].frames:
            return None
        return self.gaps[place]


def _plan_track(
    track_id: int,
    labels: Mapping[int, PersonLabel],
    num_frames: int,
    life_span: LifeSpan,
    boxes: Mapping[int, np.ndarray],
    detections: DetectedPeople,
) -> _TrackPlan:
    gaps: list[Gap] = []
    for stay in find_presence_intervals(labels, num_frames, life_span):
        gaps += _gaps_of_stay(track_id, stay, boxes, detections)
    return _TrackPlan(labels, gaps)


def _gaps_of_stay(
    track_id: int,
    stay: PresenceInterval,
    boxes: Mapping[int, np.ndarray],
    detections: DetectedPeople,
) -> list[Gap]:
    known = {frame: box for frame, box in boxes.items() if frame in stay.frames}
    if not known and not any(p.has_box or p.labelled.any() for p in stay.labels.values()):
        # A head box alone is no start for a pose.
        return []
    box_of = TrackBoxes(stay.labels.values(), known, detections)
    unlabelled = [frame for frame in stay.frames if frame not in stay.labels]
    return find_gaps(
        track_id, stay.labels, {frame: box_of.at(frame) for frame in unlabelled}, stay.frames
    )


def _completed(label: PersonLabel, track_id: int) -> PersonLabel:
    """A given label with scores (1 where labelled) and a box, for output."""
    scores = label.labelled.astype(np.float64) if label.scores is None else label.scores
    bbox = person_box(label) if label.bbox is None and label.labelled.any() else label.bbox
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


def _absent(track_id: int, frame_index: int, num_keypoints: int) -> PersonLabel:
    return PersonLabel(
        frame_index=frame_index,
        keypoints=np.zeros((num_keypoints, 2)),
        visibility=np.zeros(num_keypoints),
        track_id=track_id,
        scores=np.zeros(num_keypoints),
        source='absent',
    )
