from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from mmpose.registry import MODELS
from torch import Tensor, nn

from stdpose_mm.errors import InputError
from stdpose_mm.models.layers.blocks import (
    DividedAttentionBlock,
    FrameAggregation,
    TransformerBlock,
    apply_block,
    zero_init_residual,
)
from stdpose_mm.models.layers.position_embedding import sine_cosine_position_embedding
from stdpose_mm.models.structures import (
    AuxiliaryLabels,
    MaskedFeatures,
    Reconstruction,
    SpatioTemporalRepresentation,
    key_of,
)
from stdpose_mm.registration import register
from stdpose_mm.structures import NUM_FRAMES

from .mlsme_parts import SpaceTimeMasks, sample_mask, sample_tube_mask
from .window_neck import WindowNeck


@register(MODELS)
class MLSME(WindowNeck):
    """Multi-Level Semantic Motion Encoder (Feng and Chen, 2025): features of a window over time.

    A fixed sine-cosine embedding of the place and a learnable embedding of the frame are added to
    the tokens of all frames. In training, parts of the window are hidden on two levels:

    - **patches**: places covered by *tubes*, several frames long, are replaced by a learnable
      token; a block of joint space-time attention and a block of divided attention follow;
    - **frames**: whole frames of the result are replaced by another learnable token; a block of
      joint attention follows. What other frames already hold of a hidden frame stays.

    Decoders reconstruct the hidden features on both levels (the target is the backbone's feature,
    normalised per token, without gradient), and the heatmaps of the hidden frames. They do not run
    without masks. The motion feature is the mean of the frames' tokens, less their positions, plus
    an MLP of the tokens of all frames. Blocks and MLP are initially zero, so the motion feature is
    at first the mean of the features, which a head pretrained on the backbone can decode.

    No code of the method is public. Its summaries do not tell the ratios, the length of a tube, the
    number of blocks, the decoders, whether a masked token keeps its position, and the share of the
    windows that is masked. docs/reference/semantic_motion.md lists what was measured.

    Args:
        embed_dims: Width D of the features.
        num_heads: Attention heads of a block.
        feature_size: Rows and columns of the features.
        num_frames: Number of frames T.
        tube_ratio: Share of the places that have a tube; 0 for no tubes.
        tube_length: Number of frames that a tube covers, 1 to T.
        masked_frames: Number of frames that are wholly hidden, less than T; 0 for none.
        masked_share: Share of the windows of a batch that have masks at all.
        context_decoder: Config of the decoder of features; needed if anything is masked.
        pose_decoder: Config of the heatmap head that decodes hidden frames, or ``None`` to
            reconstruct only their features.
        pose_embed: Config of the embedding of given labels, which is added to the tokens of their
            frames, including hidden ones, because masks hide pictures while labels exist in real
            use. ``None`` for pose estimation, which has no labels.
        tks: Config of :class:`AppearanceKeypointsSynthesis` with the neck's ``num_frames``, for a
            head with ``merged_channels`` (beyond the paper). It merges the frames' heatmaps,
            including given labels, and compares the frames by appearance. ``None`` leaves it out.
        residual: Whether the motion feature starts from the key frame's token instead of the mean
            over all frames (beyond the paper).
        with_cp: Recompute the encoder's blocks in the backward pass to save memory.

    Raises:
        InputError: If a setting is out of range, or decoders and masks do not match.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        feature_size: tuple[int, int],
        num_frames: int = NUM_FRAMES,
        tube_ratio: float = 0.0,
        tube_length: int = 2,
        masked_frames: int = 0,
        masked_share: float = 1.0,
        context_decoder: dict | None = None,
        pose_decoder: dict | None = None,
        pose_embed: dict | None = None,
        tks: dict | None = None,
        residual: bool = False,
        with_cp: bool = False,
    ) -> None:
        super().__init__()
        self.with_cp = with_cp
        for name, value, is_possible, expected in (
            ('tube_ratio', tube_ratio, 0 <= tube_ratio < 1, 'at least 0 and less than 1'),
            ('tube_length', tube_length, 1 <= tube_length <= num_frames, f'in 1..{num_frames}'),
            ('masked_frames', masked_frames, 0 <= masked_frames < num_frames, 'below num_frames'),
            ('masked_share', masked_share, 0 < masked_share <= 1, 'above 0 and at most 1'),
        ):
            if not is_possible:
                raise InputError(f'{name} must be {expected}, got {value}')
        if bool(tube_ratio or masked_frames) != (context_decoder is not None):
            raise InputError('context_decoder needs tube_ratio or masked_frames and vice versa')
        if pose_decoder is not None and not masked_frames:
            raise InputError('a pose_decoder decodes hidden frames, set masked_frames')
        self.embed_dims = embed_dims
        self.grid = (feature_size[0], feature_size[1])
        self.num_frames = num_frames
        self.tube_ratio = tube_ratio
        self.tube_length = tube_length
        self.masked_frames = masked_frames
        self.masked_share = masked_share
        self.residual = residual

        place = sine_cosine_position_embedding(self.grid, embed_dims)
        self.register_buffer('place_embed', place[:, None], persistent=False)
        self.frame_embed = _learnable_tokens(num_frames, embed_dims)
        self.tube_token = _learnable_tokens(1, embed_dims) if tube_ratio else None
        self.frame_token = _learnable_tokens(1, embed_dims) if masked_frames else None
        self.pose_embed = MODELS.build(pose_embed) if pose_embed else None

        # Lists of one block, since checkpoints name the parameters so.
        self.joint_blocks = nn.ModuleList([TransformerBlock(embed_dims, num_heads)])
        self.divided_blocks = nn.ModuleList([DividedAttentionBlock(embed_dims, num_heads)])
        self.frame_blocks = nn.ModuleList([TransformerBlock(embed_dims, num_heads)])
        self.norm = nn.LayerNorm(embed_dims, eps=1e-6)
        self.aggregate = FrameAggregation(num_frames, embed_dims, start_at_zero=True)
        for blocks in (self.joint_blocks, self.divided_blocks, self.frame_blocks):
            zero_init_residual(blocks)
        self.context_decoder: Any = MODELS.build(context_decoder) if context_decoder else None
        self.pose_decoder: Any = MODELS.build(pose_decoder) if pose_decoder else None
        defaults = {'num_frames': num_frames, 'merge_heatmaps': False}
        self.tks = MODELS.build(tks, default_args=defaults) if tks else None
        if self.tks is not None and self.tks.num_frames != num_frames:
            raise InputError(f'tks must have num_frames={num_frames}, got {self.tks.num_frames}')
        self.reads_heatmaps = self.tks is not None
        self.takes_labels = self.pose_embed is not None or self.tks is not None

    def sample_masks(self, num_windows: int) -> SpaceTimeMasks | None:
        """Draw the masks of a training step from torch's default generator.

        Args:
            num_windows: Number of windows N.

        Returns:
            Masks on the neck's device, or ``None`` if nothing is to be masked.
        """
        if self.context_decoder is None:
            return None
        device, num_frames = self.frame_embed.device, self.frame_embed.shape[1]
        num_places = self.grid[0] * self.grid[1]
        num_masked = math.ceil(self.masked_share * num_windows)
        chosen = sample_mask((num_windows,), num_masked, device)
        tubes = frames = None
        if self.tube_ratio:
            shape = num_windows, num_frames, num_places
            tubes = sample_tube_mask(shape, self.tube_ratio, self.tube_length, device)
            tubes = tubes & chosen[:, None, None]
        if self.masked_frames:
            frames = sample_mask((num_windows, num_frames), self.masked_frames, device)
            frames = frames & chosen[:, None]
        return SpaceTimeMasks(tubes, frames)

    def forward(
        self,
        features: Tensor,
        frame_heatmaps: Tensor | None = None,
        aux_labels: AuxiliaryLabels | None = None,
        masks: SpaceTimeMasks | None = None,
    ) -> SpatioTemporalRepresentation:
        """Encode windows.

        Args:
            features: F_l, F_t, F_r with shape [N, T, D, h', w'].
            frame_heatmaps: H_l, H_t, H_r [N, T, K, h, w], given labels instead of predictions. Only
                ``tks`` reads them, after the encoder, because the masks hide what they are computed
                from.
            aux_labels: Labels that ``pose_embed`` embeds; ``tks`` may read the interpolated pose.
            masks: See :meth:`sample_masks`; ``None``, as in inference, masks nothing.

        Returns:
            The unchanged feature of the key frame, the motion feature as ``fused_feature``, the
            results of ``tks``, and with masks the reconstruction.

        Raises:
            InputError: If the features have another size, or ``tks`` has no heatmaps to merge.
        """
        if features.shape[-2:] != self.grid:
            raise InputError(
                f'expected features of size {self.grid}, got {tuple(features.shape[-2:])}, set '
                'feature_size of the neck to that of the backbone'
            )
        target = features.flatten(3).transpose(2, 3)
        labels = None
        if self.pose_embed is not None and aux_labels is not None:
            labels = self.pose_embed(aux_labels, self.num_frames)
        by_patches, by_frames = self.encode(target, masks, labels)
        by_content = by_frames - self.place_embed - self.frame_embed
        start = key_of(by_content) if self.residual else by_content.mean(dim=1)
        motion = start + self.aggregate(self.norm(by_frames))
        fused = motion.transpose(1, 2).unflatten(2, self.grid)
        merged = self.merge_heatmaps(features, frame_heatmaps, aux_labels, fused)
        if masks is None:
            return merged
        reconstruction = self._reconstruct(by_patches, by_frames, target, masks)
        return merged._replace(reconstruction=reconstruction)

    def encode(
        self, tokens: Tensor, masks: SpaceTimeMasks | None, labels: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Encode tokens [N, T, L, D]; returns them after the patch level and after the frame level.

        Args:
            tokens: Tokens of the pictures, which the masks hide.
            masks: See :meth:`sample_masks`.
            labels: Tokens of the given labels in the same shape, which no mask hides.
        """
        tubes, frames = masks if masks is not None else (None, None)
        position = self.place_embed + self.frame_embed
        tokens = tokens + position
        if tubes is not None:
            tokens = torch.where(tubes[..., None], self.tube_token + position, tokens)
        if labels is not None:
            tokens = tokens + labels
        tokens = self._apply_jointly(self.joint_blocks[0], tokens)
        by_patches = apply_block(self.divided_blocks[0], tokens, recompute=self.with_cp)
        tokens = by_patches
        if frames is not None:
            hidden = frames[..., None, None]
            visible = self.frame_token + position
            tokens = torch.where(hidden, visible if labels is None else visible + labels, tokens)
        return by_patches, self._apply_jointly(self.frame_blocks[0], tokens)

    def _apply_jointly(self, block: nn.Module, tokens: Tensor) -> Tensor:
        """Apply a block to the tokens [N, T, L, D] of all frames together."""
        joint = apply_block(block, tokens.flatten(1, 2), recompute=self.with_cp)
        return joint.unflatten(1, tokens.shape[1:3])

    def _reconstruct(
        self, by_patches: Tensor, by_frames: Tensor, target: Tensor, masks: SpaceTimeMasks
    ) -> Reconstruction:
        target = F.layer_norm(target.detach().float(), target.shape[-1:])
        tubes = frames = heatmaps = None
        if masks.tubes is not None:
            decoded = self.context_decoder(by_patches)
            tubes = MaskedFeatures(decoded[masks.tubes], target[masks.tubes])
        if masks.frames is not None:
            hidden = self.context_decoder(by_frames)[masks.frames].flatten(0, 1)
            frames = MaskedFeatures(hidden, target[masks.frames].flatten(0, 1))
            if self.pose_decoder is not None:
                feature = self.norm(by_frames[masks.frames]).transpose(1, 2)
                heatmaps = self.pose_decoder((feature.unflatten(2, self.grid),))
        return Reconstruction(tubes, frames, heatmaps, masks.frames)


def _learnable_tokens(num_frames: int, embed_dims: int) -> nn.Parameter:
    """Create a parameter [1, T, 1, D]."""
    return nn.Parameter(nn.init.trunc_normal_(torch.empty(1, num_frames, 1, embed_dims), std=0.02))
