"""Evaluation of plain label structures, without torch, MMPose or another evaluator."""

from .average_precision import ApAccumulator
from .calibration import CORRECT_WITHIN, ScoreCalibrator, pool_probabilities
from .keypoint_accuracy import (
    JointErrors,
    format_accuracy,
    joint_errors,
    keypoint_accuracy,
    label_sizes,
    metric_values,
    pair_tracks,
    pose_sizes,
)
from .padded_poses import known_ratio
from .posetrack import (
    EVALUATED_JOINTS,
    PoseTrackScores,
    accumulate_ap,
    evaluate_posetrack,
    format_table,
    group_means,
    mean_of_known,
)

__all__ = [
    'CORRECT_WITHIN',
    'EVALUATED_JOINTS',
    'ApAccumulator',
    'JointErrors',
    'PoseTrackScores',
    'ScoreCalibrator',
    'accumulate_ap',
    'evaluate_posetrack',
    'format_accuracy',
    'format_table',
    'group_means',
    'joint_errors',
    'keypoint_accuracy',
    'known_ratio',
    'label_sizes',
    'mean_of_known',
    'metric_values',
    'pair_tracks',
    'pool_probabilities',
    'pose_sizes',
]
