from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from stdpose_mm.io.video import FrameSource
from stdpose_mm.labelling.propagation import PROPAGATORS, BasePropagator, Gap, GapPoses
from stdpose_mm.labelling.propagation.base import decayed_score
from stdpose_mm.labelling.propagation.interpolation import interpolate_joints
from stdpose_mm.structures import Skeleton
from stdpose_mm.tracking.optical_flow import DISFlow, FlowEstimator

from .flow_tracks import FlowTracks, follow_joints, labelled_ends, pose_size


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
    ) -> Iterator[GapPoses]:
        """Fill gap by gap; see :meth:`BasePropagator.propagate`."""
        for gap, tracks in follow_joints(frames, gaps, self.estimator):
            yield self._blend(gap, tracks)

    def _blend(self, gap: Gap, tracks: FlowTracks) -> GapPoses:
        rows = np.array(gap.frames) - gap.first
        weights, forward, backward = (
            values[rows] for values in (tracks.weights(gap), tracks.forward, tracks.backward)
        )
        blend = weights[..., :1] * forward + weights[..., 1:] * backward
        left, right = labelled_ends(gap)
        is_tracked = (left | right)[:, None]
        keypoints = np.where(is_tracked, blend, interpolate_joints(gap, gap.frames))
        scores = decayed_score(gap.distance_to_label(gap.frames))
        agreed = agreement(forward, backward, pose_size(gap))
        scores = np.where(left & right, scores * agreed, scores)
        return GapPoses.with_visibility_of_labels(gap, gap.frames, keypoints, scores)


def agreement(forward: np.ndarray, backward: np.ndarray, size: float) -> np.ndarray:
    """Score how well two estimates of the same joints agree, relative to the size of the pose.

    Args:
        forward: [..., 2] pixels.
        backward: [..., 2] pixels.
        size: Larger side of the pose in pixels.

    Returns:
        [...] in 0..1: 1 if equal, 1 / e where they differ by a tenth of the size.
    """
    difference = np.linalg.norm(forward - backward, axis=-1)
    return np.exp(-difference / max(0.1 * size, 1.0))
