"""Transforms that serve the runner rather than the data."""

from __future__ import annotations

from .seed_sample import SeedSample

__all__ = ['SeedSample']
