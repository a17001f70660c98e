"""Pose networks that see the labelled frames around a frame."""

from .window_propagator import (
    PerFramePropagator,
    SemanticMotionPropagator,
    STDPosePropagator,
    method_of,
)
