"""Optimizer wrappers."""

from __future__ import annotations

from .autocast_optim_wrapper import AutocastOptimWrapper

__all__ = ['AutocastOptimWrapper']
