"""Pose networks that see the labelled frames around a frame."""

from .window_methods import (
    DCPosePropagator,
    PerFramePropagator,
    PoseWarperPropagator,
    SemanticMotionPropagator,
    STDPosePropagator,
)
from .window_propagator import WindowPropagator, method_of, methods_of_windows

__all__ = [
    'DCPosePropagator',
    'PerFramePropagator',
    'PoseWarperPropagator',
    'STDPosePropagator',
    'SemanticMotionPropagator',
    'WindowPropagator',
    'method_of',
    'methods_of_windows',
]
