"""Features of a gap's joints that the fuser weighs.

All of them are relative: positions are offsets from the *centre*, the blend of both flow tracks, in
units of the pose's size. So they serve any skeleton at any scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

from stdpose_mm.io.video import FrameSource
from stdpose_mm.propagation import Gap
from stdpose_mm.propagation.flow.flow_tracks import FlowTracks, labelled_ends, pose_size
from stdpose_mm.propagation.interpolation.linear_propagator import interpolate_joints
from stdpose_mm.structures import OCCLUDED
from stdpose_mm.structures.joint_mapping import JointMapping

if TYPE_CHECKING:
    from stdpose_mm.propagation.window.gap_heatmap_estimator import EstimatedHeatmaps

MAP_SIDE = 9
MAP_STEPS = (0.03, 0.09)
"""Maps are 9x9 places around the centre, 3 % or 9 % of the pose's size apart: the near ones reach
12 % of it, the wide ones 36 %. A place of a wide map holds the largest of the 3x3 near ones."""

_REDUCTION = 3
DENSE_SIDE = MAP_SIDE * _REDUCTION
_DENSE_STEP = MAP_STEPS[0]

_PATCH_SIDE = 9
_PATCH_STEP = _DENSE_STEP / 2
_MAX_SAMPLE_STEP = 2.0
"""Pixels between two samples of a patch."""
_REGION_SIDE = (DENSE_SIDE - 1) * 2 + _PATCH_SIDE
"""Patches are 9x9 samples, twice as dense as the places; a region holds all patches of a map."""

CANDIDATES = ('linear', 'forward', 'backward')
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
    'has_heatmap',
)
MAPS = ('left_match', 'right_match', 'frame_heatmap', 'final_heatmap')

LEAST_AGREEMENT = 0.3
"""A network whose maps at the labels reach less than this share of their highest places around (the
mean over the joints of a gap) sees something else and is left out. EfficientPose has 0.4 to 0.97 on
98 % of the gaps of real clips, random peaks have less than 0.1."""

_LEAST_TRUST = 1e-4
"""Of a network that misses the labels, or has seen none, so that of several such ones all count."""

_LENGTH_UNIT = 15.0
"""Frames; brings distances in time to the order of one."""


@dataclass(frozen=True)
class GapHeatmaps:
    """Heatmaps of one network for the joints of labels: one kind of evidence, whatever made it.

    Args:
        frames: The F frames of the maps, ascending.
        frame_heatmaps: [F, K, h, w] of every frame by itself.
        final_heatmaps: [F, K, h, w] of every frame together with the labels around it; the same
            as ``frame_heatmaps`` from a network that sees no labels.
        to_heatmap: [F, 2, 3] affine from pixels of each picture to pixels of its maps.
        shown: [K] bool: joints that the pose network knows.
    """

    frames: Sequence[int]
    frame_heatmaps: np.ndarray
    final_heatmaps: np.ndarray
    to_heatmap: np.ndarray
    shown: np.ndarray

    @classmethod
    def of_labels(cls, maps: EstimatedHeatmaps, mapping: JointMapping) -> GapHeatmaps:
        """Put the maps of a model into the order of the labels' joints."""

        def ordered(values: np.ndarray) -> np.ndarray:
            return mapping.to_labels(values.swapaxes(0, 1)).swapaxes(0, 1)

        shown = mapping.to_labels(np.ones(mapping.num_model, dtype=bool))
        single, final = ordered(maps.frame_heatmaps), ordered(maps.final_heatmaps)
        return cls(maps.frames, single, final, maps.to_heatmap, shown)


@dataclass(frozen=True)
class FusionFeatures:
    """Evidence for K joints in F frames of a gap, labelled ends included.

    Args:
        centre: [F, K, 2] pixels that offsets start from, the blend of both flow tracks.
        size: Larger side of the labelled poses in pixels, their mean.
        vectors: [F, K, len(VECTORS), 2] offsets and displacements in units of ``size``; the first
            three are the candidates.
        scalars: [F, K, len(SCALARS)].
        maps: [F, K, len(MAP_STEPS), len(MAPS), 9, 9] values at places around the centre, near and
            wide, rows downward: correlation with the picture patch at the left and right label,
            and heatmaps.
        base_weights: [F, K, 3] weights of the candidates that make the centre.
        known: [K] bool: whether an end of the gap labels the joint; no evidence otherwise.
        interior: [F] bool: frames that are to be filled.
    """

    centre: np.ndarray
    size: float
    vectors: np.ndarray
    scalars: np.ndarray
    maps: np.ndarray
    base_weights: np.ndarray
    known: np.ndarray
    interior: np.ndarray


def extract_fusion_features(
    frames: FrameSource,
    gap: Gap,
    tracks: FlowTracks,
    chosen: Sequence[int] | None = None,
    heatmaps: Sequence[GapHeatmaps] = (),
) -> FusionFeatures:
    """Extract the evidence for one gap, or for some of its frames.

    Args:
        frames: The video.
        gap: The gap; one of its ends is labelled.
        tracks: Its flow tracks.
        chosen: Frames to look at, ascending, the gap's first and last among them; all by default.
        heatmaps: Of each pose network, for some or all of these frames.
    """
    times = np.array(tracks.frames if chosen is None else chosen)
    candidates = _find_candidates(gap, tracks, times)
    matches = _match_patches(frames, gap, candidates)
    maps, has_heatmap = _maps(candidates, matches, heatmaps)
    return FusionFeatures(
        centre=candidates.centre,
        size=candidates.size,
        vectors=_vectors(candidates, tracks),
        scalars=_scalars(gap, candidates, matches, has_heatmap, frames.size),
        maps=maps,
        base_weights=candidates.weights.astype(np.float32),
        known=candidates.left | candidates.right,
        interior=np.isin(times, gap.frames),
    )


@dataclass(frozen=True)
class _Candidates:
    """Candidate positions of K joints in F frames of a gap, and their blend.

    Args:
        times: [F] frame indices, the gap's first and last among them.
        left, right: [K] bool: joints of the left, and of the right, label.
        positions: [F, K, 3, 2] pixels, in the order of ``CANDIDATES``.
        weights: [F, K, 3] weights of the blend.
        centre: [F, K, 2] pixels, the blend; linear where neither label has the joint.
        size: Mean larger side of the labelled poses in pixels.
    """

    times: np.ndarray
    left: np.ndarray
    right: np.ndarray
    positions: np.ndarray
    weights: np.ndarray
    centre: np.ndarray
    size: float


def _find_candidates(gap: Gap, tracks: FlowTracks, times: np.ndarray) -> _Candidates:
    rows = times - gap.first
    left, right = labelled_ends(gap)
    linear = np.stack([interpolate_joints(gap, time) for time in times])
    positions = np.stack([linear, tracks.forward[rows], tracks.backward[rows]], axis=-2)
    blend = tracks.weights(gap)[rows]
    weights = np.concatenate([np.zeros_like(blend[..., :1]), blend], axis=-1)
    centre = np.einsum('fkc,fkcd->fkd', weights, positions)
    unknown = ~(left | right)
    centre[:, unknown] = linear[:, unknown]
    return _Candidates(times, left, right, positions, weights, centre, pose_size(gap))


def _vectors(candidates: _Candidates, tracks: FlowTracks) -> np.ndarray:
    """Return [F, K, len(VECTORS), 2] float32 offsets and displacements in pose sizes."""
    left, right = candidates.left[:, None], candidates.right[:, None]
    times, centre = candidates.times, candidates.centre
    linear, forward, backward = np.moveaxis(candidates.positions, -2, 0)
    both, known = left & right, candidates.left | candidates.right
    start, end = centre[0], centre[-1]
    displacement = np.where(both, end - start, 0)
    moved = displacement[both[:, 0]]
    middle = centre[:, known].mean(axis=1, keepdims=True)
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
    candidates: _Candidates, matches: _Matches, heatmaps: Sequence[GapHeatmaps]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the maps of :class:`FusionFeatures`, and [F, K] bool: joints with heatmaps."""
    shape = candidates.centre.shape[:2]
    maps = np.zeros((*shape, len(MAP_STEPS), len(MAPS), MAP_SIDE, MAP_SIDE), np.float32)
    maps[:, :, :, :2] = near_and_wide(matches.maps)
    has_heatmap = np.zeros(shape, bool)
    dense = np.zeros((*shape, 2, DENSE_SIDE, DENSE_SIDE), np.float32)
    total = np.zeros(shape, np.float32)
    for network in heatmaps:
        around, shown = _maps_around(candidates, network)
        at_label, agreement = _judge_at_labels(candidates, around, shown)
        sees_labels = network.final_heatmaps is not network.frame_heatmaps
        if not sees_labels and agreement < LEAST_AGREEMENT:
            continue
        weight = shown * (1.0 if len(heatmaps) == 1 else np.square(at_label) + _LEAST_TRUST)
        dense += around * weight[..., None, None, None]
        total += weight
        has_heatmap |= shown
    dense /= np.maximum(total, 1e-6)[..., None, None, None]
    maps[:, :, :, 2:] = near_and_wide(dense)
    return maps, has_heatmap


def _maps_around(candidates: _Candidates, network: GapHeatmaps) -> tuple[np.ndarray, np.ndarray]:
    """Sample a network's maps around the centre: [F, K, 2, 27, 27], and [F, K] where it has any."""
    shape = candidates.centre.shape[:2]
    dense = np.zeros((*shape, 2, DENSE_SIDE, DENSE_SIDE), np.float32)
    here = np.isin(candidates.times, network.frames)
    rows = np.searchsorted(network.frames, candidates.times[here])
    centre, to_heatmap = candidates.centre[here], network.to_heatmap[rows]
    for index, values in enumerate((network.frame_heatmaps, network.final_heatmaps)):
        if index == 1 and values is network.frame_heatmaps:
            dense[here, :, 1] = dense[here, :, 0]
            continue
        dense[here, :, index] = _heatmaps_around(values[rows], to_heatmap, centre, candidates.size)
    return dense, here[:, None] & network.shown


def _judge_at_labels(
    candidates: _Candidates, around: np.ndarray, shown: np.ndarray
) -> tuple[np.ndarray, float]:
    """Tell by the labelled ends, where the truth lies in the middle of a map, how good maps are.

    Returns:
        [K] how high each joint's map is at the label, the higher its highest place is above that
        the less, mean over both ends; and the mean share of the highest place over all joints, 1 if
        there is nothing to judge by.
    """
    height, share, ends = np.zeros((3, shown.shape[1]))
    middle = DENSE_SIDE // 2
    near = slice(middle - 1, middle + 2)
    for row, labelled in ((0, candidates.left), (-1, candidates.right)):
        maps = around[row, :, 0]
        peak = np.maximum(maps.max(axis=(-2, -1)), 1e-6)
        at_label = maps[:, near, near].max(axis=(-2, -1))
        seen = labelled & shown[row]
        height += seen * np.square(at_label) / peak
        share += seen * at_label / peak
        ends += seen
    if not ends.any():
        return height, 1.0
    return height / np.maximum(ends, 1), float(share.sum() / ends.sum())


def _scalars(
    gap: Gap,
    candidates: _Candidates,
    matches: _Matches,
    has_heatmap: np.ndarray,
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
    scalars = {
        'position': position,
        'from_left': (times - gap.first) * left / _LENGTH_UNIT,
        'to_right': (gap.last - times) * right / _LENGTH_UNIT,
        'length': (gap.last - gap.first) / _LENGTH_UNIT,
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
        'has_heatmap': has_heatmap,
    }
    return _stack([scalars[name] for name in SCALARS], centre.shape[:2], -1).astype(np.float32)


def _stack(values: Sequence[Any], shape: tuple[int, ...], axis: int) -> np.ndarray:
    return np.stack([np.broadcast_to(value, shape) for value in values], axis)


def near_and_wide(dense: np.ndarray) -> np.ndarray:
    """Reduce maps [..., M, 27, 27] to those of :class:`FusionFeatures`: [..., 2, M, 9, 9]."""
    start = (DENSE_SIDE - MAP_SIDE) // 2
    near = dense[..., start : start + MAP_SIDE, start : start + MAP_SIDE]
    cells = dense.reshape(*dense.shape[:-2], MAP_SIDE, _REDUCTION, MAP_SIDE, _REDUCTION)
    return np.stack([near, cells.max(axis=(-3, -1))], axis=-4)


class _Matches(NamedTuple):
    """Correlation of the picture with the patches at the labelled joints.

    Args:
        maps: [F, K, 2, 27, 27] with the left and right label's patch at places around the centre;
            zeros without the label.
        at_candidates: [F, K, 3] at each candidate, with the patch of the label it starts from;
            at the straight line the mean over the labels there are.
        ends: [K] of both labels' patches with each other.
    """

    maps: np.ndarray
    at_candidates: np.ndarray
    ends: np.ndarray


def _match_patches(frames: FrameSource, gap: Gap, candidates: _Candidates) -> _Matches:
    """Correlate patches 12 % of the pose's size wide, normalised, each colour about its mean."""
    centre, size, positions = candidates.centre, candidates.size, candidates.positions
    num_frames, num_joints = centre.shape[:2]
    labelled = np.stack([candidates.left, candidates.right])
    ends = ((gap.first, centre[0]), (gap.last, centre[-1]))
    known = labelled.any(axis=0)
    templates = np.stack(
        [_PatchSampler(frames[t], at[known], size)(at, _PATCH_SIDE) for t, at in ends]
    )
    normalised = _normalised(templates) * labelled[..., None]
    shares = labelled / np.maximum(labelled.sum(axis=0), 1)
    maps = np.zeros((num_frames, num_joints, 2, DENSE_SIDE, DENSE_SIDE), np.float32)
    at_candidates = np.zeros((num_frames, num_joints, len(CANDIDATES)), np.float32)
    for index, frame in enumerate(candidates.times):
        around = np.concatenate([centre[index, known], *positions[index, known]])
        sample_patches = _PatchSampler(frames[int(frame)], around, size)
        regions = sample_patches(centre[index], _REGION_SIDE)
        for side, joint in np.argwhere(normalised.any(axis=-1)):
            # Several times faster on bytes than on floating point numbers.
            found = cv2.matchTemplate(regions[joint], templates[side, joint], cv2.TM_CCOEFF_NORMED)
            maps[index, joint, side] = found[::2, ::2].clip(-1, 1)
        points = positions[index].reshape(-1, 2)
        patches = _normalised(sample_patches(points, _PATCH_SIDE))
        patches = patches.reshape(num_joints, len(CANDIDATES), -1)
        linear, forward, backward = np.einsum('kcn,skn->csk', patches, normalised)
        at_candidates[index] = np.stack(
            [(linear * shares).sum(axis=0), forward[0], backward[1]], axis=-1
        )
    return _Matches(maps, at_candidates, (normalised[0] * normalised[1]).sum(axis=-1))


class _PatchSampler:
    """Samples patches of one picture, ``_PATCH_STEP`` pose sizes apart.

    Args:
        picture: uint8 [H, W, 3].
        points: [N, 2] pixels that patches will be around; the picture is reduced there only.
        size: Of the pose in pixels.
    """

    def __init__(self, picture: np.ndarray, points: np.ndarray, size: float) -> None:
        self._step = _PATCH_STEP * size
        # Where the samples lie far apart the picture is reduced first: they shall see all of it.
        factor = min(1.0, _MAX_SAMPLE_STEP / self._step)
        margin = (_REGION_SIDE // 2 + 1) * self._step + 1 / factor
        height, width = picture.shape[:2]
        low = np.clip(points.min(axis=0) - margin, 0, (width - 1, height - 1)).astype(int)
        high = np.clip(points.max(axis=0) + margin, low, (width - 1, height - 1)).astype(int)
        self._picture = picture[low[1] : high[1] + 1, low[0] : high[0] + 1]
        original = high + 1 - low
        if factor < 1:
            reduced = np.maximum(np.rint(original * factor).astype(int), 1)
            self._picture = cv2.resize(
                self._picture, reduced.tolist(), interpolation=cv2.INTER_AREA
            )
        self._low = low
        self._scale = np.array(self._picture.shape[1::-1]) / original

    def __call__(self, points: np.ndarray, side: int) -> np.ndarray:
        """Sample [N, side, side, 3] uint8 around ``points`` [N, 2]."""
        points = (points - self._low + 0.5) * self._scale - 0.5
        offsets = (np.arange(side) - side // 2) * self._step
        x = points[:, 0, None, None] + offsets[None, None, :] * self._scale[0]
        y = points[:, 1, None, None] + offsets[None, :, None] * self._scale[1]
        x, y = (np.broadcast_to(v, (len(points), side, side)).reshape(-1, side) for v in (x, y))
        sampled = cv2.remap(
            self._picture,
            x.astype(np.float32),
            y.astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return sampled.reshape(len(points), side, side, 3)


def _normalised(patches: np.ndarray) -> np.ndarray:
    """Normalise patches [..., side, side, 3] to [..., N]: colours about their means, length 1.

    Zeros where all samples are equal.
    """
    centred = patches - patches.mean(axis=(-3, -2), keepdims=True, dtype=np.float32)
    centred = centred.reshape(*patches.shape[:-3], -1)
    length = np.linalg.norm(centred, axis=-1, keepdims=True)
    return np.divide(centred, length, out=np.zeros_like(centred), where=length > 1e-3)


def _heatmaps_around(
    heatmaps: np.ndarray, to_heatmap: np.ndarray, centre: np.ndarray, size: float
) -> np.ndarray:
    """Sample heatmaps [F, K, h, w] around the centre as [F, K, 27, 27]; 0 outside of them."""
    num_frames, num_joints = centre.shape[:2]
    offsets = (np.arange(DENSE_SIDE) - DENSE_SIDE // 2) * _DENSE_STEP * size
    places = np.stack(np.broadcast_arrays(offsets[None, :], offsets[:, None]), axis=-1)
    points = centre[:, :, None, None] + places
    by_frame = to_heatmap[:, None, None]
    reduced = points @ by_frame[..., :2].swapaxes(-1, -2) + by_frame[..., None, :, 2]
    reduced = reduced.astype(np.float32)
    result = np.zeros((num_frames, num_joints, DENSE_SIDE, DENSE_SIDE), np.float32)
    for frame in range(num_frames):
        for joint in range(num_joints):
            x, y = reduced[frame, joint, ..., 0], reduced[frame, joint, ..., 1]
            result[frame, joint] = cv2.remap(
                heatmaps[frame, joint], x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
            )
    return result


def _velocity(points: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return the displacement [F, K, 2] in five frames, which is of the order of the offsets."""
    return 5 * np.gradient(points, times, axis=0)
