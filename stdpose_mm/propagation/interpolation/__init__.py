"""Interpolation between labels, without reading pictures."""

from .linear_propagator import LinearPropagator
from .spline_propagator import SplinePropagator
