"""What a user's program imports."""

from .adaptation import AdaptedModel, adapt
from .clip_statistics import Figures
from .compare_propagators import Comparison, compare_propagators
from .difficulty import Difficulty, measure_difficulty, report_difficulty
from .frame_ranking import (
    FrameCheck,
    FrameSuggestion,
    JointCheck,
    frames_to_check,
    rank_suggestions,
    suggest_frames,
    with_honest_scores,
)
from .motion import mean_motion
from .video_pose_propagator import FrameResult, PropagationState, VideoPosePropagator

__all__ = [
    'AdaptedModel',
    'Comparison',
    'Difficulty',
    'Figures',
    'FrameCheck',
    'FrameResult',
    'FrameSuggestion',
    'JointCheck',
    'PropagationState',
    'VideoPosePropagator',
    'adapt',
    'compare_propagators',
    'frames_to_check',
    'mean_motion',
    'measure_difficulty',
    'rank_suggestions',
    'report_difficulty',
    'suggest_frames',
    'with_honest_scores',
]
