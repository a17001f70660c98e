from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from scipy.ndimage import map_coordinates

from stdpose_mm.structures import NOT_LABELLED, PersonLabel, Skeleton, pose_extent

from .base import PROPAGATORS, BasePropagator, Frames, PropagatedPose
from .confidence import agreement, decayed_score
from .gaps import Gap
from .linear_propagator import interpolate_joints

_MIN_SIDE = 16
"""Pixels; DIS flow refuses pictures of less than 12."""


@PROPAGATORS.register_module(name='flow')
class FlowPropagator(BasePropagator):
    """Joints follow the optical flow from both labels; the two tracks are blended by distance.

    DIS flow (Kroeger et al., ECCV 2016) carries the joints of the left label forward and those
    of the right label backward. Flow is computed once per pair of neighbouring frames and
    direction, whatever the number of people, on grey pictures reduced to ``max_side``. A joint
    that only one end labels follows that one; a joint that neither end labels is interpolated
    between its nearest labels.

    The score is that of linear interpolation (it halves with every ``half_life`` frames to the
    nearest label) times the agreement of both tracks where there are two.

    Args:
        max_side: Larger side in pixels of the pictures that flow is computed on.
        half_life: Frames after which the score has halved.
    """

    def __init__(self, max_side: int = 640, half_life: float = 7.0) -> None:
        if max_side < 32:
            raise ValueError(f'max_side must be at least 32 pixels, got {max_side}')
        if half_life <= 0:
            raise ValueError(f'half_life must be a positive number of frames, got {half_life}')
        self.max_side = max_side
        self.half_life = half_life

    def propagate(
        self, frames: Frames, gaps: Sequence[Gap], skeleton: Skeleton
    ) -> Iterator[PropagatedPose]:
        """See :meth:`BasePropagator.propagate`; block by block, frames descending in each."""
        for block in split_blocks(gaps):
            yield from self._propagate_block(frames, block)

    def _propagate_block(self, frames: Frames, gaps: Sequence[Gap]) -> Iterator[PropagatedPose]:
        """Fill gaps that overlap in time: one sweep forward, one backward.

        Memory is that of the block's reduced grey pictures, not of its frames.
        """
        first = min(gap.first for gap in gaps)
        last = max(gap.last for gap in gaps)
        flow = _SweepFlow(self.max_side)
        forward = [_start(gap, gap.left) for gap in gaps]
        backward = [_start(gap, gap.right) for gap in gaps]
        forward_tracks: list[dict[int, np.ndarray]] = [{} for _ in gaps]

        flow.append(frames[first])
        for frame_index in range(first, last):
            flow.append(frames[frame_index + 1])
            moving = [
                n
                for n, gap in enumerate(gaps)
                if gap.left is not None and gap.first <= frame_index < gap.frames[-1]
            ]
            if moving:
                field = flow.between(frame_index - first, frame_index + 1 - first)
                for n in moving:
                    forward[n] = flow.move(forward[n], field)
                    forward_tracks[n][frame_index + 1] = forward[n]

        for frame_index in range(last, first - 1, -1):
            moving = [
                n
                for n, gap in enumerate(gaps)
                if gap.right is not None and gap.frames[0] <= frame_index < gap.last
            ]
            if moving:
                field = flow.between(frame_index + 1 - first, frame_index - first)
                for n in moving:
                    backward[n] = flow.move(backward[n], field)
            for n, gap in enumerate(gaps):
                if frame_index in gap.frames:
                    yield self._blend(
                        gap,
                        frame_index,
                        forward_tracks[n].get(frame_index),
                        backward[n] if gap.right is not None else None,
                    )

    def _blend(
        self,
        gap: Gap,
        frame_index: int,
        forward: np.ndarray | None,
        backward: np.ndarray | None,
    ) -> PropagatedPose:
        visibility = gap.visibility_at(frame_index)
        keypoints = interpolate_joints(gap, frame_index)
        scores = decayed_score(gap.distance_to_label(frame_index), self.half_life)
        left = gap.left.labelled if gap.left is not None else np.zeros(len(visibility), bool)
        right = gap.right.labelled if gap.right is not None else np.zeros(len(visibility), bool)
        both = left & right
        if forward is not None:
            keypoints[left] = forward[left]
        if backward is not None:
            keypoints[right] = backward[right]
        if forward is not None and backward is not None and both.any():
            weight = (frame_index - gap.first) / (gap.last - gap.first)
            blend = (1 - weight) * forward + weight * backward
            keypoints[both] = blend[both]
            size = pose_extent(blend, both)[2:].max()
            scores[both] *= agreement(forward, backward, size)[both]
        return PropagatedPose(
            track_id=gap.track_id,
            frame_index=frame_index,
            keypoints=keypoints,
            visibility=visibility,
            scores=np.where(visibility == NOT_LABELLED, 0.0, scores),
        )


def split_blocks(gaps: Iterable[Gap]) -> list[list[Gap]]:
    """Groups of gaps that share no pair of neighbouring frames, in time order."""
    blocks: list[list[Gap]] = []
    end = -1
    for gap in sorted(gaps, key=lambda gap: (gap.first, gap.last)):
        if not blocks or gap.first >= end:
            blocks.append([])
        blocks[-1].append(gap)
        end = max(end, gap.last)
    return blocks


def _start(gap: Gap, label: PersonLabel | None) -> np.ndarray:
    return np.zeros_like(gap.before.keypoints) if label is None else label.keypoints


class _SweepFlow:
    """Reduced grey pictures of a block, and the flow between any two of them."""

    def __init__(self, max_side: int) -> None:
        self.max_side = max_side
        self.scale = np.ones(2)
        self._grey: list[np.ndarray] = []
        self._estimator: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def append(self, picture: np.ndarray) -> None:
        """Take the next picture, BGR uint8 [H, W, 3]."""
        height, width = picture.shape[:2]
        factor = min(1.0, self.max_side / max(height, width))
        factor = max(factor, _MIN_SIDE / min(height, width))
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        if size != (width, height):
            grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        self.scale = np.array(size) / (width, height)
        self._grey.append(grey)

    def between(self, source: int, target: int) -> np.ndarray:
        """[h, w, 2] flow in reduced pixels from one picture to another."""
        return self._estimator.calc(self._grey[source], self._grey[target], None)

    def move(self, points: np.ndarray, field: np.ndarray) -> np.ndarray:
        """Points [K, 2] in full pixels, carried along; the border's flow applies outside."""
        reduced = (points + 0.5) * self.scale - 0.5
        return points + sample_bilinear(field, reduced) / self.scale


def sample_bilinear(field: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Values of ``field`` [h, w, C] at ``points`` [K, 2] (x, y), clamped to its border."""
    rows_and_columns = points.T[::-1]
    return np.stack(
        [
            map_coordinates(channel, rows_and_columns, order=1, mode='nearest')
            for channel in np.moveaxis(field, -1, 0)
        ],
        axis=-1,
    )
