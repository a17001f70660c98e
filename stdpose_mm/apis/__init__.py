"""What a user's program imports."""

from .compare_propagators import Comparison, Figures, compare_propagators, mean_motion
from .difficulty import Difficulty, measure_difficulty, report_difficulty
from .video_pose_propagator import FrameResult, PropagationState, VideoPosePropagator

__all__ = [
    'Comparison',
    'Difficulty',
    'Figures',
    'FrameResult',
    'PropagationState',
    'VideoPosePropagator',
    'compare_propagators',
    'mean_motion',
    'measure_difficulty',
    'report_difficulty',
]
