"""Samplers that give every draw of a sample its own seed."""

from __future__ import annotations

from .seeded_infinite_sampler import SeededInfiniteSampler
from .seeded_sampler import SeededSampler

__all__ = ['SeededInfiniteSampler', 'SeededSampler']
