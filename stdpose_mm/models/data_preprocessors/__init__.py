"""Data preprocessors: from batches of raw crops to normalised tensors."""

from .window_data_preprocessor import WindowDataPreprocessor

__all__ = ['WindowDataPreprocessor']
