"""Hooks of the MMEngine runner."""

from .checkpoint_report_hook import CheckpointReportHook
from .random_state_hook import RandomStateHook
from .window_visualization_hook import WindowVisualizationHook

__all__ = ['CheckpointReportHook', 'RandomStateHook', 'WindowVisualizationHook']
