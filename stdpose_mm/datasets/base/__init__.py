"""Base class of all datasets of windows, and the tracks it lists them from."""

from .base_window_dataset import BaseWindowDataset

__all__ = ['BaseWindowDataset']
