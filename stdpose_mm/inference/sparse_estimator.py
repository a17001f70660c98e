"""Pose estimation with the network on some frames only; flow carries the poses to the others."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from stdpose_mm.detection import BoxedFrame
from stdpose_mm.inference.estimate_video import PoseEstimator
from stdpose_mm.inference.frame_estimate import FrameEstimate
from stdpose_mm.structures import to_corners
from stdpose_mm.tracking.optical_flow import (
    DISFlow,
    FlowEstimator,
    blend_weights,
    move_points,
    region_around,
)

MAX_MISS = 0.05
"""Greatest distance between a point and where it is carried back to, as a share of a box's larger
side; see research/docs/inference_speed.md."""

_MISS_QUANTILE = 0.8
"""Quantile over the points in a box. Not the maximum: the background may be covered for a while."""

_GRID = 7
"""Number of points in a row, and in a column, of a box."""

_MARGIN = 0.25
"""Margin around all boxes for the region of the flow, as a share of the boxes' larger side."""


class SparseEstimator:
    """Estimator of the poses in every n-th frame; optical flow carries them to the frames between.

    Flow carries the poses of both neighbouring estimated frames to a frame between them. These two
    poses, and their scores, are blended as the propagation method ``flow`` blends labels.

    The network estimates all frames where flow is not reliable, which is decided before the network
    runs. Points in the box of each person are carried to the next estimated frame and back; in
    every box at least four fifths of them must return to within ``MAX_MISS`` of their place.
    Everyone in a frame between must be in both estimated frames. Nothing is carried around a frame
    that cannot be read.

    The network treats the frames that it estimates as a video of their own: its windows consist of
    these frames only.

    Args:
        estimator: Runs the network.
        pose_every: n, at least 1; for 1 the network estimates all frames.
        flow: Optical flow; a coarse DIS by default.
    """

    def __init__(
        self, estimator: PoseEstimator, pose_every: int, flow: FlowEstimator | None = None
    ) -> None:
        self.estimator = estimator
        self.pose_every = pose_every
        self.flow = flow or DISFlow(max_side=320, finest_scale=2)

    def estimate(
        self,
        frames: Iterable[BoxedFrame],
        max_waiting: int | None = None,
        keep_pictures: bool = False,
        keep_heatmaps: bool = False,
    ) -> Generator[FrameEstimate, None, None]:
        """Estimate the poses of everyone in every frame.

        See :meth:`PoseEstimator.estimate`. Estimates between those of the network have the origin
        'held' and no heatmaps. ``max_waiting`` counts the frames that the network sees.
        """
        gaps: deque[_HeldFrames] = deque()

        def seen_by_network() -> Iterator[BoxedFrame]:
            for number, (end, gap) in enumerate(self._split(frames, keep_pictures)):
                gaps.append(gap)
                yield end._replace(frame_index=number)

        estimates = self.estimator.estimate(
            seen_by_network(), max_waiting, keep_pictures, keep_heatmaps
        )
        return _fill(estimates, gaps)

    def _split(
        self, frames: Iterable[BoxedFrame], keep_pictures: bool
    ) -> Iterator[tuple[BoxedFrame, _HeldFrames]]:
        """Yield the frames for the network, and for each the gap that ends with it."""
        before: BoxedFrame | None = None
        waiting: list[BoxedFrame] = []
        for frame in frames:
            waiting.append(frame)
            if frame.picture is None or before is None or len(waiting) == self.pose_every:
                yield from self._end_gap(before, waiting, keep_pictures)
                before = None if frame.picture is None else frame
                waiting = []
        if waiting:
            yield from self._end_gap(before, waiting, keep_pictures)

    def _end_gap(
        self, before: BoxedFrame | None, frames: Sequence[BoxedFrame], keep_pictures: bool
    ) -> Iterator[tuple[BoxedFrame, _HeldFrames]]:
        """Carry poses to all frames but the last if flow is reliable, otherwise to none."""
        *between, end = frames
        flow = self._flow([before, *frames]) if before is not None and between else None
        if flow is None:
            yield from ((frame, _HeldFrames(frame.frame_index)) for frame in frames)
            return
        if not keep_pictures:
            between = [frame._replace(picture=None) for frame in between]
        yield end, _HeldFrames(end.frame_index, tuple(between), flow)

    def _flow(self, frames: Sequence[BoxedFrame]) -> _FlowBetween | None:
        """Compute the flow around the people between the first and the last frame.

        Returns:
            None if the flow is not reliable.
        """
        pictures = [frame.picture for frame in frames if frame.picture is not None]
        if len(pictures) < len(frames) or len({picture.shape for picture in pictures}) > 1:
            return None
        first, *between, last = (frame.people for frame in frames)
        carried = np.unique(np.concatenate([people.track_ids for people in between]))
        if not (np.isin(carried, first.track_ids) & np.isin(carried, last.track_ids)).all():
            return None
        if not len(carried):
            still = [np.zeros((1, 1, 2), np.float16)] * (len(frames) - 1)
            return _FlowBetween(still, still)
        region = _region(frames, pictures[0].shape)
        prepared = [self.flow.prepare(picture[region]) for picture in pictures]
        # Half precision has a relative error of a thousandth.
        flow = _FlowBetween(
            [self.flow(a, b).astype(np.float16) for a, b in pairwise(prepared)],
            [self.flow(b, a).astype(np.float16) for a, b in pairwise(prepared)],
            np.array([region[1].start, region[0].start], float),
            np.divide(prepared[0].shape[1::-1], pictures[0][region].shape[1::-1]),
        )
        boxes = first.boxes[np.isin(first.track_ids, carried)]
        return flow if (_missed(flow, boxes) <= MAX_MISS).all() else None


@dataclass(frozen=True)
class _FlowBetween:
    """Flow from frame to frame in a region of the pictures.

    Args:
        forward: From each frame to the next, [h, w, 2] in pixels of the reduced region.
        backward: From the next frame to each.
        corner: x, y of the region's top-left pixel.
        scale: Reduced pixels per pixel, along x and y.
    """

    forward: Sequence[np.ndarray] = ()
    backward: Sequence[np.ndarray] = ()
    corner: np.ndarray = field(default_factory=lambda: np.zeros(2))
    scale: np.ndarray = field(default_factory=lambda: np.ones(2))

    def carry_forward(self, points: np.ndarray) -> np.ndarray:
        """Carry points [..., 2] of the first frame forward to all F frames: [F, ..., 2]."""
        return self._carry(points, self.forward)

    def carry_back(self, points: np.ndarray) -> np.ndarray:
        """Carry points [..., 2] of the last frame back to all F frames: [F, ..., 2]."""
        return self._carry(points, self.backward[::-1])[::-1]

    def _carry(self, points: np.ndarray, fields: Sequence[np.ndarray]) -> np.ndarray:
        path = [points - self.corner]
        for field_of_step in fields:
            path.append(move_points(path[-1], field_of_step.astype(np.float32), self.scale))
        return np.stack(path) + self.corner


@dataclass(frozen=True)
class _HeldFrames:
    """Frames between two that the network sees.

    Args:
        end: Index of the later of the two.
        between: The frames between; empty if the network sees all.
        flow: Flow from the earlier to the later of the two.
    """

    end: int
    between: Sequence[BoxedFrame] = ()
    flow: _FlowBetween = field(default_factory=_FlowBetween)

    def carry(self, before: FrameEstimate, after: FrameEstimate) -> Iterator[FrameEstimate]:
        """Carry the poses of both estimates to the frames between."""
        ids, first, last = np.intersect1d(
            before.people.track_ids, after.people.track_ids, return_indices=True
        )
        forward = self.flow.carry_forward(before.keypoints[first])
        backward = self.flow.carry_back(after.keypoints[last])
        poses, scores = np.zeros_like(forward), np.zeros(forward.shape[:-1])
        for person, size in enumerate(before.people.boxes[first, 2:].max(axis=1)):
            tracks = np.stack([forward[:, person], backward[:, person]], axis=2)
            ends = np.stack([before.scores[first[person]], after.scores[last[person]]], axis=-1)
            weights = blend_weights(tracks[:, :, 0], tracks[:, :, 1], size)
            poses[:, person] = (weights[..., None] * tracks).sum(axis=2)
            scores[:, person] = (weights * ends).sum(axis=-1)
        for row, frame in enumerate(self.between, start=1):
            # A network may not have seen somebody at an end.
            people = frame.people.select(np.isin(frame.people.track_ids, ids))
            rows = np.searchsorted(ids, people.track_ids)
            yield FrameEstimate(
                frame.frame_index,
                people,
                poses[row, rows],
                scores[row, rows],
                'held',
                frame.picture,
            )


def _fill(
    estimates: Generator[FrameEstimate, None, None], gaps: deque[_HeldFrames]
) -> Generator[FrameEstimate, None, None]:
    """Insert the frames between the estimates of the network, each of which ends a gap."""
    with closing(estimates):
        before: FrameEstimate | None = None
        for estimate in estimates:
            gap = gaps.popleft()
            if before is not None and gap.between:
                yield from gap.carry(before, estimate)
            yield replace(estimate, frame_index=gap.end)
            before = estimate


def _missed(flow: _FlowBetween, boxes: np.ndarray) -> np.ndarray:
    """Measure the forward-backward error of the flow for points in boxes [N, 4].

    Returns:
        [N] shares of the boxes' larger sides.
    """
    steps = (np.arange(_GRID) + 0.5) / _GRID
    grid = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    points = boxes[:, None, :2] + grid * boxes[:, None, 2:]
    returned = flow.carry_back(flow.carry_forward(points)[-1])[0]
    missed = np.linalg.norm(returned - points, axis=-1) / boxes[:, None, 2:].max(axis=-1)
    return np.quantile(missed, _MISS_QUANTILE, axis=1)


def _region(frames: Sequence[BoxedFrame], shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Find the rows and columns of pictures of ``shape`` that hold all boxes, with a margin."""
    corners = np.concatenate([to_corners(frame.people.boxes) for frame in frames])
    low, high = corners[:, :2].min(axis=0), corners[:, 2:].max(axis=0)
    return region_around(low, high, _MARGIN * (high - low).max(), shape[1::-1])
