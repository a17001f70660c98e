"""Pose estimators: complete models."""

from .semantic_motion_pose import SemanticMotionPose
from .stdpose import STDPose
from .window_pose_estimator import WindowPoseEstimator

__all__ = ['STDPose', 'SemanticMotionPose', 'WindowPoseEstimator']
