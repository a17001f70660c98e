"""Transforms from the list of a window's frames to the packed sample, in pipeline order."""

from .generate_window_target import GenerateWindowTarget
from .load_window import LoadWindow
from .pack_window_inputs import PackWindowInputs
from .window_colours import WindowDegradation, WindowPhotometric
from .window_geometry import (
    WindowRandomBBoxTransform,
    WindowRandomFlip,
    WindowRandomHalfBody,
    WindowTopdownAffine,
)

__all__ = [
    'GenerateWindowTarget',
    'LoadWindow',
    'PackWindowInputs',
    'WindowDegradation',
    'WindowPhotometric',
    'WindowRandomBBoxTransform',
    'WindowRandomFlip',
    'WindowRandomHalfBody',
    'WindowTopdownAffine',
]
