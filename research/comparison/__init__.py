"""Comparison of propagators that were trained with several seeds, and what makes clips hard."""
