from __future__ import annotations

import numpy as np

from stdpose_mm.propagation import PROPAGATORS, Gap

from .linear_propagator import LinearPropagator


@PROPAGATORS.register_module(name='spline')
class SplinePropagator(LinearPropagator):
    """Propagator that puts a smooth curve through each joint's labels, without reading pictures.

    The curve is PCHIP (Fritsch and Butland 1984): its slope at a label depends on the neighbouring
    labels only, so two labels on either side of a gap determine the curve, and it never overshoots
    a label. Modified Akima overshoots by up to a quarter of the pose on real clips and is no more
    accurate there. Two labels give a straight line; the joint stands still before its first and
    after its last label.

    The score is the same as in :class:`LinearPropagator`.
    """

    basis = 'smooth curves through labels'

    reads_second_labels = True

    def curves(self, gap: Gap) -> np.ndarray:
        """Return the joints on splines, see :meth:`LinearPropagator.curves`."""
        # The import takes a sixth of a second, and 'auto' imports this module.
        from scipy.interpolate import PchipInterpolator

        keypoints = super().curves(gap)
        anchors = (gap.second_before, gap.before, gap.after, gap.second_after)
        for joint in np.flatnonzero(gap.before.exists & gap.after.exists):
            labels = [side for side in anchors if side.exists[joint]]
            curve = PchipInterpolator(
                [side.frames[joint] for side in labels], [side.keypoints[joint] for side in labels]
            )
            keypoints[:, joint] = curve(gap.frames)
        return keypoints
