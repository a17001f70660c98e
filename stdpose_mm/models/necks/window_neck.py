from __future__ import annotations

from typing import Any

from mmengine.model import BaseModule
from torch import Tensor

from stdpose_mm.errors import InputError
from stdpose_mm.models.structures import AuxiliaryLabels, SpatioTemporalRepresentation, key_of
from stdpose_mm.structures import NUM_FRAMES


class WindowNeck(BaseModule):
    """Base class of necks, with the interface that a :class:`WindowPoseEstimator` uses.

    A neck is called with the features of the frames [N, T, D, h', w'], their heatmaps
    [N, T, K, h, w] or ``None``, and the given labels or ``None``; it returns a
    :class:`SpatioTemporalRepresentation`.

    Attributes:
        num_frames: Number T of frames in a window.
        reads_heatmaps: Whether it reads heatmaps; if not, prediction does not run a frame head.
        takes_labels: Whether it uses labels of the auxiliary frames.
        tks: The part that merges heatmaps, or ``None``.
    """

    tks: Any

    num_frames: int = NUM_FRAMES
    reads_heatmaps: bool = True
    takes_labels: bool = True

    def project_frames(self, features: Tensor) -> Tensor | None:
        """Compute further values of single frames [M, D, h', w'] that windows can share.

        Returns:
            [M, ...], passed back as the argument ``projections``; ``None`` if there are none.
        """
        return None

    def merge_heatmaps(
        self,
        features: Tensor,
        frame_heatmaps: Tensor | None,
        aux_labels: AuxiliaryLabels | None,
        fused: Tensor | None,
    ) -> SpatioTemporalRepresentation:
        """Merge the heatmaps of windows, if there is a ``tks``, and build the representation.

        Args:
            features: F_l, F_t, F_r with shape [N, T, D, h', w'].
            frame_heatmaps: H_l, H_t, H_r with shape [N, T, K, h, w].
            aux_labels: Given labels.
            fused: F~_t with shape [N, D, h', w'].

        Raises:
            InputError: If ``tks`` has no heatmaps to merge.
        """
        merged = merged_feature = None
        if self.tks is not None:
            if frame_heatmaps is None:
                raise InputError('tks needs the heatmaps of a frame_head, configure one')
            merged, merged_feature = self.tks(frame_heatmaps, aux_labels, features, fused)
        return SpatioTemporalRepresentation(
            key_of(features), fused, frame_heatmaps, merged, merged_feature
        )
