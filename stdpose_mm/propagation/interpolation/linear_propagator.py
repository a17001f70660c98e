from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from stdpose_mm.io.video import FrameSource
from stdpose_mm.propagation import PROPAGATORS, BasePropagator, Gap, PropagatedPose
from stdpose_mm.propagation.base import decayed_score
from stdpose_mm.structures import PersonLabel, Skeleton, fill_between, on_line


def interpolate_joints(gap: Gap, frame_index: int) -> np.ndarray:
    """Interpolate each joint [K, 2] linearly between the two nearest labels that have it.

    It stands still if it is labelled on one side only, and is zero if it never is.
    """
    before, after = gap.nearest_labels(frame_index)
    both = before.exists & after.exists
    span = np.where(both, after.frames - before.frames, 1)
    weight = np.where(both, (frame_index - before.frames) / span, ~before.exists)[:, None]
    return on_line(before.keypoints, after.keypoints, weight)


@PROPAGATORS.register_module(name='linear')
class LinearPropagator(BasePropagator):
    """Propagator that interpolates linearly between labels, without reading pictures.

    The score falls with the distance to the nearest label of the joint (:func:`decayed_score`).
    """

    basis = 'straight lines between labels'

    reads_pictures = False

    def curves(self, gap: Gap) -> np.ndarray:
        """Return the joints in every frame [len(gap.frames), K, 2], zero if never labelled."""
        return np.stack([interpolate_joints(gap, frame_index) for frame_index in gap.frames])

    def propagate(
        self, frames: FrameSource, gaps: Sequence[Gap], skeleton: Skeleton
    ) -> Iterator[PropagatedPose]:
        """Fill gap by gap, frames ascending in each; see :meth:`BasePropagator.propagate`."""
        for gap in gaps:
            for frame_index, keypoints in zip(gap.frames, self.curves(gap), strict=True):
                scores = decayed_score(gap.distance_to_label(frame_index))
                yield PropagatedPose.with_visibility_of_labels(gap, frame_index, keypoints, scores)


def interpolate_track(
    frames: np.ndarray, labels: Mapping[int, PersonLabel]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Interpolate between labels as :class:`LinearPropagator` does, for many frames at once.

    Args:
        frames: [F] frame indices.
        labels: Frame index -> label, of which at least one has a joint.

    Returns:
        Keypoints [F, K, 2], visibility [F, K] and scores [F, K].
    """
    times = np.array(sorted(labels))
    points = np.stack([labels[time].keypoints for time in times])
    visible = np.stack([labels[time].visibility for time in times])
    shape = len(frames), points.shape[1]
    keypoints, visibility, scores = np.zeros((*shape, 2)), np.zeros(shape, np.int8), np.zeros(shape)
    for joint in np.flatnonzero(visible.any(axis=0)):
        rows = np.flatnonzero(visible[:, joint])
        place = np.interp(frames, times[rows], np.arange(len(rows)))
        # The left one of two labels that are equally near.
        nearest = rows[np.ceil(place - 0.5).astype(int)]
        keypoints[:, joint] = fill_between(frames, times[rows], points[rows, joint])
        visibility[:, joint] = visible[nearest, joint]
        scores[:, joint] = decayed_score(np.abs(frames - times[nearest]))
    return keypoints, visibility, scores
