"""Synthetic PoseTrack-format videos of articulated people: the embedded default data."""

from .clip import ClipSettings, SyntheticClip, generate_clip
from .writer import write_dataset

__all__ = [
    'ClipSettings',
    'SyntheticClip',
    'generate_clip',
    'write_dataset',
]
