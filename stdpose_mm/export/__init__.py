"""Export of trained models to ONNX."""

TOLERANCE = 1e-4
"""Allowed difference of heatmaps by rounding, as a share of their largest value."""
