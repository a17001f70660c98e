"""MMEngine metrics over the evaluation functions."""

from .base_video_metric import BaseVideoMetric
from .posetrack_metric import PoseTrackMetric
from .video_pck_metric import VideoPCKMetric

__all__ = ['BaseVideoMetric', 'PoseTrackMetric', 'VideoPCKMetric']
