from __future__ import annotations

from torch import Tensor, nn


class FrameAggregation(nn.Sequential):
    """An MLP that makes one token of the tokens of all frames at one place.

    Args:
        num_frames: Number of frames T.
        embed_dims: Width D of the tokens.
    """

    def __init__(self, num_frames: int, embed_dims: int) -> None:
        super().__init__(
            nn.Linear(num_frames * embed_dims, embed_dims),
            nn.GELU(),
            nn.Linear(embed_dims, embed_dims),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """[N, T, L, D] -> [N, L, D]."""
        return super().forward(tokens.transpose(1, 2).flatten(2))
