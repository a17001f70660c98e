"""Transforms that the seeding of training needs."""

from __future__ import annotations

from .seed_sample import SeedSample

__all__ = ['SeedSample']
