"""Backbones: from image crops to feature maps."""

from .vit import ViT

__all__ = ['ViT']
