"""Pose networks that see the labelled frames around a frame."""

from .per_frame_propagator import PerFramePropagator
from .semantic_motion_propagator import SemanticMotionPropagator
from .sparse_estimator import SparseEstimator, see_every
from .stdpose_propagator import STDPosePropagator
from .window_propagator import WindowPropagator, method_of, methods_of_windows

__all__ = [
    'PerFramePropagator',
    'STDPosePropagator',
    'SemanticMotionPropagator',
    'SparseEstimator',
    'WindowPropagator',
    'method_of',
    'methods_of_windows',
    'see_every',
]
