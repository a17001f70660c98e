"""Models: from normalised windows of crops to poses. Importing registers them."""

from . import backbones, data_preprocessors, heads, losses, necks
from .pose_estimators import SemanticMotionPose, STDPose, WindowPoseEstimator
from .structures import AuxiliaryLabels, SpatioTemporalRepresentation

__all__ = [
    'AuxiliaryLabels',
    'STDPose',
    'SemanticMotionPose',
    'SpatioTemporalRepresentation',
    'WindowPoseEstimator',
    'backbones',
    'data_preprocessors',
    'heads',
    'losses',
    'necks',
]
