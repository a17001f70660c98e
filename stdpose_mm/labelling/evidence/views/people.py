"""Who is who in several calibrated views, by geometry over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from stdpose_mm.evaluation.functional.posetrack import mean_of_known
from stdpose_mm.structures.camera import Camera

from .estimates import Estimates, View

OTHER_PERSON = 0.25
"""Distance in pose sizes from which people in two views are not the same."""

_TIMES_COMPARED = 200
"""Times at which people in two views are compared."""


def match_people(views: Sequence[View]) -> list[list[int | None]]:
    """Find out who is who in the views, by the pairing with the least distances over time.

    Returns:
        The track id of each person in every view; None where a view has no labels of the person.
    """
    ids = [view.labels.track_ids for view in views]
    single = [collect_view(view) for view in views]
    people: list[list[int | None]] = []
    # Those with the most labels are the most certain.
    for number in sorted(range(len(views)), key=lambda n: -int(single[n].given.sum())):
        costs = np.full((len(ids[number]), len(people)), OTHER_PERSON)
        apart: dict[int, np.ndarray] = {}
        for column, of_person in enumerate(people):
            others = [other for other, track_id in enumerate(of_person) if track_id is not None]
            for other in others:
                if other not in apart:
                    apart[other] = people_apart(single[number], single[other], _TIMES_COMPARED)
            known = [apart[other][:, ids[other].index(of_person[other])] for other in others]
            means = [mean_of_known(np.array(of_row)) for of_row in zip(*known, strict=True)]
            costs[:, column] = np.nan_to_num(means, nan=OTHER_PERSON)
        # With one person in each view there is no doubt, whatever the calibration.
        costs *= costs.size > 1
        rows, columns = linear_sum_assignment(costs)
        matched = {r: c for r, c in zip(rows, columns, strict=True) if costs[r, c] < OTHER_PERSON}
        for row, track_id in enumerate(ids[number]):
            if row not in matched:
                people.append([None] * len(views))
            people[matched.get(row, -1)][number] = track_id
    return people


def collect_view(view: View) -> Estimates:
    """Collect the estimates of the people of a view, without the others."""
    return Estimates.collect([view], [[track_id] for track_id in view.labels.track_ids])


def people_apart(first: Estimates, second: Estimates, num_times: int) -> np.ndarray:
    """Compute how far the people of a view are from being those of another one.

    Args:
        first: The N people of a single view.
        second: The M people of another one.
        num_times: Number of times at which they are compared.

    Returns:
        [N, M] medians over joints and times, in sizes of the pose, at most ``OTHER_PERSON``; NaN
        for two people who have no joint at the same time.
    """
    pair = first, second
    start, stop = max(e.times.start for e in pair), min(e.times.stop for e in pair)
    distances = np.full([e.sizes.shape[2] for e in pair], np.nan)
    if stop <= start or not distances.size:
        return distances
    times = np.unique(np.linspace(start, stop - 1, num_times).round().astype(int))
    pixels = [e.pixels[0][times - e.times.start] for e in pair]
    sizes = [e.sizes[0][times - e.times.start, :, None] for e in pair]
    cameras = [e.pinholes.cameras[0] for e in pair]
    apart = joints_apart(cameras, [pixels[0][:, :, None], pixels[1][:, None]])
    apart = np.maximum(apart[0] / sizes[0][:, :, None], apart[1] / sizes[1][:, None])
    for row, column in np.ndindex(distances.shape):
        known = apart[:, row, column]
        known = known[~np.isnan(known)]
        if len(known):
            distances[row, column] = min(np.median(known), OTHER_PERSON)
    return distances


def joints_apart(cameras: Sequence[Camera], pixels: Sequence[np.ndarray]) -> np.ndarray:
    """Compute how far joints in two views are from the points that fit both best.

    Args:
        cameras: The two cameras, without distortions.
        pixels: [..., 2] of each joint in each view; they are broadcast.

    Returns:
        [2, ...] pixels, to first order; NaN where a view does not see the joint.
    """
    first, second = cameras
    rotation = second.rotation @ first.rotation.T
    across = np.cross(np.eye(3), second.translation - rotation @ first.translation)
    inverses = [np.linalg.inv(camera.matrix) for camera in cameras]
    fundamental = inverses[1].T @ across.T @ rotation @ inverses[0]
    points = [np.concatenate([xy, np.ones((*xy.shape[:-1], 1))], axis=-1) for xy in pixels]
    # The lines on which each joint lies in the other view.
    lines = [points[1] @ fundamental, points[0] @ fundamental.T]
    error = np.abs((lines[0] * points[0]).sum(axis=-1))
    slopes = np.stack(np.broadcast_arrays(*(np.hypot(x[..., 0], x[..., 1]) for x in lines)))
    return error * slopes / np.maximum(np.square(slopes).sum(axis=0), 1e-12)
