from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample
from torch import Tensor

from stdpose_mm.errors import InputError
from stdpose_mm.models.necks import MLSME
from stdpose_mm.models.structures import AuxiliaryLabels, SpatioTemporalRepresentation
from stdpose_mm.registration import register

from .window_pose_estimator import WindowPoseEstimator, show_labels, window_targets


@register(MODELS)
class SemanticMotionPose(WindowPoseEstimator):
    """Semantic motion encoding and spatial-motion mutual learning (Feng and Chen, 2025).

    The neck (:class:`MLSME`) encodes the motion in a window, and the head fuses it with the key
    frame's feature. In training, tokens and frames of the windows are masked and reconstructed;
    prediction masks nothing.

    Args:
        *args: Arguments of :class:`WindowPoseEstimator`; the neck is :class:`MLSME`.
        context_loss_weight: Weight of the squared error of hidden features, normalised per token.
        pose_loss_weight: Weight of the heatmap loss of hidden frames, which the neck's
            ``pose_decoder`` defines.
        **kwargs: Arguments of :class:`WindowPoseEstimator`.

    Raises:
        InputError: If the neck is not an :class:`MLSME`.
    """

    def __init__(
        self,
        *args: Any,
        context_loss_weight: float = 1.0,
        pose_loss_weight: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        neck = getattr(self, 'neck', None)
        if not isinstance(neck, MLSME):
            raise InputError(
                f'SemanticMotionPose needs the neck MLSME, got {type(neck).__name__}, '
                'use STDPose for other necks'
            )
        self.context_loss_weight = context_loss_weight
        self.pose_loss_weight = pose_loss_weight

    def drop_training_parts(self) -> None:
        """Free the decoders of masked features."""
        self.neck.context_decoder = self.neck.pose_decoder = None

    def fuse_in_training(
        self, features: Tensor, frame_heatmaps: Tensor | None, aux_labels: AuxiliaryLabels | None
    ) -> SpatioTemporalRepresentation:
        masks = self.neck.sample_masks(len(features))
        return self.neck(features, show_labels(frame_heatmaps, aux_labels), aux_labels, masks)

    def representation_losses(
        self,
        representation: SpatioTemporalRepresentation,
        windows: list[PoseDataSample],
        windows_per_sample: int,
    ) -> dict[str, Tensor]:
        """Compute the reconstruction losses of features under tubes, of frames and of heatmaps.

        Features become easier to reconstruct if all become alike. ``explained_*``, which is logged
        but is no loss, is therefore the explained share of their variance: 0 for the best constant,
        1 for the features themselves.
        """
        hidden = representation.reconstruction
        if hidden is None:
            return {}
        losses: dict[str, Tensor] = {}
        for level, features in (('tubes', hidden.tubes), ('frames', hidden.frames)):
            if features is not None:
                error = F.mse_loss(features.reconstructed.float(), features.target)
                losses[f'loss_context_{level}'] = error * self.context_loss_weight
                variance = features.target.var(dim=0, correction=0).mean()
                losses[f'explained_{level}'] = (1 - error / variance).detach()
        if hidden.heatmaps is not None:
            target, weights = (values[hidden.hidden_frames] for values in window_targets(windows))
            loss = self.neck.pose_decoder.loss_module(hidden.heatmaps, target, weights)
            losses['loss_masked_kpt'] = loss * self.pose_loss_weight
        return losses
