"""Evaluation from plain label structures; no torch, no MMPose, no other evaluator."""

from .average_precision import ApAccumulator
from .calibration import (
    CORRECT_WITHIN,
    ScoreCalibrator,
    pool_probabilities,
)
from .keypoint_accuracy import (
    AUC_LIMIT,
    JointErrors,
    KeypointAccuracy,
    format_accuracy,
    joint_errors,
    keypoint_accuracy,
    metric_values,
    pair_tracks,
    pose_sizes,
)
from .posetrack import (
    EVALUATED_JOINTS,
    JOINT_GROUPS,
    PoseTrackScores,
    accumulate_ap,
    evaluate_posetrack,
    format_table,
    group_means,
    mean_of_known,
)

__all__ = [
    'AUC_LIMIT',
    'CORRECT_WITHIN',
    'EVALUATED_JOINTS',
    'JOINT_GROUPS',
    'ApAccumulator',
    'JointErrors',
    'KeypointAccuracy',
    'PoseTrackScores',
    'ScoreCalibrator',
    'accumulate_ap',
    'evaluate_posetrack',
    'format_accuracy',
    'format_table',
    'group_means',
    'joint_errors',
    'keypoint_accuracy',
    'mean_of_known',
    'metric_values',
    'pair_tracks',
    'pool_probabilities',
    'pose_sizes',
]
