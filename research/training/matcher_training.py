"""Training of the joint matcher on densely labelled videos."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from research.training.joint_matcher import JointMatcher
from stdpose_mm.errors import InputError
from stdpose_mm.labelling.comparison.labelled_videos import open_video
from stdpose_mm.labelling.propagation.auto.joint_matching import POSE_SIDE, crop_pose
from stdpose_mm.structures import VISIBLE, PersonLabel, VideoLabels, pose_extent

from .in_memory_training import train_in_memory

MAX_DISTANCE = 24
"""Largest distance in frames from a label to the frame in which its joints are searched for."""

_LEAST_JOINTS = 5
_LEAST_SIZE = 20.0
"""Smallest size of people in pixels; smaller ones show too little to learn from."""

_SCALE_SPREAD = 0.15
_TURN = 15.0
_TURN_BETWEEN = 10.0
"""Standard deviations in degrees of the rotation of both crops, and of one against the other."""

_CONTRAST, _LEAST_CONTRAST, _MOST_CONTRAST = 0.25, 0.3, 2.0
_BRIGHTNESS = 20.0
_COLOUR_GAIN, _COLOUR_OFFSET = 0.1, 8.0
_NOISE = 4.0
"""Standard deviation, in grey values, of the noise in the noisiest crops."""

_BLURRED = 0.2
"""Share of the crops that are blurred."""

_MIDDLE_ERROR = 0.08
_CENTRE_ERROR = 0.1
"""Error in pose sizes of the flow blend, around which joints are searched for."""


class MatchingPairs(Dataset):
    """Provide pairs of frames of a person, as crops with joints.

    The joints to be matched are visible in the label's frame and labelled in the other one. Crops
    are scaled, shifted, rotated and mirrored at random, and differ in contrast, colour, noise and
    blur; an item depends only on its index and the seed.

    Args:
        videos: Dense labels with track ids.
        image_root: Folder to which the paths of their pictures are relative.
        length: Number of items.
        seed: Seed of all random choices.

    Raises:
        InputError: If no person has two labels to compare.
    """

    def __init__(
        self, videos: Sequence[VideoLabels], image_root: Path, length: int, seed: int = 0
    ) -> None:
        self._root = image_root
        self._length = length
        self._seed = seed
        self._tracks = [
            (video, [label for label in track.values() if _is_usable(label)])
            for video in videos
            for track in video.tracks().values()
        ]
        self._tracks = [
            (video, track)
            for video, track in self._tracks
            if any(_are_near(a, b) for a, b in pairwise(track))
        ]
        if not self._tracks:
            raise InputError(
                f'nobody in {len(videos)} videos has labels in two frames at most {MAX_DISTANCE} '
                f'apart, with {_LEAST_JOINTS} joints and {_LEAST_SIZE:g} pixels or more, give '
                'densely labelled videos'
            )

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        rng = np.random.default_rng((self._seed, index))
        video, track = self._tracks[rng.integers(len(self._tracks))]
        pairs = [(a, b) for a in track for b in track if a is not b and _are_near(a, b)]
        label, other = pairs[rng.integers(len(pairs))]
        frames = open_video(video, self._root, None, pictures_needed=True)
        size = _size_of(label) * np.exp(rng.normal(0, _SCALE_SPREAD))
        turn = rng.normal(0, _TURN)
        label_crop, label_joints = _crop(frames[label.frame_index], label, size, turn, rng)
        turn += rng.normal(0, _TURN_BETWEEN)
        crop, joints = _crop(frames[other.frame_index], other, size, turn, rng)
        if rng.random() < 0.5:
            label_crop, crop = label_crop[:, ::-1], crop[:, ::-1]
            for points in (label_joints, joints):
                points[:, 0] = crop.shape[1] - 1 - points[:, 0]
        centres = joints + rng.normal(0, _CENTRE_ERROR * POSE_SIDE, joints.shape)
        item = {
            'label_crops': label_crop.transpose(2, 0, 1),
            'crops': crop.transpose(2, 0, 1),
            'label_joints': label_joints,
            'joints': joints,
            'centres': centres,
            'weights': (label.visibility == VISIBLE) & other.labelled,
            'size': np.array(POSE_SIDE),
        }
        return {
            name: torch.from_numpy(np.array(value, dtype=np.float32, order='C'))
            for name, value in item.items()
        }


def train_matcher(
    videos: Sequence[VideoLabels],
    image_root: Path,
    work_dir: Path,
    max_iters: int = 2200,
    batch_size: int = 96,
    learning_rate: float = 2e-3,
    seed: int = 0,
    device: str = 'cpu',
    workers: int = 0,
) -> JointMatcher:
    """Train a matcher with MMEngine's runner.

    Args:
        videos: Dense labels with track ids.
        image_root: Folder to which the paths of their pictures are relative.
        work_dir: Folder for logs.
        max_iters: Training steps.
        batch_size: Pairs of frames per step.
        learning_rate: Largest learning rate, reached after a tenth of the steps.
        seed: Seed of weights and pairs.
        device: Device for the training.
        workers: Processes that load pairs; 0 to load them in this process, which is faster on few
            cores.

    Raises:
        InputError: If no person has two labels to compare.
    """
    pairs = MatchingPairs(videos, image_root, max_iters * batch_size, seed)
    torch.manual_seed(seed)
    matcher = JointMatcher()
    train_in_memory(
        matcher,
        DataLoader(pairs, batch_size=batch_size, num_workers=workers),
        work_dir,
        max_iters=max_iters,
        optimizer=dict(lr=learning_rate, weight_decay=0.01),
        schedule=dict(pct_start=0.1),
        seed=seed,
        device=device,
    )
    return matcher


def _size_of(label: PersonLabel) -> float:
    return float(pose_extent(label.keypoints, label.labelled)[2:].max())


def _is_usable(label: PersonLabel) -> bool:
    return label.labelled.sum() >= _LEAST_JOINTS and _size_of(label) >= _LEAST_SIZE


def _are_near(one: PersonLabel, other: PersonLabel) -> bool:
    return abs(one.frame_index - other.frame_index) <= MAX_DISTANCE


def _crop(
    picture: np.ndarray, label: PersonLabel, size: float, turn: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Crop a labelled person [S, S, 3], randomly shifted, with its joints [K, 2].

    Args:
        picture: [H, W, 3] uint8.
        label: The person.
        size: Larger side of the pose in pixels.
        turn: Degrees by which the crop is rotated.
        rng: Draws the shift and the appearance.
    """
    x, y, width, height = pose_extent(label.keypoints, label.labelled)
    middle = np.array([x + width / 2, y + height / 2]) + rng.normal(0, _MIDDLE_ERROR, 2) * size
    turned = cv2.getRotationMatrix2D(middle.tolist(), turn, 1.0)
    side = picture.shape[1], picture.shape[0]
    picture = cv2.warpAffine(picture, turned, side, borderMode=cv2.BORDER_REPLICATE)
    crop, to_crop = crop_pose(picture, middle, size)
    joints = label.keypoints @ turned[:, :2].T + turned[:, 2]
    return _filmed(crop, rng), joints @ to_crop[:, :2].T + to_crop[:, 2]


def _filmed(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change contrast, colours and sharpness of a crop, and add noise."""
    contrast = np.clip(1 + rng.normal(0, _CONTRAST), _LEAST_CONTRAST, _MOST_CONTRAST)
    gain = contrast * (1 + rng.normal(0, _COLOUR_GAIN, 3))
    offset = 128 + rng.normal(0, _BRIGHTNESS) + rng.normal(0, _COLOUR_OFFSET, 3)
    changed = (crop.astype(np.float32) - 128) * gain + offset
    changed += rng.normal(0, _NOISE * rng.random(), crop.shape)
    if rng.random() < _BLURRED:
        changed = cv2.blur(changed, (3, 3), borderType=cv2.BORDER_REPLICATE)
    return np.clip(changed, 0, 255).astype(np.float32)
