"""Heads: a representation to heatmaps, their loss and their decoding."""

from .frame_head import FrameHead
from .single_source_head import SingleSourceHead
from .spatial_motion_head import SpatialMotionHead
from .stda_head import STDAHead

__all__ = ['FrameHead', 'STDAHead', 'SingleSourceHead', 'SpatialMotionHead']
