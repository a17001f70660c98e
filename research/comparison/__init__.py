"""Comparison of propagators that were trained with several seeds, and the difficulty of clips."""
