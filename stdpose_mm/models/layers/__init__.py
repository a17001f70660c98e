"""Layers shared by backbones, necks and heads."""

from .dynamic_aware_mask import DynamicAwareMask

__all__ = ['DynamicAwareMask']
