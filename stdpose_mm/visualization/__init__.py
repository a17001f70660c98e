"""Drawing: poses on frames, trajectories, training curves, reports."""

from .benchmark_plots import plot_curves
from .colors import track_color
from .confidence_plots import plot_labelling_effort, plot_reliability
from .overlay import draw_people, overlay_frames, write_overlay
from .plots import plot_training_curves, plot_trajectories
from .report import write_report

__all__ = [
    'draw_people',
    'overlay_frames',
    'plot_curves',
    'plot_labelling_effort',
    'plot_reliability',
    'plot_training_curves',
    'plot_trajectories',
    'track_color',
    'write_overlay',
    'write_report',
]
