from __future__ import annotations

from typing import Any

import torch
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample
from torch import Tensor, nn

from stdpose_mm.errors import InputError
from stdpose_mm.models.structures import SpatioTemporalRepresentation
from stdpose_mm.registration import register

from .window_pose_estimator import WindowPoseEstimator, key_targets


@register(MODELS)
class STDPose(WindowPoseEstimator):
    """STDPose (Jiao et al., AAAI 2025), which merges heatmaps and fuses features over time.

    The total loss (Eq. 5) is the head's heatmap loss (Eq. 4) and the mutual information objective.

    Args:
        *args: Arguments of :class:`WindowPoseEstimator`.
        mi_loss: Config of the mutual information objective, or ``None``.
        **kwargs: Arguments of :class:`WindowPoseEstimator`.

    Raises:
        InputError: If there is a ``mi_loss`` but no neck, or a literal one but no frame head.
    """

    def __init__(self, *args: Any, mi_loss: dict | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if mi_loss is not None and not self.with_neck:
            raise InputError('a mi_loss needs a neck, got neck=None')
        # The size of the heatmaps relative to the features.
        patch_size = getattr(self.head, 'patch_size', None)
        defaults = {} if patch_size is None else {'upsample': patch_size}
        self.mi_loss: Any = MODELS.build(mi_loss, default_args=defaults) if mi_loss else None
        self._final_heatmaps: Tensor | None = None
        if mi_loss and mi_loss.get('estimator') == 'literal':
            if self.frame_head is None:
                raise InputError("a mi_loss with estimator='literal' needs a frame_head, got None")
            # The head's loss does not return H-bar, and computing it twice would also update the
            # statistics of its normalisation twice.
            self.head.loss_module.register_forward_pre_hook(self._keep_final_heatmaps)

    def representation_losses(
        self,
        representation: SpatioTemporalRepresentation,
        windows: list[PoseDataSample],
        windows_per_sample: int,
    ) -> dict[str, Tensor]:
        """Compute the mutual information objective (Eq. 2)."""
        if self.mi_loss is None:
            return {}
        is_literal = self.mi_loss.estimator == 'literal'
        heatmaps = self._compared_heatmaps(representation) if is_literal else ()
        return self.mi_loss(representation, *key_targets(windows), windows_per_sample, *heatmaps)

    def _keep_final_heatmaps(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self._final_heatmaps = inputs[0]

    def _compared_heatmaps(self, representation: SpatioTemporalRepresentation) -> tuple[Any, Any]:
        """Return H-bar of the head's loss, and F~ decoded by the frame head, [N, K, h, w] each."""
        is_training = self.frame_head.training
        # In training mode, F~ would change the statistics that decode single frames.
        self.frame_head.eval()
        with torch.no_grad():
            fused_heatmaps = self.frame_head.forward((representation.fused_feature,))
        self.frame_head.train(is_training)
        # The graph of the step must not outlive it.
        final_heatmaps, self._final_heatmaps = self._final_heatmaps, None
        return final_heatmaps, fused_heatmaps
