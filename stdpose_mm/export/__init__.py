"""Export of trained models to ONNX."""

TOLERANCE = 1e-4
"""Allowed difference between heatmaps due to rounding, as a share of their maximum."""
