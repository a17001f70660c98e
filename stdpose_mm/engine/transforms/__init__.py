"""Transforms that the seeding of training needs."""

from .seed_sample import SeedSample

__all__ = ['SeedSample']
