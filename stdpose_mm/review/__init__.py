"""Review of propagated videos: what to check, what to label next."""

from .frame_checks import FrameCheck, JointCheck, frames_to_check
from .label_summary import LabelSummary, TrackSummary, summarize_labels, word_summary
from .score_calibration import calibrate_scores
from .suggestions import FrameSuggestion, rank_suggestions, suggest_frames

__all__ = [
    'FrameCheck',
    'FrameSuggestion',
    'JointCheck',
    'LabelSummary',
    'TrackSummary',
    'calibrate_scores',
    'frames_to_check',
    'rank_suggestions',
    'suggest_frames',
    'summarize_labels',
    'word_summary',
]
