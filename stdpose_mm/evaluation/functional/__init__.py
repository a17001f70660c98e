"""Evaluation from plain label structures; no torch, no MMPose, no other evaluator."""

from .average_precision import ApAccumulator, JointPrecision, average_precision, match_poses
from .calibration import (
    CORRECT_WITHIN,
    Reliability,
    ScoreCalibrator,
    reliability,
    scored_joints,
)
from .clear_mot import MotAccumulator, MotCounts, match_pairs
from .keypoint_accuracy import (
    AUC_LIMIT,
    PCK_THRESHOLDS,
    JointErrors,
    KeypointAccuracy,
    format_accuracy,
    joint_errors,
    keypoint_accuracy,
    metric_values,
    pair_tracks,
    pose_sizes,
)
from .padded_poses import PaddedPoses, pad_poses, pair_frames, strictly_inside
from .posetrack import (
    EVALUATED_JOINTS,
    JOINT_GROUPS,
    MATCH_THRESHOLD,
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
    'MATCH_THRESHOLD',
    'PCK_THRESHOLDS',
    'ApAccumulator',
    'JointErrors',
    'JointPrecision',
    'KeypointAccuracy',
    'MotAccumulator',
    'MotCounts',
    'PaddedPoses',
    'PoseTrackScores',
    'Reliability',
    'ScoreCalibrator',
    'accumulate_ap',
    'average_precision',
    'evaluate_posetrack',
    'format_accuracy',
    'format_table',
    'group_means',
    'joint_errors',
    'keypoint_accuracy',
    'match_pairs',
    'match_poses',
    'mean_of_known',
    'metric_values',
    'pad_poses',
    'pair_frames',
    'pair_tracks',
    'pose_sizes',
    'reliability',
    'scored_joints',
    'strictly_inside',
]
