"""A trained window model at work on pictures."""

from .in_background import in_background
from .window_model import PRECISIONS, Crop, WindowModel, move_to, read_checkpoint
from .window_network import FrameCodes, FrameView, TorchWindowNetwork, WindowNetwork, equal_slices

__all__ = [
    'PRECISIONS',
    'Crop',
    'FrameCodes',
    'FrameView',
    'TorchWindowNetwork',
    'WindowModel',
    'WindowNetwork',
    'equal_slices',
    'in_background',
    'move_to',
    'read_checkpoint',
]
