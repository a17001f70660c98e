from __future__ import annotations

from typing import Any

from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample
from torch import Tensor

from stdpose_mm.errors import InputError
from stdpose_mm.models.structures import SpatioTemporalRepresentation

from .window_pose_estimator import WindowPoseEstimator, key_targets


@MODELS.register_module()
class STDPose(WindowPoseEstimator):
    """STDPose (Jiao et al., AAAI 2025), which merges heatmaps and fuses features over time.

    The total loss (Eq. 5) is the head's heatmap loss (Eq. 4) and the mutual information objective.

    Args:
        *args: Arguments of :class:`WindowPoseEstimator`.
        mi_loss: Config of the mutual information objective, or ``None``.
        **kwargs: Arguments of :class:`WindowPoseEstimator`.

    Raises:
        InputError: If there is a ``mi_loss`` but no neck.
    """

    def __init__(self, *args: Any, mi_loss: dict | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if mi_loss is not None and not self.with_neck:
            raise InputError('a mi_loss needs a neck, got neck=None')
        self.mi_loss: Any = MODELS.build(mi_loss) if mi_loss else None

    def representation_losses(
        self,
        representation: SpatioTemporalRepresentation,
        windows: list[PoseDataSample],
        windows_per_sample: int,
    ) -> dict[str, Tensor]:
        """Compute the mutual information objective (Eq. 2)."""
        if self.mi_loss is None:
            return {}
        return self.mi_loss(representation, *key_targets(windows), windows_per_sample)
