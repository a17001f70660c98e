"""Comparison of propagators that were trained with several seeds."""
