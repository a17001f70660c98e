"""Random crops of labelled poses, with random changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from stdpose_mm.labelling.evidence.learned_network import pose_box
from stdpose_mm.labelling.evidence.network_description import NetworkDescription
from stdpose_mm.structures import PersonLabel, Skeleton, on_line
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

_WITHOUT_PRIOR = 0.35
"""Share of crops that are drawn without a prior estimate: the network also finds subjects in videos
without labels."""


@dataclass(frozen=True)
class PosePatch:
    """A labelled pose and its surroundings in the picture.

    Args:
        picture: BGR uint8 [h, w, 3], at the scale of the network's crops.
        keypoints: [K, 2] pixels of the patch; NaN where there is no label.
        prior: [K, 2] where the labels around it have the joints; NaN without such labels.
        size: Size of the pose in pixels of the patch.
    """

    picture: np.ndarray
    keypoints: np.ndarray
    prior: np.ndarray
    size: float


def cut_patch(
    picture: np.ndarray,
    label: PersonLabel,
    prior: np.ndarray,
    description: NetworkDescription,
    least_side: float,
    size: float = 1.0,
) -> PosePatch:
    """Cut a labelled pose with its surroundings out of a picture.

    Args:
        picture: BGR uint8 [H, W, 3].
        label: The pose, with at least one joint.
        prior: [K, 2] pixels, see :func:`interpolate_labels`.
        description: The crops of the network.
        least_side: See :func:`pose_box`.
        size: Size of the pose in pixels of the picture.
    """
    assert description.input_size is not None
    box = pose_box(label.keypoints, label.labelled, least_side)
    to_crop = crop_affine(box, description.input_size, description.padding, description.geometry)
    sides = np.ceil(np.array(description.input_size) * _PATCH_FACTOR).astype(int)
    to_crop[:, 2] += (sides - np.array(description.input_size)) / 2
    patch = cv2.warpAffine(picture, to_crop, sides.tolist(), borderMode=cv2.BORDER_REPLICATE)
    keypoints, prior = (
        points @ to_crop[:, :2].T + to_crop[:, 2] for points in (label.keypoints, prior)
    )
    keypoints[~label.labelled] = np.nan
    return PosePatch(patch, keypoints, prior, float(np.linalg.norm(to_crop[:, 0])) * size)


def interpolate_labels(labels: Sequence[PersonLabel]) -> np.ndarray:
    """Interpolate the joints of each of N labels of a track between the others.

    Args:
        labels: In order of frames.

    Returns:
        [N, K, 2] pixels; NaN for joints that no other label gives.
    """
    is_given = np.stack([label.given for label in labels])
    places = np.stack([label.keypoints for label in labels])
    frames = np.array([label.frame_index for label in labels])
    joints = np.full(places.shape, np.nan)
    for joint in range(is_given.shape[1]):
        labelled = np.flatnonzero(is_given[:, joint])
        after = np.searchsorted(frames[labelled], frames, 'right')
        before = np.searchsorted(frames[labelled], frames) - 1
        exists = (before >= 0) | (after < len(labelled))
        first = labelled[np.where(before >= 0, before, after)[exists]]
        last = labelled[np.where(after < len(labelled), after, before)[exists]]
        share = (frames[exists] - frames[first]) / np.maximum(frames[last] - frames[first], 1)
        joints[exists, joint] = on_line(places[first, joint], places[last, joint], share[:, None])
    return joints


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


class CropSampler:
    """Sampler of batches of crops with random changes.

    Crops are turned, scaled and shifted, mirrored if the skeleton has sides, and changed in
    brightness, contrast and noise.

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
        self._size = description.input_size
        self._mean = np.array(description.mean, np.float32)
        self._std = np.array(description.std, np.float32)
        flip = skeleton.flip_indices
        self._flip = list(flip) if any(mirror != i for i, mirror in enumerate(flip)) else None
        self._turn = _ANY_TURN if turns else _TURN
        self._random = np.random.default_rng(seed)

    def draw(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw crops.

        Returns:
            Normalised crops [N, 3, h, w] float32, keypoints [N, K, 2] in their pixels, NaN without
            a label, and prior estimates [N, K, 2] of them, NaN without one.
        """
        chosen = self._random.integers(len(self._patches), size=number)
        drawn = [self._change(self._patches[index]) for index in chosen]
        crops, keypoints, prior = (np.stack(values) for values in zip(*drawn, strict=True))
        return np.ascontiguousarray(crops.transpose(0, 3, 1, 2)), keypoints, prior

    def _change(self, patch: PosePatch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        random, size = self._random, np.array(self._size)
        angle = np.deg2rad(random.uniform(-self._turn, self._turn))
        scale = np.exp(random.uniform(-_SCALE, _SCALE))
        linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        is_mirrored = self._flip is not None and random.random() < 0.5
        if is_mirrored:
            linear = linear @ np.diag([-1.0, 1.0])
        middle = (np.array(patch.picture.shape[1::-1]) - 1) / 2
        offset = (size - 1) / 2 + random.normal(0, _SHIFT, 2) * size - linear @ middle
        affine = np.column_stack([linear, offset])
        crop = cv2.warpAffine(
            patch.picture, affine, self._size, borderMode=cv2.BORDER_REPLICATE
        ).astype(np.float32)
        crop = (crop - self._mean) / self._std
        crop = crop * random.uniform(0.7, 1.3) + random.uniform(-0.3, 0.3)
        if random.random() < 0.3:
            crop += random.normal(0, 0.05, crop.shape)
        # In use, the estimate is that of a method that has tracked the joints, so it is better.
        share = random.uniform(size=(len(patch.prior), 1))
        prior = patch.keypoints + share * (patch.prior - patch.keypoints)
        if random.random() < _WITHOUT_PRIOR:
            prior[:] = np.nan
        points = np.stack([patch.keypoints, prior]) @ linear.T + offset
        if is_mirrored:
            points = points[:, self._flip]
        keypoints, prior = points.astype(np.float32)
        return crop.astype(np.float32), keypoints, prior
