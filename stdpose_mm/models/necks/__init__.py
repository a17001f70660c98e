"""Necks: features and heatmaps of a window to one spatiotemporal representation."""

from .appearance_keypoints_synthesis import AppearanceKeypointsSynthesis
from .key_frame_fusion import KeyFrameFusion
from .mlsme import MLSME
from .stre import STRE
from .temporal_feature_fusion import TemporalFeatureFusion
from .temporal_keypoints_synthesis import TemporalKeypointsSynthesis

__all__ = [
    'MLSME',
    'STRE',
    'AppearanceKeypointsSynthesis',
    'KeyFrameFusion',
    'TemporalFeatureFusion',
    'TemporalKeypointsSynthesis',
]
