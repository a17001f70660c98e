"""Drawing: poses on frames, trajectories, training curves, reports."""

from .colors import track_color
from .overlay import draw_people, overlay_frames, write_overlay
from .plots import save_figure, training_curves, trajectories
from .report import write_report

__all__ = [
    'draw_people',
    'overlay_frames',
    'save_figure',
    'track_color',
    'training_curves',
    'trajectories',
    'write_overlay',
    'write_report',
]
