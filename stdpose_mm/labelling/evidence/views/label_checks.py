"""Finds given joints and sides that contradict what is given in other calibrated views."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from stdpose_mm.text import listed

from .calibration_checks import MAX_NAMED, correct_cameras
from .estimates import (
    Estimates,
    View,
    calibration_variances,
    exchange_sides,
    locate,
    squared_distances,
)
from .people import joints_apart, match_people

_CONTRADICTION = 5.0
"""Distance in deviations from which a given joint contradicts other views."""

_EXCHANGED_FROM, _EXCHANGED_GAIN = 0.05, 0.4
"""Distance of two views in pose sizes from which sides may be exchanged, and the largest share of
it that is left once they are exchanged back."""


def check_views(views: Sequence[View]) -> tuple[list[View], list[str]]:
    """Find a wrong calibration, and given joints that contradict what is given in other views.

    Returns:
        The views with the cameras of :func:`correct_cameras`, and sentences for the user.
    """
    views, warning = correct_cameras(views)
    return views, [warning] if warning else _check_labels(views)


def _check_labels(views: Sequence[View]) -> list[str]:
    """Find given joints that contradict what is given in other views; return sentences."""
    people = match_people(views)
    estimates = Estimates.collect(views, people).only_given()
    if not (estimates.seen.sum(axis=0) > 1).any():
        return []
    exchanged = _find_exchanged(estimates)

    def name(number: int, row: int, column: int) -> str:
        frame = estimates.times[row] - views[number].start
        who = f'{estimates.skeleton.category} {people[column][number]}'
        return f'{who} in frame {frame} of {views[number].camera.name}'

    warnings = []
    if exchanged.any():
        names = [name(*at) for at in np.argwhere(exchanged).tolist()]
        warnings.append(
            f'left and right of {listed(names, MAX_NAMED)} seem to be exchanged, judging by the '
            'other views'
        )
    pixels = np.where(exchanged[..., None, None], np.nan, estimates.pixels)
    variances = np.square(estimates.deviations) + calibration_variances(estimates)
    points, _ = locate(estimates.pinholes, pixels, variances)
    distances = np.sqrt(squared_distances(estimates.pinholes, points, pixels))
    too_far = distances > _CONTRADICTION * np.sqrt(variances)
    joints = [
        f'{estimates.skeleton.keypoint_names[place[3]]} of {name(*place[:3])} '
        f'({distances[place]:.0f} pixels)'
        for place in zip(*np.nonzero(too_far), strict=True)
    ]
    if joints:
        has_witness = (np.isfinite(distances).sum(axis=0) > 2).any()
        doubt = '' if has_witness else ', or in the other view'
        warnings.append(
            f'joints are not where other views have them{doubt}: {listed(joints, MAX_NAMED)}'
        )
    return warnings


def find_exchanged(views: Sequence[View], people: Sequence[Sequence[int | None]]) -> np.ndarray:
    """Find labels that agree much better with other views once their sides are exchanged.

    Returns:
        [V, T, N] bool: in V views at T times, of N people. If two views label a person, both are
        found; cameras opposite each other cannot tell.
    """
    return _find_exchanged(Estimates.collect(views, people).only_given())


def _find_exchanged(estimates: Estimates) -> np.ndarray:
    """See :func:`find_exchanged`; of given joints."""
    flip = np.array(estimates.skeleton.flip_indices)
    sided = flip != np.arange(len(flip))
    _, exchanged = exchange_sides(estimates, calibration_variances(estimates))
    given = estimates.given.any(axis=-1)
    for pair in map(list, combinations(range(len(given)), 2)):
        both = given[pair].all(axis=0) & (given.sum(axis=0) == 2)
        if both.any() and sided.any():
            cameras = [estimates.pinholes.cameras[number] for number in pair]
            (first, second), sizes = estimates.pixels[pair][:, both], estimates.sizes[pair][:, both]
            before, after = (
                np.nan_to_num(joints_apart(cameras, [at[:, sided], second[:, sided]]))
                for at in (first, first[:, flip])
            )
            before, after = ((d / sizes[..., None]).mean(axis=(0, 2)) for d in (before, after))
            is_better = (before > _EXCHANGED_FROM) & (after < _EXCHANGED_GAIN * before)
            for number in pair:
                exchanged[number][both] = is_better
    return exchanged
