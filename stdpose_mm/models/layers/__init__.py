"""Layers shared by backbones, necks and heads: attention, transformer blocks, the motion mask."""

from .cross_attention import CrossAttention
from .dynamic_aware_mask import DynamicAwareMask, modified_sigmoid
from .feed_forward import FeedForward
from .pose_aggregation_block import PoseAggregationBlock
from .position_embedding import fit_position_embedding, infer_grid, sine_cosine_position_embedding
from .scaled_dot_product import attend
from .self_attention import SelfAttention
from .transformer_block import TransformerBlock

__all__ = [
    'CrossAttention',
    'DynamicAwareMask',
    'FeedForward',
    'PoseAggregationBlock',
    'SelfAttention',
    'TransformerBlock',
    'attend',
    'fit_position_embedding',
    'infer_grid',
    'modified_sigmoid',
    'sine_cosine_position_embedding',
]
