"""Datasets of windows of people."""

from .clip_window_dataset import ClipWindowDataset
from .generic_window_dataset import GenericWindowDataset
from .posetrack17_window_dataset import PoseTrack17WindowDataset
from .posetrack18_window_dataset import PoseTrack18WindowDataset
from .posetrack21_window_dataset import PoseTrack21WindowDataset

__all__ = [
    'ClipWindowDataset',
    'GenericWindowDataset',
    'PoseTrack17WindowDataset',
    'PoseTrack18WindowDataset',
    'PoseTrack21WindowDataset',
]
