"""Simulated annotators: how many labels a choice of frames saves."""
