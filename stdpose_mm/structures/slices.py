"""Sequences in slices."""

from __future__ import annotations

from itertools import pairwise


def equal_slices(number: int, size: int) -> list[slice]:
    """Split ``range(number)`` into slices of at most ``size``, of nearly equal length."""
    chunks = -(-number // size)
    bounds = [number * n // chunks for n in range(chunks + 1)]
    return [slice(*pair) for pair in pairwise(bounds)]
