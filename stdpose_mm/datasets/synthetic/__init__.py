"""Generated videos of articulated people in PoseTrack's format, the built-in default data."""

from .clip import ClipSettings, SyntheticClip, generate_clip
from .views import MultiViewClip, generate_views
from .writer import write_dataset

__all__ = [
    'ClipSettings',
    'MultiViewClip',
    'SyntheticClip',
    'generate_clip',
    'generate_views',
    'write_dataset',
]
