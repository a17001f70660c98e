"""Finds a wrong calibration, exchanged videos and late cameras by the labels of several views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import huber

from stdpose_mm.evaluation.functional.posetrack import mean_of_known
from stdpose_mm.structures.camera import Camera, triangulate
from stdpose_mm.text import counted, listed

from .estimates import (
    LABEL_DEVIATION,
    LEAST_GIVEN,
    OUTLIER,
    REFINEMENTS,
    Estimates,
    Pinholes,
    View,
)
from .people import OTHER_PERSON, collect_view, match_people, people_apart

MAX_NAMED = 5

_SHIFT = 0.01
"""Least shift of the picture of a camera, in pose sizes, that a wrong calibration is told from."""

_TURN_DEVIATION = np.radians(0.5)
"""Deviation of the turn of a camera whose calibration is wrong."""

_TURN_STEP = 1e-4
"""Turn in radians by which derivatives are taken."""

_CERTAIN = 12.0
"""Least length of a turn, in deviations and squared, from which a calibration is wrong."""

_JOINTS_COMPARED = 400
"""Joints from which the turns of cameras are found."""

_APART, _LEFT = 0.005, 0.8
"""Distance of views in pose sizes from which videos may be exchanged or late, and the largest share
of it that is left once this is put right."""

_MOST_LATE = 15
"""Largest number of frames by which a camera is found to be late."""

_TIMES_TRIED = 30
"""Times at which people are compared for each mistake that is tried."""


def correct_cameras(views: Sequence[View]) -> tuple[list[View], str | None]:
    """Find out from labels whether the calibration is wrong, and turn a camera that is off.

    Exchanged videos and a camera that started late are only named: the user can put them right.

    Returns:
        The views, and a sentence for the user if something is wrong.
    """
    turns = _find_turns(views)
    turned = [
        replace(view, camera=view.camera.turned(turn)) if turn.any() else view
        for view, turn in zip(views, turns, strict=True)
    ]
    sentence = _find_exchanged_or_late(views, turned)
    if sentence:
        return list(views), sentence
    degrees = np.degrees(np.linalg.norm(turns, axis=1))
    if not degrees.any():
        return turned, None
    names = [view.camera.name for view, angle in zip(views, degrees, strict=True) if angle]
    angles = ' and '.join(f'{angle:.1f}' for angle in degrees[degrees > 0])
    of, they_are = f'the camera {names[0]}', 'it is'
    if len(names) > 1:
        of, they_are = f'one of the cameras {" and ".join(names)}', 'both are'
    return turned, (
        f'the calibration of {of} seems to be wrong: the labels fit if {they_are} turned by '
        f'{angles} degrees, as {they_are} here'
    )


def _find_exchanged_or_late(views: Sequence[View], turned: Sequence[View]) -> str:
    """Find two videos with each other's camera, or a camera that started at another time.

    Args:
        views: The views.
        turned: The views with the turns of cameras that fit the labels best.

    Returns:
        A sentence, if poses fit much better once this is put right, and better than turned; or ''.
    """
    single = [collect_view(view) for view in views]
    labelled = [number for number, of_view in enumerate(single) if of_view.given.any()]

    def apart(first: Estimates, second: Estimates) -> float:
        distances = people_apart(first, second, _TIMES_TRIED)
        rows, columns = linear_sum_assignment(np.nan_to_num(distances, nan=OTHER_PERSON))
        return float(mean_of_known(distances[rows, columns]))

    before = {pair: apart(*(single[n] for n in pair)) for pair in combinations(labelled, 2)}
    mean = float(mean_of_known(np.array([*before.values()])))
    if not mean > _APART:
        return ''

    def left(changed: dict[int, Estimates]) -> float:
        """Compute the share of the distance that is left; infinite if it cannot be compared."""
        after = [
            apart(*(changed.get(n, single[n]) for n in pair)) if changed.keys() & pair else value
            for pair, value in before.items()
            if not np.isnan(value)
        ]
        return np.inf if np.isnan(after).any() else float(np.mean(after)) / mean

    names = [view.camera.name for view in views]
    changed = {n: collect_view(view) for n, view in enumerate(turned) if view is not views[n]}
    tried = {'': left(changed)}
    for first, second in combinations(range(len(views)), 2):
        if {first, second} & {*labelled}:
            changed = {
                number: collect_view(replace(views[number], camera=views[other].camera))
                for number, other in ((first, second), (second, first))
            }
            tried[
                f'the videos of the cameras {names[first]} and {names[second]} seem to be '
                'exchanged, judging by the labels: exchange their names'
            ] = left(changed)
    for number in labelled:
        estimates = single[number]
        if not (np.isfinite(estimates.deviations) & ~estimates.given).any():
            # Labels alone are too far apart in time.
            continue
        others = listed([names[n] for n in labelled if n != number], MAX_NAMED)
        times = estimates.times
        for late in range(-_MOST_LATE, _MOST_LATE + 1):
            # Of two cameras it cannot be known which one is wrong.
            if late > 0 or (late and len(labelled) > 2):
                moved = replace(estimates, times=range(times.start + late, times.stop + late))
                direction = 'later' if late > 0 else 'earlier'
                tried[
                    f'{names[number]} seems to have started {counted(abs(late), "frame")} '
                    f'{direction} relative to {others} than it was said, judging by the labels: '
                    f'give --offset {names[number]}={views[number].start + late}'
                ] = left({number: moved})
    best = min(tried, key=lambda sentence: tried[sentence])
    return best if tried[best] < _LEFT else ''


def _find_turns(views: Sequence[View]) -> np.ndarray:
    """Find the turns of cameras that make given joints fit, where a calibration is wrong.

    With three views or more, one camera is turned. With two it cannot be known which one is wrong:
    each takes a part, so that what they say in other views is half as wrong.

    Returns:
        [V, 3] rotation vectors in radians; 0 where it is not certain that something is wrong.
    """
    none = np.zeros((len(views), 3))
    estimates = Estimates.collect(views, match_people(views)).only_given()
    several = np.argwhere(estimates.seen.sum(axis=0) > 1)
    if len(several) < LEAST_GIVEN:
        return none
    rows = np.linspace(0, len(several) - 1, _JOINTS_COMPARED).round().astype(int)
    times, people, joints = several[np.unique(rows)].T
    pixels = estimates.pixels[:, times, people, joints]
    size = float(np.nanmedian(estimates.sizes))
    used = np.flatnonzero(np.isfinite(pixels[..., 0]).any(axis=1)).tolist()
    fits: list[tuple[float, float, np.ndarray]] = []
    for turned in [used] if len(used) == 2 else [[view] for view in used]:
        turn, removed, length = _fit_turns(estimates.pinholes.cameras, pixels, joints, turned, size)
        turns = none.copy()
        turns[turned] = turn
        fits.append((removed, length, turns))
    _, length, turns = max(fits, key=lambda fit: fit[0])
    shifts = np.linalg.norm(turns, axis=1) * estimates.pinholes.focal[:, 0]
    return turns if length > _CERTAIN and shifts.max() > _SHIFT * size else none


def _fit_turns(
    cameras: Sequence[Camera],
    pixels: np.ndarray,
    joints: np.ndarray,
    turned: Sequence[int],
    size: float,
) -> tuple[np.ndarray, float, float]:
    """Fit the turns of some cameras to given joints.

    Args:
        cameras: V cameras without distortions.
        pixels: [V, M, 2] joints; NaN where not given.
        joints: [M] their numbers.
        turned: T cameras.
        size: Size of poses in pixels.

    Returns:
        The turns [T, 3], the share of the squared errors that they remove, and their squared length
        in deviations. A mistake that is made with some kinds of joints only is no turn: the
        deviations include how much the kinds of joints differ.
    """

    def errors_of(turn: np.ndarray) -> np.ndarray:
        of_view = [*cameras]
        for number, vector in zip(turned, turn.reshape(-1, 3), strict=True):
            of_view[number] = cameras[number].turned(vector)
        projected, _ = Pinholes(of_view).project(triangulate(of_view, pixels))
        return np.nan_to_num(projected - pixels)

    seen = np.isfinite(pixels[..., 0])
    # A point takes three of the numbers that its pixels have.
    freedom = (2 * seen.sum(axis=0) - 3).sum()
    turn = np.zeros(3 * len(turned))
    first = errors = errors_of(turn)
    deviation = usual = LABEL_DEVIATION * size
    prior = np.eye(len(turn)) / _TURN_DEVIATION**2
    for _ in range(REFINEMENTS + 1):
        steps = _TURN_STEP * np.eye(len(turn))
        slopes = np.stack([errors_of(turn + step) - errors for step in steps], axis=-1) / _TURN_STEP
        # An outlier does not pull more than others.
        bounded = (errors / deviation).clip(-OUTLIER, OUTLIER)
        pulls = -bounded[..., None] * slopes / deviation
        weights = bounded / np.where(errors, errors / deviation, 1)
        weights = np.where(errors, weights, seen[..., None]) / deviation**2
        information = np.einsum('vmp,vmpi,vmpj->ij', weights, slopes, slopes) + prior
        kinds = [pulls[:, joints == joint].sum(axis=(0, 1, 2)) for joint in np.unique(joints)]
        turn = turn + np.linalg.solve(information, np.sum(kinds, axis=0) - prior @ turn)
        errors = errors_of(turn)
        # Where labels differ by more than usual, a turn is less certain.
        cost = huber(OUTLIER * deviation, errors).sum()
        deviation = max(usual, np.sqrt(2 * cost / freedom))
    spread = information + np.cov(np.array(kinds).T, ddof=1) * len(kinds)
    length = turn @ information @ np.linalg.solve(spread, information @ turn)
    share = 1 - cost / huber(OUTLIER * deviation, first).sum()
    return turn.reshape(-1, 3), share, float(length)
