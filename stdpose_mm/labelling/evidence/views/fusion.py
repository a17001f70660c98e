"""What several calibrated views know together, put into the labels of each view."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from stdpose_mm.evaluation.functional import label_sizes
from stdpose_mm.structures import (
    NOT_LABELLED,
    VISIBLE,
    PersonLabel,
    VideoLabels,
    unused_track_ids,
)
from stdpose_mm.structures.boxes import is_outside, person_box
from stdpose_mm.structures.scene_poses import ScenePoses

from .estimates import (
    Estimates,
    View,
    calibration_variances,
    exchange_sides,
    locate,
    refine,
    scores_of,
    squared_distances,
)
from .people import match_people

_COUNTED = 0.25
"""Least trust of an estimate that counts: it is at most ``OUTLIER`` deviations off."""

_SURE = 0.9
"""Least score of a joint that a view borrows from the others as if it were given."""


def fuse_views(
    views: Sequence[View], people: Sequence[Sequence[int | None]]
) -> tuple[list[VideoLabels], ScenePoses]:
    """Locate everyone in space, and improve and complete the poses in each view.

    Given joints and joints that a label leaves out stay, as do people who are absent. A view
    without labels of a person gets the person's joints inside the picture.

    Args:
        views: The views; their labels have the same joints.
        people: The track id of each person in every view, see :func:`match_people`.

    Returns:
        The labels of each view with all people, and the people in space, whose track ids are those
        of the first view that has them.
    """
    estimates = Estimates.collect(views, people)
    calibration = calibration_variances(estimates)
    estimates, _ = exchange_sides(estimates, calibration)
    pinholes, pixels = estimates.pinholes, estimates.pixels
    spread = np.square(estimates.deviations)
    variances = spread + calibration
    points, trust = locate(pinholes, pixels, variances)
    squares = squared_distances(pinholes, points, pixels, variances)
    # The last step may have brought a point behind a camera that had counted.
    counted = (trust > _COUNTED) & np.isfinite(squares)
    num_views = counted.sum(axis=0)
    misses = np.where(counted, squares * variances, 0).sum(axis=0) / np.maximum(num_views, 1)
    errors = np.where(np.isnan(points[..., 0]), np.nan, np.sqrt(misses))
    ids = tuple(next(i for i in of_person if i is not None) for of_person in people)
    times = estimates.times
    scene = ScenePoses(estimates.skeleton, ids, times, points, errors, num_views)
    # Where estimates differ by more than they should, they are less certain.
    excess = np.where(counted, squares, 0).sum(axis=0) / np.maximum(2 * num_views - 3, 1)
    fused = []
    for number, view in enumerate(views):
        # As seen from this view, the others are off by the error of its calibration too.
        relative = calibration + calibration[number]
        relative[number] = 0
        refined, covariance = refine(pinholes, points, pixels, trust / (spread + relative))
        jacobian = pinholes.project(refined)[1][number]
        square = np.einsum('...pi,...ij,...pj->...', jacobian, covariance, jacobian) / 2
        deviations = np.sqrt(square * np.maximum(1, excess))
        places = view.camera.project(refined)
        track_ids = [of_person[number] for of_person in people]
        fused.append(_with_places(view, track_ids, ids, times, places, deviations))
    return fused, scene


def _with_places(
    view: View,
    track_ids: Sequence[int | None],
    ids: Sequence[int],
    times: range,
    places: np.ndarray,
    deviations: np.ndarray,
) -> VideoLabels:
    """Put the places [T, N, K, 2] of people, and their deviations, into the labels of a view."""
    taken = {*view.labels.track_ids}
    tracks = view.labels.tracks()
    persons = []
    for column, (track_id, other_id) in enumerate(zip(track_ids, ids, strict=True)):
        track = {} if track_id is None else tracks[track_id]
        if track_id is None:
            track_id = other_id if other_id not in taken else next(unused_track_ids(taken))
            taken.add(track_id)
        is_labelled = any(person.is_given for person in track.values())
        for frame in view.labels:
            row = frame + view.start - times.start
            of_frame = places[row, column], deviations[row, column]
            if frame in track:
                person = _improved(track[frame], *of_frame)
            else:
                person = _new_person(frame, track_id, *of_frame)
            persons.append(person if is_labelled else _inside(person, view.camera.size))
    persons.sort(key=lambda person: (person.frame_index, person.track_id))
    return view.labels.with_persons(persons)


def _new_person(
    frame: int, track_id: int, places: np.ndarray, deviations: np.ndarray
) -> PersonLabel:
    """Build the pose of a person at places [K, 2], NaN where unknown."""
    known = np.isfinite(places).all(axis=1)
    size = np.ptp(places[known], axis=0).max() if known.any() else 0.0
    return PersonLabel(
        frame,
        np.where(known[:, None], places, 0),
        np.where(known, VISIBLE, NOT_LABELLED),
        track_id=track_id,
        scores=np.where(known, scores_of(deviations, size), 0),
        source='propagated' if known.any() else 'absent',
    )


def _inside(person: PersonLabel, picture_size: tuple[int, int]) -> PersonLabel:
    """Keep the joints inside the picture: nobody has seen the others."""
    inside = person.labelled & ~is_outside(person.keypoints, picture_size)
    person = PersonLabel(
        person.frame_index,
        person.keypoints,
        np.where(inside, person.visibility, NOT_LABELLED),
        track_id=person.track_id,
        scores=None if person.scores is None else np.where(inside, person.scores, 0),
        source='propagated' if inside.any() else 'absent',
    )
    return replace(person, bbox=person_box(person)) if inside.any() else person


def _improved(person: PersonLabel, places: np.ndarray, deviations: np.ndarray) -> PersonLabel:
    """Put places [K, 2] where they are known and the person has no given or left-out joint."""
    known = np.isfinite(places).all(axis=1)
    if person.source == 'absent' or not person.has_joint:
        return person
    left_out = (person.keypoint_sources == 'absent') & person.is_given
    changed = known & ~person.given & ~left_out
    if not changed.any():
        return person
    size = label_sizes([person])[0]
    scores = np.ones(len(known)) if person.scores is None else person.scores
    return replace(
        person,
        keypoints=np.where(changed[:, None], places, person.keypoints),
        visibility=np.where(changed & ~person.labelled, VISIBLE, person.visibility),
        scores=np.where(changed, scores_of(deviations, size), scores),
        keypoint_sources=np.where(changed, 'propagated', person.keypoint_sources),
    )


def combine_views(
    views: Sequence[View], propagate: Callable[[int, VideoLabels], VideoLabels]
) -> tuple[list[VideoLabels], ScenePoses]:
    """Let views help each other, and look for people in the views that have no labels of them.

    Args:
        views: The views; their labels have the same joints.
        propagate: Propagates given labels in one of the views.

    Returns:
        See :func:`fuse_views`.
    """
    fused, scene = fuse_views(views, match_people(views))
    borrowed = [borrow_labels(views, number, of_view) for number, of_view in enumerate(fused)]
    if not any(labels.persons for labels in borrowed):
        return fused, scene
    completed = []
    for number, (view, labels) in enumerate(zip(views, borrowed, strict=True)):
        # What the pictures show of these people is evidence, too.
        propagated = propagate(number, labels).persons if labels.persons else ()
        persons = [p.with_source('propagated') if p.has_joint else p for p in propagated]
        labels = view.labels.with_persons([*view.labels.persons, *persons])
        completed.append(replace(view, labels=labels))
    return fuse_views(completed, match_people(completed))


def labelled_times(views: Sequence[View]) -> Counter[int]:
    """Count the views with given labels at each time at which there are any."""
    return Counter(
        frame + view.start
        for view in views
        for frame in {p.frame_index for p in view.labels.persons if p.has_given_joint}
    )


def borrow_labels(views: Sequence[View], number: int, fused: VideoLabels) -> VideoLabels:
    """Make labels of the people that a view has no labels of, where other views have labels.

    Args:
        views: The views.
        number: The view.
        fused: Its labels with all people, see :func:`fuse_views`.

    Returns:
        Labels that give the joints that the other views are sure of.
    """
    view, known = views[number], {*views[number].labels.track_ids}
    times = {*labelled_times(views)}
    persons = []
    for person in fused.persons:
        if person.track_id in known or person.frame_index + view.start not in times:
            continue
        assert person.scores is not None
        sure = person.labelled & (person.scores >= _SURE)
        if sure.any():
            sources = np.where(sure, 'given', 'propagated')
            visibility = np.where(sure, person.visibility, NOT_LABELLED)
            persons.append(
                replace(person, visibility=visibility, source='given', keypoint_sources=sources)
            )
    return fused.with_persons(persons)
