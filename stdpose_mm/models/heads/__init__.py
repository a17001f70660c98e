"""Heads: from a representation to heatmaps, their loss and their decoding."""

from .decoder_head import FrameHead, SingleSourceHead
from .dynamic_aware_mask import DynamicAwareMask
from .spatial_motion_head import (
    SpatialMotionConcatenation,
    SpatialMotionHead,
    SpatialMotionMutualLearning,
)
from .stda_head import STDAHead

__all__ = [
    'DynamicAwareMask',
    'FrameHead',
    'STDAHead',
    'SingleSourceHead',
    'SpatialMotionConcatenation',
    'SpatialMotionHead',
    'SpatialMotionMutualLearning',
]
