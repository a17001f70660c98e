"""Fusion of interpolation, flow, learned appearance and heatmaps over a whole gap."""

from .auto_propagator import AutoPropagator
