from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from stdpose_mm.io.video import FrameSource
from stdpose_mm.propagation import PROPAGATORS, BasePropagator, Gap, PropagatedPose
from stdpose_mm.propagation.base import decayed_score
from stdpose_mm.structures import Skeleton


def interpolate_joints(gap: Gap, frame_index: int) -> np.ndarray:
    """Interpolate each joint [K, 2] linearly between the two nearest labels that have it.

    It stands still if it is labelled on one side only, and is zero if it never is.
    """
    before, after = gap.nearest_labels(frame_index)
    both = before.exists & after.exists
    span = np.where(both, after.frames - before.frames, 1)
    weight = np.where(both, (frame_index - before.frames) / span, ~before.exists)[:, None]
    return (1 - weight) * before.keypoints + weight * after.keypoints


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
