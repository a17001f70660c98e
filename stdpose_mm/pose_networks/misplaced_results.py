"""Poses of another program that belong to other frames than the labels, or to other sides.

Where little moves, poses of a frame or two later agree with the labels well enough to be used, and
poses whose left is the labels' right do from the side. Over a whole video both show: the poses of
another frame, or with exchanged sides, then fit nearly all the labels better.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MAX_SHIFT = 5
"""Frames by which poses are looked for before and after the labels."""

_SHIFTS = [*range(-MAX_SHIFT, 0), *range(1, MAX_SHIFT + 1)]

_LEAST_POSES = 16
"""Labelled poses that must tell two hypotheses apart."""

_LEAST_JOINTS = 4
"""Joints that a pose must have to count, as a joint or two may be anything."""

_LEAST_WON = 0.9
"""Share of these poses that must fit better."""

_MOST_LEFT = 0.75
"""Share of the distance between poses and labels that may be left."""

_LEAST_MOTION = 0.03
"""Distance in sizes of the person between two poses that can be told apart."""

_LEAST_OF_ERRORS = 1.7
"""The same in median errors of the poses that fit better: errors alone tell 1.4 apart."""

_FARTHEST = 0.3
"""Distance in sizes of the person beyond which a joint is not found; how far it is says nothing."""


@dataclass(frozen=True, eq=False)
class PosesAtLabels:
    """Hold L labelled poses of K joints, and the poses that were found of the same people.

    Args:
        labels: [L, K, 2] pixels.
        given: [L, K] bool: the joints that are labelled.
        sizes: [L] sizes of the people in pixels.
        found: [2 * MAX_SHIFT + 1, L, K, 2] pixels, from ``MAX_SHIFT`` frames before the labels to
            as many after them.
        known: [2 * MAX_SHIFT + 1, L, K] bool: the joints that were found.
    """

    labels: np.ndarray
    given: np.ndarray
    sizes: np.ndarray
    found: np.ndarray
    known: np.ndarray


@dataclass(frozen=True)
class Misplacement:
    """Say where poses fit the labels better.

    Args:
        shift: By how many frames they come later; 0 if it is left and right that are exchanged.
        won: Number of labelled poses that fit better.
        compared: Number of labelled poses that tell both apart.
    """

    shift: int
    won: int
    compared: int


def find_misplacement(poses: PosesAtLabels, mirrored: np.ndarray) -> Misplacement | None:
    """Find out whether poses are some frames late or early, or have left and right exchanged.

    Args:
        poses: The poses.
        mirrored: [K] index of each joint's mirror image.

    Returns:
        What fits clearly better than the poses as they are; None if nothing does, or if too few
        labelled poses move to tell.
    """
    sides = _compare_sides(poses, mirrored)
    if sides.is_clear:
        return Misplacement(0, sides.won, sides.compared)
    shifts = {shift: _compare_shift(poses, shift) for shift in _SHIFTS}
    if not any(found.is_clear for found in shifts.values()):
        return None
    # A frame more or less is as clear where it tells more poses apart; the nearest fits best.
    shift = min(shifts, key=lambda one: shifts[one].left)
    return Misplacement(shift, shifts[shift].won, shifts[shift].compared)


@dataclass(frozen=True)
class _Comparison:
    """Hold how much better poses fit in another way.

    Args:
        left: Share of the distance to the labels that is left.
        left_apart: The same over the poses that tell both ways apart.
        won: Number of these that fit better.
        compared: Their number.
    """

    left: float = 1.0
    left_apart: float = 1.0
    won: int = 0
    compared: int = 0

    @property
    def is_clear(self) -> bool:
        """Return whether nearly all poses fit much better."""
        return (
            self.compared >= _LEAST_POSES
            and self.won >= _LEAST_WON * self.compared
            and self.left_apart <= _MOST_LEFT
        )


def _compare_shift(poses: PosesAtLabels, shift: int) -> _Comparison:
    """Compare the poses of some frames later with those of the labelled frames."""
    here, there = MAX_SHIFT, MAX_SHIFT + shift
    counted = poses.given & poses.known[here] & poses.known[there]
    counted &= (counted.sum(axis=1) >= _LEAST_JOINTS)[:, None]
    offsets = [
        _without_constant((poses.found[at] - poses.labels) / poses.sizes[:, None, None], counted)
        for at in (here, there)
    ]
    return _compare(offsets[0], offsets[1], counted)


def _compare_sides(poses: PosesAtLabels, mirrored: np.ndarray) -> _Comparison:
    """Compare poses with exchanged sides with those as they are.

    Constant differences are not removed: of somebody who always faces the camera the exchange is
    one.
    """
    known = poses.known[MAX_SHIFT]
    counted = poses.given & known & known[:, mirrored] & (mirrored != np.arange(len(mirrored)))
    counted &= (counted.sum(axis=1) >= _LEAST_JOINTS)[:, None]
    found, sizes = poses.found[MAX_SHIFT], poses.sizes[:, None, None]
    offsets = [(each - poses.labels) / sizes for each in (found, found[:, mirrored])]
    return _compare(offsets[0], offsets[1], counted)


def _compare(here: np.ndarray, there: np.ndarray, counted: np.ndarray) -> _Comparison:
    """Compare how well poses fit as they are and in another way.

    Args:
        here: [L, K, 2] from the labels to the poses as they are, in sizes of the person.
        there: The same to those of the other way.
        counted: [L, K] bool: the joints that count.
    """
    rows = counted.any(axis=1)
    if not rows.any():
        return _Comparison()
    apart, before, after = (
        _mean_length(each, counted)[rows] for each in (there - here, here, there)
    )
    moves = apart >= max(_LEAST_MOTION, _LEAST_OF_ERRORS * np.median(after))
    return _Comparison(
        _ratio(after, before),
        _ratio(after[moves], before[moves]),
        int((after < before)[moves].sum()),
        int(moves.sum()),
    )


def _ratio(after: np.ndarray, before: np.ndarray) -> float:
    return float(after.sum() / before.sum()) if before.any() else 1.0


def _without_constant(offsets: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Remove from offsets [L, K, 2] what all poses share, joint by joint.

    Another data set has its joints at other places of the body.
    """
    shared = np.zeros(offsets.shape[1:])
    seen = counted.any(axis=0)
    shown = np.where(counted[..., None], offsets, np.nan)
    shared[seen] = np.nanmedian(shown[:, seen], axis=0)
    return offsets - shared


def _mean_length(offsets: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Average the lengths of offsets [L, K, 2] over the joints that count, [L]; 0 without any."""
    lengths = np.linalg.norm(offsets, axis=-1).clip(max=_FARTHEST) * counted
    return lengths.sum(axis=1) / np.maximum(counted.sum(axis=1), 1)
