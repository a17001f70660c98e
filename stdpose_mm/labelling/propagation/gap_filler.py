"""Poses of gaps, from a cache or from a propagator."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stdpose_mm.io.video import FrameSource
from stdpose_mm.structures import Skeleton

from .base import BasePropagator, GapCache, GapPoses
from .gaps import Gap
from .work_progress import WorkListener, propagate_with_progress


class GapFiller:
    """Source of the poses of gaps: a cache, or else a propagator, whose results are cached.

    The propagator runs only as far as necessary. Poses of a gap are dropped after its last frame.

    Args:
        propagator: Fills the gaps that are not in the cache.
        frames: The video.
        gaps: All gaps whose poses are asked for.
        skeleton: The joints of the labels.
        cache: Results of earlier runs with this propagator and video; finished gaps are added.
        listener: Receives the progress of the propagator.

    Attributes:
        keys: The key of each gap in the cache.
    """

    def __init__(
        self,
        propagator: BasePropagator,
        frames: FrameSource,
        gaps: Sequence[Gap],
        skeleton: Skeleton,
        cache: GapCache,
        listener: WorkListener | None = None,
    ) -> None:
        self._cache = cache
        self._fill = lambda todo: propagator.propagate(frames, todo, skeleton)
        self.keys = {gap: gap.fingerprint(propagator.reads_second_labels) for gap in gaps}
        todo = [gap for gap, key in self.keys.items() if key not in cache]
        todo.sort(key=lambda gap: (gap.first, gap.last, gap.track_id))
        self._filled = propagate_with_progress(propagator, frames, todo, skeleton, listener)
        self._missing = {gap: np.ones(len(gap.frames), dtype=bool) for gap in todo}
        self._poses: dict[Gap, GapPoses] = {}

    def pose_at(self, gap: Gap, frame_index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the keypoints [K, 2], visibility [K] and scores [K] in one frame of a gap.

        Raises:
            RuntimeError: If the propagator left it out.
        """
        row = gap.frames.index(frame_index)
        while gap in self._missing and self._missing[gap][row]:
            self._advance(gap)
        if gap not in self._poses:
            self._poses[gap] = self._cached(gap)
        poses = self._poses[gap]
        if frame_index == gap.frames[-1] and gap not in self._missing:
            del self._poses[gap]
        return poses.keypoints[row], poses.visibility[row], poses.scores[row]

    def poses_of(self, gap: Gap) -> GapPoses:
        """Return the poses in all frames of a gap, which are asked for once.

        Raises:
            RuntimeError: If the propagator left some out.
        """
        while gap in self._missing:
            self._advance(gap)
        return self._poses.pop(gap, None) or self._cached(gap)

    def _advance(self, awaited: Gap) -> None:
        """Take the next poses of the propagator."""
        poses = next(self._filled, None)
        if poses is None:
            missing = np.count_nonzero(self._missing[awaited])
            raise RuntimeError(
                f'the propagator left out {missing} frames of person {awaited.track_id} in '
                f'{awaited.frames}'
            )
        self._add(poses)

    def _add(self, poses: GapPoses) -> None:
        gap, start = poses.gap, poses.gap.frames.index(poses.frames[0])
        if gap not in self._poses:
            shape = len(gap.frames)
            empty = {n: np.empty((shape, *a.shape[1:]), a.dtype) for n, a in poses.arrays.items()}
            self._poses[gap] = GapPoses(gap, gap.frames, **empty)
        rows = slice(start, start + len(poses.frames))
        for name, values in self._poses[gap].arrays.items():
            values[rows] = poses.arrays[name]
        self._missing[gap][rows] = False
        if not self._missing[gap].any():
            del self._missing[gap]
            self._cache[self.keys[gap]] = self._poses[gap].arrays

    def _cached(self, gap: Gap) -> GapPoses:
        try:
            return GapPoses(gap, gap.frames, **self._cache[self.keys[gap]])
        except KeyError:
            # Another run has removed it in the meantime.
            self._missing[gap] = np.ones(len(gap.frames), dtype=bool)
            for poses in self._fill([gap]):
                self._add(poses)
            return self._poses.pop(gap)
