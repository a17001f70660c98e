from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import Tensor, nn

from stdpose_mm.models.layers import conv_block
from stdpose_mm.structures import NUM_FRAMES


@MODELS.register_module()
class TemporalKeypointsSynthesis(BaseModule):
    """Temporal Keypoints Synthesis (TKS, Eq. 6): heatmaps of all frames to merged heatmaps H~_t.

    First every joint by itself over time (convolutions grouped by joint), then over all joints,
    then once more together with the input maps.

    Args:
        num_joints: Number of joints K.
        joint_channels: Channels per joint after each of the grouped convolutions.
        num_frames: Number of frames T.
        use_prior: Also read the interpolated pose of the key frame as one more map per joint
            (beyond the paper).
    """

    def __init__(
        self,
        num_joints: int,
        joint_channels: tuple[int, ...] = (4, 2),
        num_frames: int = NUM_FRAMES,
        use_prior: bool = False,
    ) -> None:
        super().__init__()
        self.num_frames = num_frames
        self.use_prior = use_prior
        maps_per_joint = num_frames + use_prior
        widths = [num_joints * channels for channels in (maps_per_joint, *joint_channels)]
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

    def forward(self, frame_heatmaps: Tensor, prior: Tensor | None = None) -> Tensor:
        """Merge the maps of a window.

        Args:
            frame_heatmaps: Maps of the frames [N, T, K, h, w].
            prior: Map of the interpolated pose [N, K, h, w]; empty maps if ``None``. Not read
                without ``use_prior``.

        Returns:
            H~_t with shape [N, K, h, w]. It is trained through the head only and need not look
            like heatmaps.
        """
        if self.use_prior and prior is None:
            # One more frame of zeros.
            frame_heatmaps = F.pad(frame_heatmaps, (0, 0, 0, 0, 0, 0, 0, 1))
        elif self.use_prior and prior is not None:
            prior = prior.to(frame_heatmaps.dtype)[:, None]
            frame_heatmaps = torch.cat((frame_heatmaps, prior), dim=1)
        by_joint = frame_heatmaps.transpose(1, 2).flatten(1, 2)
        merged = self.merge_joints(self.merge_time(by_joint))
        return self.synthesize(torch.cat((merged, by_joint.to(merged.dtype)), dim=1))
