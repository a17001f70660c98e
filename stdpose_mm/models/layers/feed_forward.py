from __future__ import annotations

from torch import Tensor, nn


class FeedForward(nn.Module):
    """Two linear layers with a GELU between them.

    The parameters are called ``layers.0.0`` and ``layers.1`` as in released ViTPose checkpoints.

    Args:
        embed_dims: Width D of the tokens.
        hidden_dims: Width between the two layers.
    """

    def __init__(self, embed_dims: int, hidden_dims: int) -> None:
        super().__init__()
        expand, reduce = nn.Linear(embed_dims, hidden_dims), nn.Linear(hidden_dims, embed_dims)
        for linear in (expand, reduce):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)
        self.layers = nn.Sequential(nn.Sequential(expand, nn.GELU()), reduce)

    def forward(self, tokens: Tensor) -> Tensor:
        """[N, L, D] -> [N, L, D]."""
        return self.layers(tokens)
