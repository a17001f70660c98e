from __future__ import annotations

from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import Tensor, nn

from .blocks import TransformerBlock


@MODELS.register_module()
class ContextDecoder(BaseModule):
    """Decoder of masked features from the encoded tokens of their window.

    Transformer blocks over all tokens of the window, then a linear layer. Used in training only.

    Args:
        embed_dims: Width D of the tokens.
        num_heads: Attention heads of a block.
        num_blocks: Number of blocks.
        feedforward_channels: Hidden width of the feed-forward networks. ``None`` means 4 D.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        num_blocks: int = 1,
        feedforward_channels: int | None = None,
    ) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            *(
                TransformerBlock(embed_dims, num_heads, feedforward_channels)
                for _ in range(num_blocks)
            )
        )
        self.norm = nn.LayerNorm(embed_dims, eps=1e-6)
        self.project = nn.Linear(embed_dims, embed_dims)

    def forward(self, tokens: Tensor) -> Tensor:
        """Decode tokens [N, T, L, D] to features [N, T, L, D]."""
        decoded = self.blocks(tokens.flatten(1, 2))
        return self.project(self.norm(decoded)).view_as(tokens)
