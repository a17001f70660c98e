"""Random crops of labelled poses, with random changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from stdpose_mm.pose_networks.learned_network import choose_neighbours, pose_box
from stdpose_mm.pose_networks.network_description import NetworkDescription
from stdpose_mm.structures import PersonLabel, Skeleton
from stdpose_mm.structures.boxes import POSE_MARGIN, crop_affine

LONGEST_SIDE = 192
"""Pixels; larger subjects are reduced to this size."""

PADDING = 1.1
"""Factor by which a crop is larger than the box of a pose."""

_PATCH_FACTOR = 1.5
"""Size of the surroundings that are kept with a pose, in crop sizes, to turn and move it."""

_UPRIGHT = 0.8
"""Minimum mean resultant length of the directions of poses that count as upright."""

_TURN, _ANY_TURN = 30.0, 180.0
"""Maximum rotation in degrees of upright poses, and of others."""

_SCALE = 0.2
"""Maximum change of the logarithm of a crop's scale."""

_SHIFT = 0.05
"""Standard deviation of a crop's shift, as a share of its size."""

_RUN = 4
"""Number of labels of a track, in order of time, that are drawn together."""

_TURN_WITHIN = 10.0
"""Maximum further rotation in degrees of a crop in such a run, whose crops turn together."""

_ALONE = 0.7
"""Share of draws of a single label, whose crop has no neighbours and no prior estimate: the network
also finds subjects in videos without labels."""


@dataclass(frozen=True)
class PosePatch:
    """A labelled pose and its surroundings in the picture.

    Args:
        picture: BGR uint8 [h, w, 3], at the scale of the network's crops.
        keypoints: [K, 2] pixels of the patch; NaN where there is no label.
        track: Video and track of the label.
        frame: Its frame.
        size: Size of the pose in pixels of the patch.
    """

    picture: np.ndarray
    keypoints: np.ndarray
    track: tuple[str, int | None]
    frame: int
    size: float


@dataclass(frozen=True)
class CropBatch:
    """Crops of N labelled poses, with their neighbours among them.

    Args:
        crops: [N, 3, h, w] float32, normalised.
        keypoints: [N, K, 2] pixels of the crops; NaN where there is no label.
        prior: [N, K, 2] prior estimate of them, NaN where there is none.
        neighbours: [N, 2] indices of the crops of the labels before and after; 0 without any.
        weights: [N, 2] by how much they count, see :func:`choose_neighbours`.
    """

    crops: np.ndarray
    keypoints: np.ndarray
    prior: np.ndarray
    neighbours: np.ndarray
    weights: np.ndarray


def cut_patch(
    picture: np.ndarray,
    label: PersonLabel,
    description: NetworkDescription,
    least_side: float,
    video: str = '',
    size: float = 1.0,
) -> PosePatch:
    """Cut a labelled pose with its surroundings out of a picture.

    Args:
        picture: BGR uint8 [H, W, 3].
        label: The pose, with at least one joint.
        description: The crops of the network.
        least_side: See :func:`pose_box`.
        video: Name of the video.
        size: Size of the pose in pixels of the picture.
    """
    assert description.input_size is not None
    box = pose_box(label.keypoints, label.labelled, least_side)
    to_crop = crop_affine(box, description.input_size, description.padding, description.geometry)
    sides = np.ceil(np.array(description.input_size) * _PATCH_FACTOR).astype(int)
    to_crop[:, 2] += (sides - np.array(description.input_size)) / 2
    patch = cv2.warpAffine(picture, to_crop, sides.tolist(), borderMode=cv2.BORDER_REPLICATE)
    keypoints = label.keypoints @ to_crop[:, :2].T + to_crop[:, 2]
    keypoints[~label.labelled] = np.nan
    scale = float(np.linalg.norm(to_crop[:, 0]))
    return PosePatch(patch, keypoints, (video, label.track_id), label.frame_index, scale * size)


def group_by_track(patches: Sequence[PosePatch]) -> list[list[int]]:
    """Return the indices of the patches of each track, in order of frames."""
    tracks: dict[tuple[str, int | None], list[int]] = {}
    for index, patch in enumerate(patches):
        tracks.setdefault(patch.track, []).append(index)
    return [sorted(track, key=lambda index: patches[index].frame) for track in tracks.values()]


def choose_input_size(extents: np.ndarray, turns: bool) -> tuple[int, int]:
    """Choose the (width, height) of crops so that they show most poses at the video's resolution.

    Args:
        extents: [N, 2] width and height of poses in pixels.
        turns: Whether the subjects turn in the picture; crops are square then.
    """
    from .small_unet import SIZE_STEP

    sides = np.maximum(np.median(extents, axis=0), 1) * (1 + 2 * POSE_MARGIN) * PADDING
    if turns:
        sides[:] = sides.max()
    sides = np.maximum(sides, sides.max() / 2)
    sides *= min(1.0, LONGEST_SIDE / sides.max())
    width, height = np.maximum(np.ceil(sides / SIZE_STEP) * SIZE_STEP, 3 * SIZE_STEP).astype(int)
    return int(width), int(height)


def subjects_turn(poses: np.ndarray) -> bool:
    """Return whether subjects appear in any direction, by poses [N, K, 2], NaN without a label.

    Every pose is turned to fit the mean shape best. That is the first eigenvector of the sums of
    squares and products of the joints as complex numbers (Kent, The complex Bingham distribution
    and shape analysis, 1994). Directions count as any if they vary more than those of
    standing people.
    """
    centred = poses - np.nanmean(poses, axis=1, keepdims=True)
    values = np.nan_to_num(centred[..., 0] + 1j * centred[..., 1])
    mean_shape = np.linalg.eigh(values.T @ values.conj()).eigenvectors[:, -1]
    products = values @ mean_shape.conj()
    directions = products / np.maximum(np.abs(products), 1e-9)
    return bool(np.abs(directions.mean()) < _UPRIGHT)


def interpolate(keypoints: np.ndarray, neighbours: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Interpolate joints [N, K, 2] between the crops' neighbours, see :class:`CropBatch`."""
    places = keypoints[neighbours]
    shares = weights[..., None, None] * ~np.isnan(places)
    total = shares.sum(axis=1)
    means = (shares * np.nan_to_num(places)).sum(axis=1) / np.maximum(total, 1e-9)
    return np.where(total > 0, means, np.nan).astype(np.float32)


class CropSampler:
    """Sampler of batches of crops with random changes.

    Crops are turned, scaled and shifted, mirrored if the skeleton has sides, and changed in
    brightness, contrast and noise. Labels that follow each other on a track are drawn together, and
    turned and mirrored alike, so that they are each other's neighbours.

    Args:
        patches: The poses to draw from.
        description: The crops of the network.
        skeleton: The joints.
        turns: Whether crops are turned in any direction.
        seed: Seed of the random numbers.
    """

    def __init__(
        self,
        patches: Sequence[PosePatch],
        description: NetworkDescription,
        skeleton: Skeleton,
        turns: bool,
        seed: int,
    ) -> None:
        assert description.input_size is not None
        self._patches = patches
        self._tracks = group_by_track(patches)
        self._size = description.input_size
        self._mean = np.array(description.mean, np.float32)
        self._std = np.array(description.std, np.float32)
        flip = skeleton.flip_indices
        self._flip = list(flip) if any(mirror != i for i, mirror in enumerate(flip)) else None
        self._turn = _ANY_TURN if turns else _TURN
        self._random = np.random.default_rng(seed)

    def draw(self, number: int) -> CropBatch:
        """Draw crops."""
        crops: list[np.ndarray] = []
        keypoints: list[np.ndarray] = []
        neighbours: list[np.ndarray] = []
        weights: list[np.ndarray] = []
        while len(crops) < number:
            run = self._draw_run()[: number - len(crops)]
            frames = [patch.frame for patch in run]
            indices, shares = choose_neighbours(frames, frames)
            neighbours.extend(indices + len(crops))
            weights.extend(shares)
            angle = self._random.uniform(-self._turn, self._turn)
            is_mirrored = self._flip is not None and self._random.random() < 0.5
            light = self._random.uniform(0.7, 1.3), self._random.uniform(-0.3, 0.3)
            for patch in run:
                crop, pixels = self._change(patch, angle, is_mirrored, light)
                crops.append(crop)
                keypoints.append(pixels)
        places, indices, shares = np.stack(keypoints), np.stack(neighbours), np.stack(weights)
        prior = interpolate(places, indices, shares)
        # In use, the estimate is that of a method that has tracked the joints, so it is better.
        prior = places + self._random.uniform(size=(number, places.shape[1], 1)) * (prior - places)
        return CropBatch(
            np.ascontiguousarray(np.stack(crops).transpose(0, 3, 1, 2)),
            places,
            prior.astype(np.float32),
            indices,
            shares.astype(np.float32),
        )

    def _draw_run(self) -> list[PosePatch]:
        """Draw labels that follow each other on a track, or a single one."""
        length = 1 if self._random.random() < _ALONE else _RUN
        sizes = np.array([len(track) for track in self._tracks])
        track = self._tracks[self._random.choice(len(sizes), p=sizes / sizes.sum())]
        start = self._random.integers(1 - length, len(track))
        return [self._patches[index] for index in track[max(start, 0) : start + length]]

    def _change(
        self, patch: PosePatch, angle: float, is_mirrored: bool, light: tuple[float, float]
    ) -> tuple[np.ndarray, np.ndarray]:
        random, size = self._random, np.array(self._size)
        angle = np.deg2rad(angle + random.uniform(-_TURN_WITHIN, _TURN_WITHIN))
        scale = np.exp(random.uniform(-_SCALE, _SCALE))
        linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        if is_mirrored:
            linear = linear @ np.diag([-1.0, 1.0])
        middle = (np.array(patch.picture.shape[1::-1]) - 1) / 2
        offset = (size - 1) / 2 + random.normal(0, _SHIFT, 2) * size - linear @ middle
        affine = np.column_stack([linear, offset])
        crop = cv2.warpAffine(
            patch.picture, affine, self._size, borderMode=cv2.BORDER_REPLICATE
        ).astype(np.float32)
        crop = (crop - self._mean) / self._std
        crop = crop * (light[0] * random.uniform(0.9, 1.1)) + light[1] + random.uniform(-0.1, 0.1)
        if random.random() < 0.3:
            crop += random.normal(0, 0.05, crop.shape)
        keypoints = patch.keypoints @ linear.T + offset
        if is_mirrored:
            keypoints = keypoints[self._flip]
        return crop.astype(np.float32), keypoints.astype(np.float32)
