"""Candidate positions of a gap's joints, and their blend, which all evidence is relative to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stdpose_mm.labelling.propagation import Gap
from stdpose_mm.labelling.propagation.flow.flow_tracks import FlowTracks, labelled_ends, pose_size
from stdpose_mm.labelling.propagation.interpolation import interpolate_joints

CANDIDATES = ('linear', 'forward', 'backward')


@dataclass(frozen=True)
class Candidates:
    """The candidate positions of K joints in F frames of a gap, and their blend.

    Args:
        times: [F] frame indices, the gap's first and last among them.
        left, right: [K] bool: joints that are labelled at the left, or right, end.
        positions: [F, K, 3, 2] pixels, in the order of ``CANDIDATES``.
        weights: [F, K, 3] weights of the blend.
        centre: [F, K, 2] pixels, the blend; linear interpolation where neither label has the joint.
        size: Mean larger side of the labelled poses in pixels.
    """

    times: np.ndarray
    left: np.ndarray
    right: np.ndarray
    positions: np.ndarray
    weights: np.ndarray
    centre: np.ndarray
    size: float


def find_candidates(gap: Gap, tracks: FlowTracks, times: np.ndarray) -> Candidates:
    """Find the candidates of a gap.

    Args:
        gap: The gap; one of its ends is labelled.
        tracks: Its flow tracks.
        times: [F] frames to look at, ascending, including the gap's first and last frame.
    """
    rows = times - gap.first
    left, right = labelled_ends(gap)
    linear = interpolate_joints(gap, times)
    positions = np.stack([linear, tracks.forward[rows], tracks.backward[rows]], axis=-2)
    blend = tracks.weights(gap)[rows]
    weights = np.concatenate([np.zeros_like(blend[..., :1]), blend], axis=-1)
    centre = np.einsum('fkc,fkcd->fkd', weights, positions)
    unknown = ~(left | right)
    centre[:, unknown] = linear[:, unknown]
    return Candidates(times, left, right, positions, weights, centre, pose_size(gap))
