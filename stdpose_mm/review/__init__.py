"""What to check, what to label next."""

from .frame_ranking import (
    FrameCheck,
    FrameSuggestion,
    JointCheck,
    calibrate_scores,
    frames_to_check,
    rank_suggestions,
    suggest_frames,
)

__all__ = [
    'FrameCheck',
    'FrameSuggestion',
    'JointCheck',
    'calibrate_scores',
    'frames_to_check',
    'rank_suggestions',
    'suggest_frames',
]
