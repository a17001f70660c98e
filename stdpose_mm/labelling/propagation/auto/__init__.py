"""Fusion of interpolation, optical flow, learned appearance and heatmaps over a whole gap."""

from .auto_propagator import AutoPropagator
