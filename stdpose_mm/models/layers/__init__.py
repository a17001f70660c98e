"""Layers shared by backbones, necks and heads.

``attention``, ``blocks``, ``deformable``, ``position_embedding``, ``packed_layers``,
``recompute``, ``space_time_masks`` and ``upsampling`` hold related functions and classes; a class
that configs name has its own file.
"""

from .appearance_correlation import AppearanceCorrelation
from .attention import CrossAttention, SelfAttention
from .blocks import (
    DividedAttentionBlock,
    FrameAggregation,
    KeyFrameBlock,
    PoseAggregationBlock,
    ResidualBlock,
    TransformerBlock,
    conv_block,
    zero_init_residual,
)
from .context_decoder import ContextDecoder
from .deformable import DeformableWarp
from .dynamic_aware_mask import DynamicAwareMask
from .given_pose_embedding import GivenPoseEmbedding
from .packed_layers import fold_normalisation, pack_layers
from .position_embedding import fit_position_embedding, sine_cosine_position_embedding
from .recompute import apply_block
from .space_time_masks import SpaceTimeMasks, draw_frames, draw_tubes, draw_windows
from .spatial_motion_concatenation import SpatialMotionConcatenation
from .spatial_motion_mutual_learning import SpatialMotionMutualLearning
from .token_pruning import TokenPruning
from .upsampling import convolve_upsampled

__all__ = [
    'AppearanceCorrelation',
    'ContextDecoder',
    'CrossAttention',
    'DeformableWarp',
    'DividedAttentionBlock',
    'DynamicAwareMask',
    'FrameAggregation',
    'GivenPoseEmbedding',
    'KeyFrameBlock',
    'PoseAggregationBlock',
    'ResidualBlock',
    'SelfAttention',
    'SpaceTimeMasks',
    'SpatialMotionConcatenation',
    'SpatialMotionMutualLearning',
    'TokenPruning',
    'TransformerBlock',
    'apply_block',
    'conv_block',
    'convolve_upsampled',
    'draw_frames',
    'draw_tubes',
    'draw_windows',
    'fit_position_embedding',
    'fold_normalisation',
    'pack_layers',
    'sine_cosine_position_embedding',
    'zero_init_residual',
]
