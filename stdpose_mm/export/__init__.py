"""Export of trained models to ONNX."""

TOLERANCE = 1e-4
"""Difference of heatmaps, as a part of their largest value, that is left to rounding."""
