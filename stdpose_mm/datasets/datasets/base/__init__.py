"""What the datasets of this package have in common."""

from .base_window_dataset import BaseWindowDataset

__all__ = ['BaseWindowDataset']
