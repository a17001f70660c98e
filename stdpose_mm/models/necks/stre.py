from __future__ import annotations

from typing import Any

from mmpose.registry import MODELS
from torch import Tensor

from stdpose_mm.errors import InputError
from stdpose_mm.models.structures import AuxiliaryLabels, SpatioTemporalRepresentation
from stdpose_mm.registration import register

from .window_neck import WindowNeck


@register(MODELS)
class STRE(WindowNeck):
    """SpatioTemporal Representation Encoder (Sec. 3.1).

    Args:
        tff: Config of the module that fuses features (:class:`TemporalFeatureFusion` or
            :class:`KeyFrameFusion`), or ``None`` to omit it.
        tks: Config of the module that merges heatmaps (:class:`TemporalKeypointsSynthesis` or
            :class:`AppearanceKeypointsSynthesis`), or ``None`` to omit it.

    Raises:
        InputError: If the two modules take windows with different numbers of frames.
    """

    def __init__(self, tff: dict | None = None, tks: dict | None = None) -> None:
        super().__init__()
        self.tff: Any = MODELS.build(tff) if tff else None
        self.tks = MODELS.build(tks) if tks else None
        numbers = [part.num_frames for part in (self.tff, self.tks) if part is not None]
        if len(set(numbers)) > 1:
            raise InputError(
                f'tff and tks must have the same num_frames, got {numbers[0]} and {numbers[1]}'
            )
        if numbers:
            self.num_frames = numbers[0]
        self.reads_heatmaps = self.tks is not None

    def project_frames(self, features: Tensor) -> Tensor | None:
        """Project the features of single frames [M, D, h', w'], if windows can share the result."""
        return None if self.tff is None else self.tff.project_frames(features)

    def forward(
        self,
        features: Tensor,
        frame_heatmaps: Tensor | None = None,
        aux_labels: AuxiliaryLabels | None = None,
        projections: Tensor | None = None,
    ) -> SpatioTemporalRepresentation:
        """Encode a window.

        Args:
            features: F_l, F_t, F_r with shape [N, T, D, h', w'].
            frame_heatmaps: H_l, H_t, H_r with shape [N, T, K, h, w]; needed by ``tks``.
            aux_labels: Given labels. ``tks`` may read the interpolated pose, and both parts the key
                frame's position; the labels themselves are already in ``frame_heatmaps``.
            projections: :meth:`project_frames` of these frames [N, T, ...], if already computed.

        Raises:
            InputError: If ``tks`` has no heatmaps to merge.
        """
        fused = None if self.tff is None else self.tff(features, aux_labels, projections)
        return self.merge_heatmaps(features, frame_heatmaps, aux_labels, fused)
