"""What a user's program imports."""

from .adaptation import AdaptedModel, adapt
from .clip_statistics import Figures
from .compare_propagators import Comparison, compare_propagators
from .difficulty import Difficulty, measure_difficulty, report_difficulty
from .motion import mean_motion
from .video_pose_propagator import FrameResult, PropagationState, VideoPosePropagator

__all__ = [
    'AdaptedModel',
    'Comparison',
    'Difficulty',
    'Figures',
    'FrameResult',
    'PropagationState',
    'VideoPosePropagator',
    'adapt',
    'compare_propagators',
    'mean_motion',
    'measure_difficulty',
    'report_difficulty',
]
