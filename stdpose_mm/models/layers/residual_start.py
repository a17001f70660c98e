from __future__ import annotations

from torch import nn

from .cross_attention import CrossAttention
from .feed_forward import FeedForward
from .self_attention import SelfAttention


def zero_init_residual(module: nn.Module) -> None:
    """Zero the last layer of every residual branch of transformer blocks.

    Blocks then hand their tokens on unchanged until training has something to add (as in Goyal et
    al., "Accurate, Large Minibatch SGD", for residual networks). What a pretrained network made of
    a picture reaches the head that was pretrained with it.

    Args:
        module: Transformer blocks; changed in place.
    """
    for part in module.modules():
        if isinstance(part, SelfAttention | CrossAttention):
            last: nn.Module = part.proj
        elif isinstance(part, FeedForward):
            last = part.layers[1]
        else:
            continue
        for name in ('weight', 'bias'):
            nn.init.zeros_(last.get_parameter(name))
