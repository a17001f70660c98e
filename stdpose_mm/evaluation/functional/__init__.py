"""Evaluation from plain label structures; no torch, no MMPose, no other evaluator."""

from .average_precision import ApAccumulator
from .calibration import (
    CORRECT_WITHIN,
    Reliability,
    ScoreCalibrator,
    pool_probabilities,
    reliability,
    scored_joints,
)
from .keypoint_accuracy import (
    ACCURACY_NAMES,
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
from .padded_poses import require_head_boxes
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
    'ACCURACY_NAMES',
    'AUC_LIMIT',
    'CORRECT_WITHIN',
    'EVALUATED_JOINTS',
    'JOINT_GROUPS',
    'ApAccumulator',
    'JointErrors',
    'KeypointAccuracy',
    'PoseTrackScores',
    'Reliability',
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
    'reliability',
    'require_head_boxes',
    'scored_joints',
]
