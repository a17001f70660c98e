"""Interpolation between labels, without reading pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from stdpose_mm.io.video import FrameSource
from stdpose_mm.labelling.propagation import PROPAGATORS, BasePropagator, Gap, GapPoses
from stdpose_mm.labelling.propagation.base import decayed_score
from stdpose_mm.labelling.propagation.gaps import (
    NearestLabels,
    distances_to_labels,
    find_nearest_labels,
)
from stdpose_mm.structures import PersonLabel, Skeleton, on_line


def interpolate_joints(gap: Gap, frames: Sequence[int] | np.ndarray) -> np.ndarray:
    """Interpolate each joint linearly between the two nearest labels that have it.

    It stands still if it is labelled on one side only, and is zero if it never is.

    Args:
        gap: The gap.
        frames: F frames of it or at its ends.

    Returns:
        [F, K, 2] pixels.
    """
    return _on_lines(*gap.nearest_labels(frames), np.asarray(frames))


def _on_lines(before: NearestLabels, after: NearestLabels, frames: np.ndarray) -> np.ndarray:
    both = before.exists & after.exists
    span = np.where(both, after.frames - before.frames, 1)
    elapsed = frames[:, None] - before.frames
    weight = np.where(both, elapsed / span, ~before.exists)[..., None]
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
        return interpolate_joints(gap, gap.frames)

    def propagate(
        self, frames: FrameSource, gaps: Sequence[Gap], skeleton: Skeleton
    ) -> Iterator[GapPoses]:
        """Fill gap by gap; see :meth:`BasePropagator.propagate`."""
        for gap in gaps:
            scores = decayed_score(gap.distance_to_label(gap.frames))
            yield GapPoses.with_visibility_of_labels(gap, gap.frames, self.curves(gap), scores)


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
    before, after = find_nearest_labels(frames, labels)
    keypoints = _on_lines(before, after, frames)
    distances = distances_to_labels(before, after, frames)
    visibility = np.where(distances[0] <= distances[1], before.visibility, after.visibility)
    return keypoints, visibility, decayed_score(distances.min(axis=0))
