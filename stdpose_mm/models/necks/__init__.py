"""Necks: from features and heatmaps of a window to one spatiotemporal representation."""

from .appearance_keypoints_synthesis import AppearanceCorrelation, AppearanceKeypointsSynthesis
from .mlsme import MLSME
from .stre import STRE
from .temporal_feature_fusion import KeyFrameFusion, TemporalFeatureFusion
from .temporal_keypoints_synthesis import TemporalKeypointsSynthesis

__all__ = [
    'MLSME',
    'STRE',
    'AppearanceCorrelation',
    'AppearanceKeypointsSynthesis',
    'KeyFrameFusion',
    'TemporalFeatureFusion',
    'TemporalKeypointsSynthesis',
]
