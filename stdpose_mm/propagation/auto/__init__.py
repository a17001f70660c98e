"""Fusion of interpolation, flow, picture patches and heatmaps over a whole gap."""

from .auto_propagator import AutoPropagator

__all__ = ['AutoPropagator']
