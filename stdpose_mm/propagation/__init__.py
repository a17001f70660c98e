"""Label propagation: STDPose and the baselines behind one interface."""

from .base import PROPAGATORS, BasePropagator, Frames, PropagatedPose, build_propagator
from .flow_propagator import FlowPropagator
from .gaps import Gap, JointAnchors, find_gaps
from .linear_propagator import LinearPropagator
from .no_pictures import NoPictures
from .per_frame_propagator import PerFramePropagator
from .repropagation import keep_every, repropagate
from .stdpose_propagator import STDPosePropagator
from .video_propagation import dense_labels, given_labels, propagate_frames, propagate_labels
from .window_model import WindowModel
from .window_propagator import WindowPropagator

__all__ = [
    'PROPAGATORS',
    'BasePropagator',
    'FlowPropagator',
    'Frames',
    'Gap',
    'JointAnchors',
    'LinearPropagator',
    'NoPictures',
    'PerFramePropagator',
    'PropagatedPose',
    'STDPosePropagator',
    'WindowModel',
    'WindowPropagator',
    'build_propagator',
    'dense_labels',
    'find_gaps',
    'given_labels',
    'keep_every',
    'propagate_frames',
    'propagate_labels',
    'repropagate',
]
