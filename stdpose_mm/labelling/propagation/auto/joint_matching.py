"""Search for a gap's labelled joints in its other frames, by appearance."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.onnx_session import GraphInput, start_session

from .candidates import CANDIDATES, Candidates
from .evidence_maps import (
    DENSE_SIDE,
    MAP_SIDE,
    MAP_STEPS,
    near_and_wide,
    places_around,
    sample_maps,
    to_places,
)

SHIPPED_MATCHER = Path(__file__).parent / 'weights' / 'joint_matcher.onnx'

CROP_SIDE = 160
POSE_SIDE = 96.0
"""Larger side of a pose in a crop, in pixels of the crop."""

_STRIDE = 2
_INPUTS = (GraphInput('crops', (None, 3, CROP_SIDE, CROP_SIDE), 'float32'),)
_EXPECTED = 'a file written by research/tools/train_matcher.py of this version'


class TrainedMatcher:
    """Network that finds joints again in other frames, from an ONNX file.

    Args:
        path: File that :func:`~research.export.matcher_export.export_matcher` wrote.

    Raises:
        InputError: If onnxruntime is missing, or the file cannot be read or run, or holds another
            network.
    """

    def __init__(self, path: Path = SHIPPED_MATCHER) -> None:
        self._session = start_session(path, _EXPECTED, threads=1)
        if self._session.inputs != _INPUTS or 'descriptors' not in self._session.outputs:
            raise InputError(f'{path} does not hold a joint matcher, give {_EXPECTED}')

    def describe(self, crops: np.ndarray) -> np.ndarray:
        """Describe crops [N, S, S, 3] uint8 BGR by [N, D, S / 2, S / 2] float32 of length 1."""
        (descriptors,) = self._session.run(['descriptors'], self.inputs(crops))
        return descriptors

    @staticmethod
    def inputs(crops: np.ndarray) -> dict[str, np.ndarray]:
        """Convert crops [N, S, S, 3] to the inputs of the network, by name."""
        return {'crops': np.ascontiguousarray(crops.transpose(0, 3, 1, 2), dtype=np.float32)}


@lru_cache(maxsize=1)
def shipped_matcher() -> TrainedMatcher:
    """Load the matcher that comes with the package, once."""
    return TrainedMatcher()


def crop_pose(
    picture: np.ndarray, middle: np.ndarray, size: float
) -> tuple[np.ndarray, np.ndarray]:
    """Crop a pose so that it is ``POSE_SIDE`` pixels large.

    Args:
        picture: [H, W, 3] uint8.
        middle: [2] pixels of the picture, in the middle of the crop.
        size: Larger side of the pose in pixels.

    Returns:
        [S, S, 3], with the picture's border repeated outside of it, and the affine [2, 3] from
        pixels of the picture to pixels of the crop.
    """
    scale = POSE_SIDE / size
    shift = (CROP_SIDE - 1) / 2 - scale * middle
    to_crop = np.column_stack([scale * np.eye(2), shift])
    # Linear interpolation reads only four pixels and would alias without reducing first. Whole
    # factors take a fifth of the time of others.
    factor = max(int(1 / scale), 1)
    reach = CROP_SIDE / 2 / scale + 2 * factor
    last = np.array(picture.shape[1::-1]) - 1
    low = np.clip(middle - reach, 0, last).astype(int)
    high = np.clip(middle + reach, low, last).astype(int)
    reduced = np.maximum((high + 1 - low) // factor, 1)
    columns, rows = map(slice, low, low + factor * reduced)
    part = picture[rows, columns]
    if factor > 1:
        part = cv2.resize(part, reduced.tolist(), interpolation=cv2.INTER_AREA)
    # Pixel x of the part is (x + 0.5) * factor - 0.5 + low of the picture.
    from_part = np.column_stack(
        [factor * scale * np.eye(2), shift + scale * (low + (factor - 1) / 2)]
    )
    side = CROP_SIDE, CROP_SIDE
    return cv2.warpAffine(part, from_part, side, borderMode=cv2.BORDER_REPLICATE), to_crop


def to_descriptors(to_crop: np.ndarray) -> np.ndarray:
    """Convert an affine [2, 3] to pixels of a crop into one to places of its descriptors."""
    result = to_crop / _STRIDE
    result[:, 2] += (1 - _STRIDE) / (2 * _STRIDE)
    return result


class JointMatches(NamedTuple):
    """Similarity of places to the joints at both labels, from -1 to 1.

    Args:
        maps: [F, K, len(MAP_STEPS), 2, 9, 9] similarity of near and wide places around the centre
            to the joint at the left and right label; zeros without the label.
        at_candidates: [F, K, 3] similarity of each candidate to the joint at the label it starts
            from; for linear interpolation, the mean over the existing labels.
        ends: [K] similarity of the joints at both labels to each other.
    """

    maps: np.ndarray
    at_candidates: np.ndarray
    ends: np.ndarray


class _Described(NamedTuple):
    """The descriptors of a crop.

    Args:
        descriptors: [D, h, w].
        to_map: Affine [2, 3] from pixels of the picture to places of the descriptors.
    """

    descriptors: np.ndarray
    to_map: np.ndarray


class JointSearch:
    """Search for the joints of a gap's labels in its other frames.

    Args:
        candidates: Candidates of the gap.
        matcher: Describes pictures.
    """

    def __init__(self, candidates: Candidates, matcher: TrainedMatcher) -> None:
        self._candidates = candidates
        self._matcher = matcher
        self._labelled = np.stack([candidates.left, candidates.right])
        self._crops: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def add(self, frame: int, picture: np.ndarray) -> None:
        """Crop the picture of a frame."""
        candidates = self._candidates
        row = int(np.searchsorted(candidates.times, frame))
        centre = candidates.centre[row, self._labelled.any(axis=0)]
        middle = (centre.min(axis=0) + centre.max(axis=0)) / 2
        self._crops[row] = crop_pose(picture, middle, candidates.size)

    def matches(self) -> JointMatches:
        """Compare the pictures of all frames with the labels, then drop the pictures."""
        num_frames, num_joints = self._candidates.centre.shape[:2]
        ends = {row: self._describe(row) for row in {0, num_frames - 1}}
        wanted = np.stack([self._at_joints(row, ends[row]) for row in (0, num_frames - 1)])
        wanted *= self._labelled[..., None]
        matches = JointMatches(
            np.zeros((num_frames, num_joints, len(MAP_STEPS), 2, MAP_SIDE, MAP_SIDE), np.float32),
            np.zeros((num_frames, num_joints, len(CANDIDATES)), np.float32),
            wanted.prod(axis=0).sum(axis=-1),
        )
        for row in range(num_frames):
            described = ends.pop(row, None) or self._describe(row)
            matches.maps[row], matches.at_candidates[row] = self._compare(row, described, wanted)
        return matches

    def _describe(self, row: int) -> _Described:
        crop, to_crop = self._crops.pop(row)
        return _Described(self._matcher.describe(crop[None])[0], to_descriptors(to_crop))

    def _at_joints(self, row: int, described: _Described) -> np.ndarray:
        """Return the descriptors [K, D], of length 1, at the joints of a row."""
        places = to_places(described.to_map, self._candidates.centre[row])
        # Every channel at all joints.
        shape = len(described.descriptors), *places.shape
        descriptors = sample_maps(described.descriptors, np.broadcast_to(places, shape)).T
        return descriptors / np.maximum(np.linalg.norm(descriptors, axis=-1, keepdims=True), 1e-6)

    def _compare(
        self, row: int, described: _Described, wanted: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return a row's maps and similarities of the candidates, see :class:`JointMatches`."""
        candidates = self._candidates
        descriptors, to_map = described
        likeness = wanted.reshape(-1, len(descriptors)) @ descriptors.reshape(len(descriptors), -1)
        around = places_around(to_map, candidates.centre[row], candidates.size)
        places = np.concatenate([around, to_places(to_map, candidates.positions[row])], axis=1)
        similarity = sample_maps(
            likeness.reshape(-1, *descriptors.shape[1:]), np.concatenate([places, places])
        ).reshape(*wanted.shape[:2], -1)
        dense, at_candidates = np.split(similarity, [around.shape[1]], axis=-1)
        dense = dense.swapaxes(0, 1).reshape(-1, 2, DENSE_SIDE, DENSE_SIDE)
        shares = self._labelled / np.maximum(self._labelled.sum(axis=0), 1)
        likeness = np.stack(
            [
                (at_candidates[..., 0] * shares).sum(axis=0),
                at_candidates[0, :, 1],
                at_candidates[1, :, 2],
            ],
            axis=-1,
        )
        return near_and_wide(dense), likeness
