"""Simulated annotators, which measure how many labels a choice of frames saves."""
