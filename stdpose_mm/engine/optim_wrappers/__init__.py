"""Optimizer wrappers and their constructors."""

from .autocast_optim_wrapper import AutocastOptimWrapper
from .vit_optim_wrapper_constructor import ViTOptimWrapperConstructor

__all__ = ['AutocastOptimWrapper', 'ViTOptimWrapperConstructor']
