"""Layers shared by backbones, necks and heads.

Attention, transformer and residual blocks, the motion mask, deformable warping, parts of DCPose.
"""

from .conv_block import conv_block
from .cross_attention import CrossAttention
from .deformable_convolution import deformable_convolution
from .deformable_warp import DeformableWarp
from .dynamic_aware_mask import DynamicAwareMask, modified_sigmoid
from .feed_forward import FeedForward
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
from .scaled_dot_product import attend
from .self_attention import SelfAttention
from .transformer_block import TransformerBlock

__all__ = [
    'CrossAttention',
    'DeformableWarp',
    'DynamicAwareMask',
    'FeedForward',
    'PackedDeconvolution',
    'PackedLinear',
    'PackedPatches',
    'PoseAggregationBlock',
    'PoseResidualFusion',
    'PoseTemporalMerger',
    'ResidualBlock',
    'SelfAttention',
    'TransformerBlock',
    'attend',
    'conv_block',
    'deformable_convolution',
    'fit_position_embedding',
    'fold_normalisation',
    'infer_grid',
    'modified_sigmoid',
    'pack_layers',
    'sine_cosine_position_embedding',
]
