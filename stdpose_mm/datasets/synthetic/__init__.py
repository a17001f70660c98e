"""Generated videos of articulated people in PoseTrack's format, the built-in default data."""

from .clip import ClipSettings, SyntheticClip, generate_clip
from .writer import write_dataset

__all__ = [
    'ClipSettings',
    'SyntheticClip',
    'generate_clip',
    'write_dataset',
]
