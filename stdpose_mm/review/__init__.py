"""Review of propagated videos: what to check, what to label next."""

from .doubled_labels import DoubledLabels, find_doubled_labels, word_doubled
from .exchanged_labels import ExchangedLabels, find_exchanged_labels, word_exchanged
from .expected_errors import TrackErrors
from .first_labels import (
    FirstLabels,
    TrackMotion,
    UnlabelledVideo,
    choose_first_labels,
    measure_motion,
)
from .frame_checks import FrameCheck, JointCheck, frames_to_check, most_doubtful, rank_errors
from .label_accuracy import (
    HiddenLabel,
    LabelAccuracy,
    choose_hidden_labels,
    compare_hidden_labels,
    remaining_labels,
)
from .label_plans import LabelPlans, combine_plans, plan_frames, share_labels
from .label_summary import (
    LabelSummary,
    TrackSummary,
    summarize_labels,
    word_doubts,
    word_summary,
)
from .score_calibration import calibrate_scores, recalibrate, score_meaning
from .suggestions import (
    FrameSuggestion,
    errors_beside_labels,
    expect_errors_left,
    expected_errors,
    rank_gains,
    rank_suggestions,
    suggest_frames,
)

__all__ = [
    'DoubledLabels',
    'ExchangedLabels',
    'FirstLabels',
    'FrameCheck',
    'FrameSuggestion',
    'HiddenLabel',
    'JointCheck',
    'LabelAccuracy',
    'LabelPlans',
    'LabelSummary',
    'TrackErrors',
    'TrackMotion',
    'TrackSummary',
    'UnlabelledVideo',
    'calibrate_scores',
    'choose_first_labels',
    'choose_hidden_labels',
    'combine_plans',
    'compare_hidden_labels',
    'errors_beside_labels',
    'expect_errors_left',
    'expected_errors',
    'find_doubled_labels',
    'find_exchanged_labels',
    'frames_to_check',
    'measure_motion',
    'most_doubtful',
    'plan_frames',
    'rank_errors',
    'rank_gains',
    'rank_suggestions',
    'recalibrate',
    'remaining_labels',
    'score_meaning',
    'share_labels',
    'suggest_frames',
    'summarize_labels',
    'word_doubled',
    'word_doubts',
    'word_exchanged',
    'word_summary',
]
