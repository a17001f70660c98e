from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from stdpose_mm.io.video import FrameSource
from stdpose_mm.propagation import PROPAGATORS, BasePropagator, Gap, PropagatedPose
from stdpose_mm.propagation.base import decayed_score
from stdpose_mm.propagation.interpolation.linear_propagator import interpolate_joints
from stdpose_mm.structures import Skeleton

from .flow_tracks import FlowTracks, follow_joints, labelled_ends, pose_size
from .optical_flow import DISFlow, FlowEstimator


@PROPAGATORS.register_module(name='flow')
class FlowPropagator(BasePropagator):
    """Propagator that moves joints with the optical flow from both labels.

    Flow carries the joints of the left label forward and those of the right label backward. The two
    tracks are blended by their distance from the label and by how well they arrive at the other
    label (:meth:`FlowTracks.weights`). A joint that is labelled at one end only follows the track
    from there; a joint that is labelled at neither end is interpolated between its nearest labels.

    The score is that of linear interpolation, times the agreement of both tracks where there are
    two.

    Args:
        estimator: Optical flow; :class:`DISFlow` by default.
    """

    uses_flow = True

    scores_by_agreement = True

    basis = 'optical flow from the labels on both sides'

    def __init__(self, estimator: FlowEstimator | None = None) -> None:
        self.estimator = estimator or DISFlow()

    def propagate(
        self, frames: FrameSource, gaps: Sequence[Gap], skeleton: Skeleton
    ) -> Iterator[PropagatedPose]:
        """Fill gap by gap, frames ascending in each; see :meth:`BasePropagator.propagate`."""
        for gap, tracks in follow_joints(frames, gaps, self.estimator):
            yield from self._blend(gap, tracks)

    def _blend(self, gap: Gap, tracks: FlowTracks) -> Iterator[PropagatedPose]:
        weights = tracks.weights(gap)
        blend = weights[..., :1] * tracks.forward + weights[..., 1:] * tracks.backward
        left, right = labelled_ends(gap)
        size = pose_size(gap)
        for frame_index in gap.frames:
            row = frame_index - gap.first
            keypoints = np.where(
                (left | right)[:, None], blend[row], interpolate_joints(gap, frame_index)
            )
            scores = decayed_score(gap.distance_to_label(frame_index))
            agreed = agreement(tracks.forward[row], tracks.backward[row], size)
            scores = np.where(left & right, scores * agreed, scores)
            yield PropagatedPose.with_visibility_of_labels(gap, frame_index, keypoints, scores)


def agreement(forward: np.ndarray, backward: np.ndarray, size: float) -> np.ndarray:
    """Score how well two estimates of the same joints agree, relative to the size of the pose.

    Args:
        forward: [K, 2] pixels.
        backward: [K, 2] pixels.
        size: Larger side of the pose in pixels.

    Returns:
        [K] in 0..1: 1 if equal, 1 / e where they differ by a tenth of the size.
    """
    difference = np.linalg.norm(forward - backward, axis=-1)
    return np.exp(-difference / max(0.1 * size, 1.0))
