"""Labelled videos as lists of windows."""

from .base import BaseWindowDataset
from .body import (
    GenericWindowDataset,
    PoseTrack17WindowDataset,
    PoseTrack18WindowDataset,
    PoseTrack21WindowDataset,
)

__all__ = [
    'BaseWindowDataset',
    'GenericWindowDataset',
    'PoseTrack17WindowDataset',
    'PoseTrack18WindowDataset',
    'PoseTrack21WindowDataset',
]
