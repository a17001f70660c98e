"""Label propagation: both systems and the baselines behind one interface."""

from .auto_propagator import AutoPropagator
from .base import (
    PROPAGATORS,
    BasePropagator,
    Frames,
    PropagatedPose,
    build_propagator,
    follows_flow,
    model_use,
)
from .dcpose_propagator import DCPosePropagator
from .flow_propagator import FlowPropagator
from .gaps import Gap, JointAnchors, LifeSpan, Stay, find_gaps, find_stays
from .linear_propagator import LinearPropagator
from .no_pictures import NoPictures
from .per_frame_propagator import PerFramePropagator
from .posewarper_propagator import PoseWarperPropagator
from .repropagation import keep_every, repropagate
from .semantic_motion_propagator import SemanticMotionPropagator
from .spline_propagator import SplinePropagator
from .stdpose_propagator import STDPosePropagator
from .video_propagation import (
    Boxes,
    GapCache,
    boxes_of,
    dense_labels,
    given_labels,
    propagate_frames,
    propagate_labels,
)
from .window_propagator import WindowPropagator, method_of, methods_of_windows

__all__ = [
    'PROPAGATORS',
    'AutoPropagator',
    'BasePropagator',
    'Boxes',
    'DCPosePropagator',
    'FlowPropagator',
    'Frames',
    'Gap',
    'GapCache',
    'JointAnchors',
    'LifeSpan',
    'LinearPropagator',
    'NoPictures',
    'PerFramePropagator',
    'PoseWarperPropagator',
    'PropagatedPose',
    'STDPosePropagator',
    'SemanticMotionPropagator',
    'SplinePropagator',
    'Stay',
    'WindowPropagator',
    'boxes_of',
    'build_propagator',
    'dense_labels',
    'find_gaps',
    'find_stays',
    'follows_flow',
    'given_labels',
    'keep_every',
    'method_of',
    'methods_of_windows',
    'model_use',
    'propagate_frames',
    'propagate_labels',
    'repropagate',
]
