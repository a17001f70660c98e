"""Search for a gap's labelled joints in its other frames, by appearance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

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
from .trained_matcher import TrainedMatcher, crop_pose, to_descriptors


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
