"""Drawing: poses on frames, trajectories."""

from .colors import track_color
from .overlay import draw_people, overlay_frames, write_overlay
from .plots import save_figure, trajectories

__all__ = [
    'draw_people',
    'overlay_frames',
    'save_figure',
    'track_color',
    'trajectories',
    'write_overlay',
]
