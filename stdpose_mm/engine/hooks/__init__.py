"""Hooks of the MMEngine runner."""

from .checkpoint_report_hook import CheckpointReportHook
from .held_out_loss_hook import HeldOutLossHook
from .random_state_hook import RandomStateHook
from .window_visualization_hook import WindowVisualizationHook

__all__ = ['CheckpointReportHook', 'HeldOutLossHook', 'RandomStateHook', 'WindowVisualizationHook']
