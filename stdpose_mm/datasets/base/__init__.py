"""Base class of all datasets of windows, and the tracks that windows are made from."""

from .base_window_dataset import BaseWindowDataset

__all__ = ['BaseWindowDataset']
