"""Interpolation between labels; no picture is read."""

from .linear_propagator import LinearPropagator
from .spline_propagator import SplinePropagator
