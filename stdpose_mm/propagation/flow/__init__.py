"""Joints that follow the optical flow."""

from .flow_propagator import FlowPropagator
