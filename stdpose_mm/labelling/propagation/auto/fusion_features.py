"""Features of a gap's joints, the input of the fuser.

All of them are relative: positions are offsets from the *centre*, the blend of both flow tracks, in
units of the pose's size. They therefore work for any skeleton at any scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from stdpose_mm.labelling.propagation import Gap
from stdpose_mm.labelling.propagation.flow.flow_tracks import FlowTracks
from stdpose_mm.structures import OCCLUDED

from .candidates import CANDIDATES, Candidates
from .evidence_maps import DENSE_SIDE, MAP_SIDE, MAP_STEPS, HeatmapsAround, near_and_wide
from .joint_matching import JointMatches

VECTORS = (
    *CANDIDATES,
    'forward_error',
    'backward_error',
    'label_displacement',
    'body_displacement',
    'from_middle',
    'from_middle_left',
    'from_middle_right',
    'velocity',
    'forward_velocity',
    'backward_velocity',
)
SCALARS = (
    'position',
    'from_left',
    'to_right',
    'length',
    'has_left',
    'has_right',
    'is_left_end',
    'is_right_end',
    'disagreement',
    'linear_match',
    'forward_match',
    'backward_match',
    'ends_match',
    'outside',
    'occluded_left',
    'occluded_right',
    'has_window_heatmap',
    'has_network_heatmap',
)
MAPS = ('left_match', 'right_match', 'frame_heatmap', 'final_heatmap', 'network_heatmap')


class HeatmapKind(NamedTuple):
    """Where the features of one kind of network are.

    Attributes:
        maps: Slice of ``MAPS``.
        flag: Index of the scalar that tells where there are heatmaps.
    """

    maps: slice
    flag: int


WINDOW_HEATMAPS = HeatmapKind(
    slice(MAPS.index('frame_heatmap'), MAPS.index('network_heatmap')),
    SCALARS.index('has_window_heatmap'),
)
"""Heatmaps of networks that see windows of frames and their labels."""

NETWORK_HEATMAPS = HeatmapKind(
    slice(MAPS.index('network_heatmap'), None), SCALARS.index('has_network_heatmap')
)
"""Heatmaps of networks that see single frames."""

HEATMAP_KINDS = (WINDOW_HEATMAPS, NETWORK_HEATMAPS)

_LEAST_TRUST = 1e-4
"""Minimum trust in a network, including one that misses the labels or cannot be compared with them,
so that several such networks all count."""

VELOCITY_FRAMES = 5
"""Number of frames over which velocities in ``VECTORS`` are measured, as displacements."""

_LENGTH_UNIT = 15.0
"""Frames; scales distances in time to about one."""

LONGEST_GAP = 20
"""Frames; the largest distance between labels in the training of the fuser. Longer distances in
time are clipped to it, since the fuser is overconfident beyond what it has seen."""


@dataclass(frozen=True)
class FusionFeatures:
    """The evidence for K joints in F frames of a gap, labelled ends included.

    Args:
        centre: [F, K, 2] pixels that offsets start from: the blend of both flow tracks.
        size: Mean larger side of the labelled poses in pixels.
        vectors: [F, K, len(VECTORS), 2] offsets and displacements in units of ``size``; the first
            three are the candidates.
        scalars: [F, K, len(SCALARS)].
        maps: [F, K, len(MAP_STEPS), len(MAPS), 9, 9] values at near and wide places around the
            centre, rows downward: similarity to the joint at the left and right label; heatmaps of
            a network that sees windows (every frame alone, and in its window); heatmaps of networks
            that see single frames.
        base_weights: [F, K, 3] weights of the candidates in the centre.
        known: [K] bool: joints that are labelled at an end of the gap; the others have no evidence.
        interior: [F] bool: frames to fill.
    """

    centre: np.ndarray
    size: float
    vectors: np.ndarray
    scalars: np.ndarray
    maps: np.ndarray
    base_weights: np.ndarray
    known: np.ndarray
    interior: np.ndarray

    def has_heatmaps(self) -> bool:
        """Return whether any joint has heatmaps of a pose network."""
        return any(self.scalars[..., kind.flag].any() for kind in HEATMAP_KINDS)

    def without_heatmaps(self, kinds: Sequence[HeatmapKind] = HEATMAP_KINDS) -> FusionFeatures:
        """Remove heatmaps, as if there were no such pose networks.

        Args:
            kinds: The kinds to remove, all by default.
        """
        maps, scalars = self.maps.copy(), self.scalars.copy()
        for kind in kinds:
            maps[..., kind.maps, :, :] = 0
            scalars[..., kind.flag] = 0
        return replace(self, maps=maps, scalars=scalars)


def extract_fusion_features(
    gap: Gap,
    tracks: FlowTracks,
    candidates: Candidates,
    matches: JointMatches,
    picture_size: tuple[int, int],
    heatmaps: Sequence[HeatmapsAround] = (),
) -> FusionFeatures:
    """Extract the features of some frames of a gap.

    Args:
        gap: The gap; one of its ends is labelled.
        tracks: Its flow tracks.
        candidates: Candidates in the chosen frames.
        matches: Matches in the same frames.
        picture_size: (width, height) in pixels.
        heatmaps: Heatmaps of each pose network around the candidates' centre.
    """
    maps, has_heatmaps = _maps(candidates, matches, heatmaps)
    return FusionFeatures(
        centre=candidates.centre,
        size=candidates.size,
        vectors=_vectors(candidates, tracks),
        scalars=_scalars(gap, candidates, matches, has_heatmaps, picture_size),
        maps=maps,
        base_weights=candidates.weights.astype(np.float32),
        known=candidates.left | candidates.right,
        interior=np.isin(candidates.times, gap.frames),
    )


def _vectors(candidates: Candidates, tracks: FlowTracks) -> np.ndarray:
    """Return [F, K, len(VECTORS), 2] float32 offsets and displacements in pose sizes."""
    left, right = candidates.left[:, None], candidates.right[:, None]
    times, centre = candidates.times, candidates.centre
    linear, forward, backward = np.moveaxis(candidates.positions, -2, 0)
    both, is_labelled = left & right, candidates.left | candidates.right
    start, end = centre[0], centre[-1]
    displacement = np.where(both, end - start, 0)
    moved = displacement[both[:, 0]]
    middle = centre[:, is_labelled].mean(axis=1, keepdims=True)
    vectors = {
        'linear': linear - centre,
        'forward': np.where(left, forward - centre, 0),
        'backward': np.where(right, backward - centre, 0),
        'forward_error': np.where(both, tracks.forward[-1] - end, 0),
        'backward_error': np.where(both, tracks.backward[0] - start, 0),
        'label_displacement': displacement,
        'body_displacement': moved.mean(axis=0) if len(moved) else np.zeros(2),
        'from_middle': centre - middle,
        'from_middle_left': np.where(left, start - middle[0], 0),
        'from_middle_right': np.where(right, end - middle[-1], 0),
        'velocity': _velocity(centre, times),
        'forward_velocity': np.where(left, _velocity(forward, times), 0),
        'backward_velocity': np.where(right, _velocity(backward, times), 0),
    }
    stacked = _stack([vectors[name] for name in VECTORS], centre.shape, -2)
    return (stacked / candidates.size).astype(np.float32)


def _maps(
    candidates: Candidates, matches: JointMatches, heatmaps: Sequence[HeatmapsAround]
) -> tuple[np.ndarray, np.ndarray]:
    """Join the maps of :class:`FusionFeatures`.

    Returns:
        The maps, and [2, F, K] bool: joints with heatmaps of networks that see windows, and of
        networks that see single frames.
    """
    windows = [maps_of_network for maps_of_network in heatmaps if maps_of_network.sees_windows]
    networks = [maps_of_network for maps_of_network in heatmaps if not maps_of_network.sees_windows]
    of_windows, has_windows = _mean_maps(windows, 2, candidates)
    of_networks, has_networks = _mean_maps(networks, 1, candidates)
    maps = np.concatenate([matches.maps, of_windows, of_networks], axis=3)
    return maps, np.stack([has_windows, has_networks])


def _mean_maps(
    heatmaps: Sequence[HeatmapsAround], num_maps: int, candidates: Candidates
) -> tuple[np.ndarray, np.ndarray]:
    """Average the maps of networks, weighted by how well each finds the labels.

    Args:
        heatmaps: Heatmaps of networks of the same kind.
        num_maps: Number M of maps that each network has for a joint.
        candidates: Candidates in the F frames.

    Returns:
        [F, K, len(MAP_STEPS), M, 9, 9], and [F, K] bool: joints with a map.
    """
    shape = candidates.centre.shape[:2]
    has_heatmap = np.zeros(shape, bool)
    if not heatmaps:
        nothing = np.zeros((*shape, len(MAP_STEPS), num_maps, MAP_SIDE, MAP_SIDE), np.float32)
        return nothing, has_heatmap
    dense = np.zeros((*shape, num_maps, DENSE_SIDE, DENSE_SIDE), np.float32)
    total = np.zeros(shape, np.float32)
    for network in heatmaps:
        trust = 1.0 if len(heatmaps) == 1 else np.square(network.at_labels) + _LEAST_TRUST
        weight = network.has_heatmap * trust
        dense += network.maps * weight[..., None, None, None]
        total += weight
        has_heatmap |= network.has_heatmap
    dense /= np.maximum(total, 1e-6)[..., None, None, None]
    return near_and_wide(dense), has_heatmap


def _scalars(
    gap: Gap,
    candidates: Candidates,
    matches: JointMatches,
    has_heatmaps: np.ndarray,
    picture_size: tuple[int, int],
) -> np.ndarray:
    """Return the scalars [F, K, len(SCALARS)] float32."""
    left, right, centre = candidates.left, candidates.right, candidates.centre
    times = candidates.times[:, None]
    interior = np.isin(times, gap.frames)
    _, forward, backward = np.moveaxis(candidates.positions, -2, 0)
    disagreement = np.linalg.norm(forward - backward, axis=-1)
    one_label = gap.left is None or gap.right is None
    position = 0.5 if one_label else (times - gap.first) / (gap.last - gap.first)
    width, height = picture_size
    from_left, to_right, length = (
        np.minimum(distance, LONGEST_GAP) / _LENGTH_UNIT
        for distance in (times - gap.first, gap.last - times, gap.last - gap.first)
    )
    scalars = {
        'position': position,
        'from_left': from_left * left,
        'to_right': to_right * right,
        'length': length,
        'has_left': left,
        'has_right': right,
        'is_left_end': (times == gap.first) & left & ~interior,
        'is_right_end': (times == gap.last) & right & ~interior,
        'disagreement': np.where(left & right, disagreement / candidates.size, 0),
        'linear_match': matches.at_candidates[..., 0],
        'forward_match': matches.at_candidates[..., 1],
        'backward_match': matches.at_candidates[..., 2],
        'ends_match': matches.ends,
        'outside': ((centre < 0) | (centre > (width - 1, height - 1))).any(axis=-1),
        'occluded_left': gap.left is not None and gap.left.visibility == OCCLUDED,
        'occluded_right': gap.right is not None and gap.right.visibility == OCCLUDED,
        'has_window_heatmap': has_heatmaps[0],
        'has_network_heatmap': has_heatmaps[1],
    }
    return _stack([scalars[name] for name in SCALARS], centre.shape[:2], -1).astype(np.float32)


def _stack(values: Sequence[Any], shape: tuple[int, ...], axis: int) -> np.ndarray:
    return np.stack([np.broadcast_to(value, shape) for value in values], axis)


def _velocity(points: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return the displacement [F, K, 2] over some frames, of the same order as the offsets."""
    return VELOCITY_FRAMES * np.gradient(points, times, axis=0)
