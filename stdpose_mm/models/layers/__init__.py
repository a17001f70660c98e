"""Layers shared by backbones, necks and heads.

Attention, transformer and residual blocks, masks in space and time, mutual learning, the motion
mask, deformable warping, parts of DCPose.
"""

from .context_decoder import ContextDecoder
from .conv_block import conv_block
from .cross_attention import CrossAttention
from .deformable_convolution import deformable_convolution
from .deformable_warp import DeformableWarp
from .divided_attention_block import DividedAttentionBlock
from .dynamic_aware_mask import DynamicAwareMask, modified_sigmoid
from .feed_forward import FeedForward
from .frame_aggregation import FrameAggregation
from .given_pose_embedding import GivenPoseEmbedding
from .mutual_attention_block import MutualAttentionBlock
from .packed_layers import (
    PackedDeconvolution,
    PackedLinear,
    PackedPatches,
    fold_normalisation,
    pack_layers,
)
from .pose_aggregation_block import PoseAggregationBlock
from .pose_residual_fusion import PoseResidualFusion
from .pose_temporal_merger import PoseTemporalMerger
from .position_embedding import fit_position_embedding, infer_grid, sine_cosine_position_embedding
from .residual_block import ResidualBlock
from .residual_start import zero_init_residual
from .scaled_dot_product import attend
from .self_attention import SelfAttention
from .space_time_masks import SpaceTimeMasks, draw_frames, draw_tubes, draw_windows
from .spatial_motion_concatenation import SpatialMotionConcatenation
from .spatial_motion_mutual_learning import SpatialMotionMutualLearning
from .transformer_block import TransformerBlock

__all__ = [
    'ContextDecoder',
    'CrossAttention',
    'DeformableWarp',
    'DividedAttentionBlock',
    'DynamicAwareMask',
    'FeedForward',
    'FrameAggregation',
    'GivenPoseEmbedding',
    'MutualAttentionBlock',
    'PackedDeconvolution',
    'PackedLinear',
    'PackedPatches',
    'PoseAggregationBlock',
    'PoseResidualFusion',
    'PoseTemporalMerger',
    'ResidualBlock',
    'SelfAttention',
    'SpaceTimeMasks',
    'SpatialMotionConcatenation',
    'SpatialMotionMutualLearning',
    'TransformerBlock',
    'attend',
    'conv_block',
    'deformable_convolution',
    'draw_frames',
    'draw_tubes',
    'draw_windows',
    'fit_position_embedding',
    'fold_normalisation',
    'infer_grid',
    'modified_sigmoid',
    'pack_layers',
    'sine_cosine_position_embedding',
    'zero_init_residual',
]
