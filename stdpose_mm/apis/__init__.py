"""What a user's program imports."""

from .compare_propagators import Comparison, compare_propagators
from .video_pose_propagator import FrameResult, PropagationState, VideoPosePropagator

__all__ = [
    'Comparison',
    'FrameResult',
    'PropagationState',
    'VideoPosePropagator',
    'compare_propagators',
]
