"""Drawing: poses on frames, trajectories, training curves."""

from .overlay import draw_people, overlay_frames, track_color, write_overlay
from .plots import plot_training_curves, plot_trajectories

__all__ = [
    'draw_people',
    'overlay_frames',
    'plot_training_curves',
    'plot_trajectories',
    'track_color',
    'write_overlay',
]
