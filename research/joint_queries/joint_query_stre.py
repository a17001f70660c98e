from __future__ import annotations

from typing import Any

from mmpose.registry import MODELS
from torch import Tensor

from stdpose_mm.errors import InputError
from stdpose_mm.models.necks import STRE
from stdpose_mm.models.structures import (
    AuxiliaryLabels,
    SpatioTemporalRepresentation,
    key_of,
    position_of,
    relative_times,
)

from .joint_query_fusion import JointQueryFusion


@MODELS.register_module()
class JointQuerySTRE(STRE):
    """STRE with joint queries between TFF and TKS.

    Args:
        queries: Arguments of :class:`JointQueryFusion`, which changes F~, or F_t without ``tff``,
            and the key frame's maps before ``tks`` reads them.
        tff: As in :class:`STRE`.
        tks: As in :class:`STRE`.
    """

    def __init__(
        self, queries: dict[str, Any], tff: dict | None = None, tks: dict | None = None
    ) -> None:
        super().__init__(tff, tks)
        self.queries = JointQueryFusion(**queries)
        self.reads_heatmaps = True

    def forward(
        self,
        features: Tensor,
        frame_heatmaps: Tensor | None = None,
        given: AuxiliaryLabels | None = None,
        projections: Tensor | None = None,
    ) -> SpatioTemporalRepresentation:
        """Encode a window; arguments as in :class:`STRE`.

        Raises:
            InputError: If there are no heatmaps.
        """
        if frame_heatmaps is None:
            raise InputError('JointQuerySTRE reads heatmaps but got none; configure a frame_head')
        fused = key_of(features) if self.tff is None else self.tff(features, given, projections)
        times = relative_times(position_of(given, features), self.num_frames)
        fused, changed = self.queries(features, fused, frame_heatmaps, times)
        merged = (None, None) if self.tks is None else self.tks(changed, given, features, fused)
        return SpatioTemporalRepresentation(key_of(features), fused, frame_heatmaps, *merged)
