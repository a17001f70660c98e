"""Review of propagated videos: frames to check, and frames to label next."""

from .expected_errors import TrackErrors
from .first_labels import UnlabelledVideo, choose_first_labels, measure_motion
from .flow_checks import CarriedPoses
from .frame_checks import FrameCheck, JointCheck, frames_to_check, rank_errors
from .label_accuracy import (
    HiddenLabel,
    LabelAccuracy,
    choose_hidden_labels,
    compare_hidden_labels,
    remaining_labels,
)
from .label_plans import plan_frames, share_labels
from .label_summary import describe_labels, describe_poses
from .outlook import Outlook
from .pose_checks import Doubt, apply_proposals, check_poses, mend_people, mend_sides
from .pose_placing import place_pose
from .score_calibration import calibrate_scores, recalibrate, score_meaning
from .suggestions import (
    errors_beside_labels,
    expect_errors_left,
    expected_errors,
    rank_gains,
    rank_suggestions,
)
from .suspicious_labels import LabelWarning, doubled_warnings, label_warnings

__all__ = [
    'CarriedPoses',
    'Doubt',
    'FrameCheck',
    'HiddenLabel',
    'JointCheck',
    'LabelAccuracy',
    'LabelWarning',
    'Outlook',
    'TrackErrors',
    'UnlabelledVideo',
    'apply_proposals',
    'calibrate_scores',
    'check_poses',
    'choose_first_labels',
    'choose_hidden_labels',
    'compare_hidden_labels',
    'describe_labels',
    'describe_poses',
    'doubled_warnings',
    'errors_beside_labels',
    'expect_errors_left',
    'expected_errors',
    'frames_to_check',
    'label_warnings',
    'measure_motion',
    'mend_people',
    'mend_sides',
    'place_pose',
    'plan_frames',
    'rank_errors',
    'rank_gains',
    'rank_suggestions',
    'recalibrate',
    'remaining_labels',
    'score_meaning',
    'share_labels',
]
