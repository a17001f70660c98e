from __future__ import annotations

import itertools

import torch
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import Tensor, nn

from stdpose_mm.models.layers.convolutions import conv_block
from stdpose_mm.models.structures import AuxiliaryLabels, append_prior
from stdpose_mm.registration import register
from stdpose_mm.structures import NUM_FRAMES

JOINT_CHANNELS = (4, 2)
"""Channels per joint after each of the grouped convolutions."""


@register(MODELS)
class TemporalKeypointsSynthesis(BaseModule):
    """Temporal Keypoints Synthesis (TKS, Eq. 6): heatmaps of all frames to merged heatmaps H~_t.

    Every joint is first processed alone over time (convolutions grouped by joint), then over all
    joints, then once more together with the input maps.

    Args:
        num_joints: Number of joints K.
        num_frames: Number of frames T.
        use_prior: Whether to read the interpolated pose of the key frame, as one more map per joint
            (beyond the paper).
    """

    def __init__(
        self, num_joints: int, num_frames: int = NUM_FRAMES, use_prior: bool = False
    ) -> None:
        super().__init__()
        self.num_frames = num_frames
        self.use_prior = use_prior
        maps_per_joint = num_frames + use_prior
        widths = [num_joints * channels for channels in (maps_per_joint, *JOINT_CHANNELS)]
        self.merge_time = nn.Sequential(
            *(
                conv_block(before, after, groups=num_joints)
                for before, after in itertools.pairwise(widths)
            )
        )
        self.merge_joints = conv_block(widths[-1], widths[-1])
        self.synthesize = nn.Sequential(
            conv_block(widths[-1] + widths[0], widths[-1]),
            nn.Conv2d(widths[-1], num_joints, kernel_size=1),
        )

    def forward(
        self,
        frame_heatmaps: Tensor,
        aux_labels: AuxiliaryLabels | None = None,
        features: Tensor | None = None,
        fused_feature: Tensor | None = None,
    ) -> tuple[Tensor | None, Tensor | None]:
        """Merge the maps of a window.

        Args:
            frame_heatmaps: Maps of the frames [N, T, K, h, w].
            aux_labels: Labels; their prior map is read with ``use_prior``, empty if ``None``.
            features: Not used, like ``fused_feature``; :class:`AppearanceKeypointsSynthesis` has
                the same interface.
            fused_feature: See ``features``.

        Returns:
            H~_t with shape [N, K, h, w], which is trained through the head only and need not look
            like heatmaps, and ``None``, since there is no feature for the head.
        """
        if self.use_prior:
            frame_heatmaps = append_prior(frame_heatmaps, aux_labels)
        by_joint = frame_heatmaps.transpose(1, 2).flatten(1, 2)
        merged = self.merge_joints(self.merge_time(by_joint))
        return self.synthesize(torch.cat((merged, by_joint.to(merged.dtype)), dim=1)), None
