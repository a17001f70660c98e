"""Hooks of the MMEngine runner."""

from .checkpoint_report_hook import CheckpointReportHook
from .heatmap_teacher_hook import HeatmapTeacherHook
from .window_visualization_hook import WindowVisualizationHook

__all__ = ['CheckpointReportHook', 'HeatmapTeacherHook', 'WindowVisualizationHook']
