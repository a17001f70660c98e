"""Models: from normalised windows of crops to poses. Importing registers them."""

from .backbones import ViT
from .data_preprocessors import WindowDataPreprocessor
from .heads import FrameHead, SingleSourceHead, STDAHead
from .layers import DynamicAwareMask
from .losses import ForegroundMSELoss, MutualInformationLoss
from .necks import (
    STRE,
    DualConsecutive,
    PoseWarping,
    TemporalFeatureFusion,
    TemporalKeypointsSynthesis,
)
from .pose_estimators import STDPose
from .structures import GivenLabels, SpatioTemporalRepresentation

__all__ = [
    'STRE',
    'DualConsecutive',
    'DynamicAwareMask',
    'ForegroundMSELoss',
    'FrameHead',
    'GivenLabels',
    'MutualInformationLoss',
    'PoseWarping',
    'STDAHead',
    'STDPose',
    'SingleSourceHead',
    'SpatioTemporalRepresentation',
    'TemporalFeatureFusion',
    'TemporalKeypointsSynthesis',
    'ViT',
    'WindowDataPreprocessor',
]
