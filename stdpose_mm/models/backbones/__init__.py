"""Backbones: from image crops to feature maps."""

from .onnx_network import OnnxNetwork
from .pyramid_backbone import PyramidBackbone
from .timm_network import TimmNetwork
from .vit import ViT

__all__ = ['OnnxNetwork', 'PyramidBackbone', 'TimmNetwork', 'ViT']
