"""Joints that are moved by optical flow."""

from .flow_propagator import FlowPropagator
