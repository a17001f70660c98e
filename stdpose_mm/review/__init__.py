"""Review of propagated videos: what to check, what to label next."""

from .expected_errors import TrackErrors
from .frame_checks import FrameCheck, JointCheck, frames_to_check, rank_errors
from .label_plans import LabelPlans, combine_plans, plan_frames, share_labels
from .label_summary import LabelSummary, TrackSummary, summarize_labels, word_summary
from .score_calibration import calibrate_scores
from .suggestions import FrameSuggestion, rank_gains, rank_suggestions, suggest_frames

__all__ = [
    'FrameCheck',
    'FrameSuggestion',
    'JointCheck',
    'LabelPlans',
    'LabelSummary',
    'TrackErrors',
    'TrackSummary',
    'calibrate_scores',
    'combine_plans',
    'frames_to_check',
    'plan_frames',
    'rank_errors',
    'rank_gains',
    'rank_suggestions',
    'share_labels',
    'suggest_frames',
    'summarize_labels',
    'word_summary',
]
