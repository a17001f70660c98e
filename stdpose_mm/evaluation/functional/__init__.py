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
    figure_values,
    format_accuracy,
    joint_errors,
    keypoint_accuracy,
    pair_tracks,
    pose_sizes,
)
from .padded_poses import PaddedPoses, frame_poses, paired_frames, strictly_inside
from .posetrack import (
    EVALUATED_JOINTS,
    JOINT_GROUPS,
    MATCH_THRESHOLD,
    PoseTrackScores,
    evaluate_posetrack,
    format_table,
    group_means,
    mean_of_known,
    pool_precision,
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
    'average_precision',
    'evaluate_posetrack',
    'figure_values',
    'format_accuracy',
    'format_table',
    'frame_poses',
    'group_means',
    'joint_errors',
    'keypoint_accuracy',
    'match_pairs',
    'match_poses',
    'mean_of_known',
    'pair_tracks',
    'paired_frames',
    'pool_precision',
    'pose_sizes',
    'reliability',
    'scored_joints',
    'strictly_inside',
]
