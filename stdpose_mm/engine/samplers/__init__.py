"""Samplers: those of training give every draw of a sample its own seed."""

from .evenly_spaced_sampler import EvenlySpacedSampler
from .seeded_infinite_sampler import SeededInfiniteSampler
from .seeded_sampler import SeededSampler

__all__ = ['EvenlySpacedSampler', 'SeededInfiniteSampler', 'SeededSampler']
