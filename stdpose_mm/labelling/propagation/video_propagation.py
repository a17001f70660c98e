"""Propagation of the sparse labels of a video to a pose of every person in every frame."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

import numpy as np

from stdpose_mm.errors import InputError, note
from stdpose_mm.io.labels import list_all_frames
from stdpose_mm.io.video import FrameSource, cache_frames
from stdpose_mm.structures import (
    NOT_LABELLED,
    PersonLabel,
    Skeleton,
    VideoLabels,
    given_frames,
    person_box,
)
from stdpose_mm.text import listed, ranges
from stdpose_mm.tracking import assign_track_ids
from stdpose_mm.tracking.association import MIN_SIMILARITY, pose_similarities

from .base import BasePropagator, GapCache
from .gap_filler import GapFiller
from .gaps import LifeSpan
from .identities import absent_label
from .track_plans import Boxes, DetectedPeople, TrackPlan, TrackPlanner, Tracks
from .work_progress import WorkListener

_FRAMES_UNTIL_TRIM = 256


def propagate_labels(
    frames: FrameSource,
    labels: VideoLabels,
    propagator: BasePropagator,
    boxes: Boxes | None = None,
    life_span: LifeSpan = 'video',
) -> VideoLabels:
    """Propagate sparse labels through a whole video.

    Args:
        frames: The video's pictures.
        labels: The given labels. People without track ids are associated first; joints that are not
            given are ignored.
        propagator: How to fill the gaps.
        boxes: Person boxes of unlabelled frames, see :func:`propagate_frames`.
        life_span: Where a track begins and ends.

    Returns:
        Labels of every person in every frame, ordered by frame and track. Given joints are
        unchanged (missing scores and boxes are filled in), all others are 'propagated' or 'absent',
        see :attr:`PersonLabel.keypoint_sources`. All frames of the video are listed.

    Raises:
        InputError: If there are no labels, a label lies beyond the video, or the propagator does
            not know a labelled joint.
    """
    labels = given_labels(labels)
    tracks, skeleton = labels.tracks(), labels.skeleton
    people_by_frame = propagate_frames(
        frames, tracks, skeleton, propagator, boxes=boxes, life_span=life_span
    )
    persons = [person for _, people in people_by_frame for person in people]
    return list_all_frames(labels, frames).with_persons(persons)


def given_labels(labels: VideoLabels) -> VideoLabels:
    """Select the given labels, and their given joints; complete the track ids.

    A note tells if labels without identities are read as one person although they lie far apart,
    or as a person with an identity.
    """
    persons = [person.only_given() for person in labels.persons if person.is_given]
    track_ids, labels = labels.track_ids, assign_track_ids(labels.with_persons(persons))
    pairs = zip(persons, labels.persons, strict=True)
    unnamed = [person for before, person in pairs if before.track_id is None]
    if 0 < len(unnamed) < len(persons):
        places = sorted({person.frame_index for person in unnamed})
        frames = f'{"frame" if len(places) == 1 else "frames"} {ranges(places)}'
        people = listed([*map(str, sorted({person.track_id or 0 for person in unnamed}))], 5)
        note(
            f'{frames} of {labels.name}: labels without a track id are read as person '
            f'{people}; give track ids if they are other people'
        )
    located = sorted((p for p in labels.persons if p.is_located), key=lambda p: p.frame_index)
    for before, after in pairwise(located if not track_ids and len(labels.track_ids) == 1 else ()):
        if pose_similarities([after], [before], [np.zeros(2)])[0, 0] < MIN_SIMILARITY:
            where = f'frames {before.frame_index} and {after.frame_index} of {labels.name}'
            what = 'labels without identities, far apart, are read as one person'
            note(f'{where}: {what}; give track ids if they are several people')
            break
    return labels


def boxes_of(labels: VideoLabels) -> Boxes:
    """Collect the person boxes of labels, whatever their ``source``."""
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
    listener: WorkListener | None = None,
    track_ids: Collection[int] | None = None,
    within: range | None = None,
) -> Iterator[tuple[int, list[PersonLabel]]]:
    """Propagate sparse labels frame by frame; yield people as soon as they are known.

    Memory does not grow with the video, except for ``cache``: poses are dropped once their frame
    has been yielded.

    Args:
        frames: The video's pictures.
        tracks: The given labels. Joints that a label marks as propagated are propagated in that
            frame, with its given joints as evidence. A label that marks the person as absent holds
            until the next label.
        skeleton: Their joints.
        propagator: How to fill the gaps.
        cache: Results of earlier runs with this propagator and video; updated during the run.
        boxes: Person boxes of unlabelled frames. Boxes are interpolated between these and the
            labels.
        detections: People that a detector found; they replace interpolated boxes.
        life_span: 'video': a track goes from the first frame to the last; 'labels': from its
            first label to its last.
        listener: Receives the progress; the people of a frame are yielded only when all gaps that
            contain it are done.
        track_ids: The tracks to propagate; by default all.
        within: The frames to yield; by default all. Only gaps that contain one of them are filled.

    Yields:
        (frame index, people sorted by track id), from the first frame to the last. Everyone is in
        every frame: given, propagated, or absent outside of the presence intervals (see
        :func:`~.gaps.find_presence_intervals`).

    Raises:
        InputError: See :func:`propagate_labels`.
    """
    _check(tracks, len(frames))
    everything = track_ids is None and within is None
    within = range(len(frames)) if within is None else within
    planner = TrackPlanner(len(frames), life_span, boxes or {}, detections or {})
    plans = planner.plan(tracks, track_ids, within, propagator.reads_other_people)
    cache = {} if cache is None else cache
    gaps = [gap for plan in plans.values() for gap in plan.gaps]
    poses = GapFiller(propagator, cache_frames(frames), gaps, skeleton, cache, listener)
    if everything and isinstance(cache, dict):
        # A dictionary would grow with every correction. A folder has its own limit.
        for key in cache.keys() - {*poses.keys.values()}:
            # Another run may have removed it in the meantime.
            cache.pop(key, None)
    for frame_index in within:
        if frame_index % _FRAMES_UNTIL_TRIM == 0:
            _return_free_memory()
        people = [
            _person_at(frame_index, track_id, plan, poses, skeleton.num_keypoints)
            for track_id, plan in plans.items()
        ]
        yield frame_index, people


def _return_free_memory() -> None:
    """Return free memory to the system, which glibc keeps if it lies between lasting poses.

    Memory would grow four times as fast as the poses otherwise.
    """
    if sys.platform == 'linux':
        # Other C libraries have no such function.
        with suppress(AttributeError):
            ctypes.CDLL(None).malloc_trim(0)


def _check(tracks: Tracks, num_frames: int) -> None:
    labels = [label for track in tracks.values() for label in track.values()]
    if not any(label.has_joint_or_box for label in labels):
        raise InputError('there are no given labels to propagate, label a person in one frame')
    last = max(frame_index for track in tracks.values() for frame_index in track)
    if last >= num_frames:
        raise InputError(
            f'a label is on frame {last}, but the video has {num_frames} frames '
            f'(0..{num_frames - 1}), give the labels of this video'
        )


def _person_at(
    frame_index: int, track_id: int, plan: TrackPlan, poses: GapFiller, num_keypoints: int
) -> PersonLabel:
    """Return the person as given, propagated or absent, joint by joint."""
    label = plan.labels.get(frame_index)
    gaps = plan.gaps_at.get(frame_index)
    if not gaps:
        if label is None:
            nobody = absent_label(frame_index, track_id, num_keypoints)
            return replace(nobody, scores=np.zeros(num_keypoints), source='absent')
        return _completed(label, track_id)
    keypoints = np.zeros((num_keypoints, 2))
    visibility = np.full(num_keypoints, NOT_LABELLED, dtype=np.int8)
    scores = np.zeros(num_keypoints)
    for gap in gaps:
        places, visible, certainty = poses.pose_at(gap, frame_index)
        keypoints[gap.joints] = places[gap.joints]
        visibility[gap.joints] = visible[gap.joints]
        scores[gap.joints] = certainty[gap.joints]
    propagated = PersonLabel(
        frame_index=frame_index,
        keypoints=keypoints,
        visibility=visibility,
        track_id=track_id,
        scores=scores,
        bbox=gaps[0].bbox_of(frame_index),
        source='propagated',
    )
    return propagated if label is None else _merged(_completed(label, track_id), propagated)


def _completed(label: PersonLabel, track_id: int) -> PersonLabel:
    """Complete a given label for output, with scores (1 where labelled) and a box."""
    scores = label.labelled.astype(np.float64) if label.scores is None else label.scores
    bbox = person_box(label) if label.bbox is None and label.has_joint else label.bbox
    return replace(label, track_id=track_id, scores=scores, bbox=bbox)


def _merged(label: PersonLabel, propagated: PersonLabel) -> PersonLabel:
    """Fill the missing joints of a given label; both labels have scores."""
    assert label.scores is not None
    assert propagated.scores is not None
    is_given = label.given
    return replace(
        label,
        keypoints=np.where(is_given[:, None], label.keypoints, propagated.keypoints),
        visibility=np.where(is_given, label.visibility, propagated.visibility),
        scores=np.where(is_given, label.scores, propagated.scores),
        source='given' if is_given.any() else 'propagated',
        keypoint_sources=np.where(is_given, 'given', propagated.keypoint_sources),
    )


def subsample_labels(labels: VideoLabels, interval: int) -> VideoLabels:
    """Keep only the labels on every ``interval``-th frame of the labelled range.

    :func:`~stdpose_mm.structures.given_frames` selects the frames. Track ids are completed first,
    from all labels.

    Raises:
        InputError: If the interval is not positive.
    """
    labels = given_labels(labels)
    return labels.keep_frames(given_frames(labels.labelled_frame_indices, interval))


def propagate_subsampled(
    frames: FrameSource,
    truth: VideoLabels,
    interval: int,
    propagator: BasePropagator,
    use_truth_boxes: bool = False,
) -> VideoLabels:
    """Hide all labels except those of every ``interval``-th frame, and propagate these.

    Args:
        frames: The video's pictures.
        truth: Dense labels.
        interval: Distance T of the given frames, in frames.
        propagator: Fills the gaps.
        use_truth_boxes: Whether to crop people at their true boxes, as in the published protocol,
            instead of boxes interpolated between given labels.

    Returns:
        Labels of the people and frames of ``truth``; given ones have the ``source`` 'given'. A
        person who is labelled in no given frame is missing.
    """
    truth = given_labels(truth)
    labels = subsample_labels(truth, interval)
    hidden = {*truth.labelled_frame_indices} - {*labels.labelled_frame_indices}
    dense = propagate_labels(
        frames,
        labels,
        propagator.hiding(frames, hidden),
        boxes_of(truth) if use_truth_boxes else None,
    )
    present = {(person.track_id, person.frame_index) for person in truth.persons}
    return dense.with_persons([p for p in dense.persons if (p.track_id, p.frame_index) in present])
