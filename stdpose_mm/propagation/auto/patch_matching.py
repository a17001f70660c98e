"""How like the picture is to the labelled joints' surroundings, around a gap's joints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from stdpose_mm.io.video import FrameSource

from .candidates import CANDIDATES, Candidates

MAP_SIDE = 9
MAP_STEPS = (0.03, 0.09)
"""Maps are 9x9 places around the centre, 3 % or 9 % of the pose's size apart: the near ones reach
12 % of it, the wide ones 36 %. A place of a wide map holds the largest of the 3x3 near ones."""

_REDUCTION = 3
DENSE_SIDE = MAP_SIDE * _REDUCTION
DENSE_STEP = MAP_STEPS[0]

_PATCH_SIDE = 9
_PATCH_STEP = DENSE_STEP / 2
_MAX_SAMPLE_STEP = 2.0
"""Pixels between two samples of a patch."""
_REGION_SIDE = (DENSE_SIDE - 1) * 2 + _PATCH_SIDE
"""Patches are 9x9 samples, twice as dense as the places; a region holds all patches of a map."""


def near_and_wide(dense: np.ndarray) -> np.ndarray:
    """Reduce maps [..., M, 27, 27] to those of :class:`FusionFeatures`: [..., 2, M, 9, 9]."""
    start = (DENSE_SIDE - MAP_SIDE) // 2
    near = dense[..., start : start + MAP_SIDE, start : start + MAP_SIDE]
    cells = dense.reshape(*dense.shape[:-2], MAP_SIDE, _REDUCTION, MAP_SIDE, _REDUCTION)
    return np.stack([near, cells.max(axis=(-3, -1))], axis=-4)


class PatchMatches(NamedTuple):
    """Correlation of the picture with the patches at the labelled joints.

    Args:
        maps: [F, K, len(MAP_STEPS), 2, 9, 9] with the left and right label's patch at places around
            the centre, near and wide; zeros without the label.
        at_candidates: [F, K, 3] at each candidate, with the patch of the label it starts from;
            at the straight line the mean over the labels there are.
        ends: [K] of both labels' patches with each other.
    """

    maps: np.ndarray
    at_candidates: np.ndarray
    ends: np.ndarray


def matches_nbytes(num_frames: int, num_joints: int) -> int:
    """Compute the memory of the matches of one gap in bytes."""
    maps = len(MAP_STEPS) * 2 * MAP_SIDE**2
    return 4 * num_joints * (num_frames * (maps + len(CANDIDATES)) + 1)


def match_patches(frames: FrameSource, gaps: Sequence[Candidates]) -> list[PatchMatches]:
    """Correlate patches 12 % of the pose's size wide, normalised, each colour about its mean.

    A picture is read once for all gaps, and once more if it is at the end of one: large pictures,
    and those of long gaps, are in no cache.

    Args:
        frames: The video.
        gaps: Candidates in frames of each gap.

    Returns:
        In the order of ``gaps``.
    """
    matchers = [_PatchMatcher(candidates) for candidates in gaps]
    for frame in sorted({frame for matcher in matchers for frame in matcher.ends}):
        picture = frames[frame]
        for matcher in matchers:
            if frame in matcher.ends:
                matcher.take_template(frame, picture)
    rows: dict[int, list[tuple[_PatchMatcher, int]]] = {}
    for matcher in matchers:
        for row, frame in enumerate(matcher.frames):
            rows.setdefault(frame, []).append((matcher, row))
    for frame in sorted(rows):
        picture = frames[frame]
        for matcher, row in rows[frame]:
            matcher.match(row, picture)
    return [matcher.matches for matcher in matchers]


class _PatchMatcher:
    """Matches the pictures of one gap, one at a time.

    Args:
        candidates: Those of the gap.

    Attributes:
        frames: The frames to match, ascending.
        ends: Those whose labels give the templates, which are needed before the first match.
        matches: What was found so far.
    """

    def __init__(self, candidates: Candidates) -> None:
        self._candidates = candidates
        self._labelled = np.stack([candidates.left, candidates.right])
        num_frames, num_joints = candidates.centre.shape[:2]
        shape = (num_joints, _PATCH_SIDE, _PATCH_SIDE, 3)
        self._templates = np.zeros((2, *shape), np.uint8)
        self._normalised = np.zeros((2, num_joints, _PATCH_SIDE**2 * 3), np.float32)
        self.frames: list[int] = candidates.times.tolist()
        self.ends = {self.frames[0], self.frames[-1]}
        self.matches = PatchMatches(
            np.zeros((num_frames, num_joints, len(MAP_STEPS), 2, MAP_SIDE, MAP_SIDE), np.float32),
            np.zeros((num_frames, num_joints, len(CANDIDATES)), np.float32),
            np.zeros(num_joints, np.float32),
        )

    def take_template(self, frame: int, picture: np.ndarray) -> None:
        """Sample the patches of the label at an end of the gap."""
        centre, known = self._candidates.centre, self._labelled.any(axis=0)
        for side, row in enumerate((0, -1)):
            if self.frames[row] == frame:
                sample_patches = _PatchSampler(picture, centre[row, known], self._candidates.size)
                self._templates[side] = sample_patches(centre[row], _PATCH_SIDE)
        if frame == self.frames[-1]:
            self._normalised = _normalised(self._templates) * self._labelled[..., None]
            self.matches.ends[:] = (self._normalised[0] * self._normalised[1]).sum(axis=-1)

    def match(self, row: int, picture: np.ndarray) -> None:
        """Correlate the picture of a row with the templates."""
        centre, positions = self._candidates.centre[row], self._candidates.positions[row]
        known = self._labelled.any(axis=0)
        around = np.concatenate([centre[known], *positions[known]])
        sample_patches = _PatchSampler(picture, around, self._candidates.size)
        regions = sample_patches(centre, _REGION_SIDE)
        dense = np.zeros((len(centre), 2, DENSE_SIDE, DENSE_SIDE), np.float32)
        for side, joint in np.argwhere(self._normalised.any(axis=-1)):
            template = self._templates[side, joint]
            # Several times faster on bytes than on floating point numbers.
            found = cv2.matchTemplate(regions[joint], template, cv2.TM_CCOEFF_NORMED)
            dense[joint, side] = found[::2, ::2].clip(-1, 1)
        self.matches.maps[row] = near_and_wide(dense)
        patches = _normalised(sample_patches(positions.reshape(-1, 2), _PATCH_SIDE))
        patches = patches.reshape(len(centre), len(CANDIDATES), -1)
        linear, forward, backward = np.einsum('kcn,skn->csk', patches, self._normalised)
        shares = self._labelled / np.maximum(self._labelled.sum(axis=0), 1)
        self.matches.at_candidates[row] = np.stack(
            [(linear * shares).sum(axis=0), forward[0], backward[1]], axis=-1
        )


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
