"""Synthetic PoseTrack-format videos of articulated people: the embedded default data."""

from .clip import ClipSettings, SyntheticClip, generate_clip
from .difficulty import Difficulty, interpolate_linearly, measure_difficulty, measure_folder
from .writer import write_dataset

__all__ = [
    'ClipSettings',
    'Difficulty',
    'SyntheticClip',
    'generate_clip',
    'interpolate_linearly',
    'measure_difficulty',
    'measure_folder',
    'write_dataset',
]
