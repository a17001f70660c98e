"""Models: from normalised windows of crops to poses. Importing registers them."""

from .backbones import ViT
from .data_preprocessors import WindowDataPreprocessor
from .heads import FrameHead, SingleSourceHead, SpatialMotionHead, STDAHead
from .layers import (
    ContextDecoder,
    DynamicAwareMask,
    GivenPoseEmbedding,
    SpatialMotionConcatenation,
    SpatialMotionMutualLearning,
)
from .losses import ForegroundKLLoss, ForegroundMSELoss, MutualInformationLoss
from .necks import (
    MLSME,
    STRE,
    TemporalFeatureFusion,
    TemporalKeypointsSynthesis,
)
from .pose_estimators import SemanticMotionPose, STDPose, WindowPoseEstimator
from .structures import AuxiliaryLabels, SpatioTemporalRepresentation

__all__ = [
    'MLSME',
    'STRE',
    'AuxiliaryLabels',
    'ContextDecoder',
    'DynamicAwareMask',
    'ForegroundKLLoss',
    'ForegroundMSELoss',
    'FrameHead',
    'GivenPoseEmbedding',
    'MutualInformationLoss',
    'STDAHead',
    'STDPose',
    'SemanticMotionPose',
    'SingleSourceHead',
    'SpatialMotionConcatenation',
    'SpatialMotionHead',
    'SpatialMotionMutualLearning',
    'SpatioTemporalRepresentation',
    'TemporalFeatureFusion',
    'TemporalKeypointsSynthesis',
    'ViT',
    'WindowDataPreprocessor',
    'WindowPoseEstimator',
]
