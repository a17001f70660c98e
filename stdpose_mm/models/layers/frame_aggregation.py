from __future__ import annotations

from torch import Tensor, nn


class FrameAggregation(nn.Sequential):
    """An MLP that makes one token of the tokens of all frames at one place.

    Args:
        num_frames: Number of frames T.
        embed_dims: Width D of the tokens.
        start_at_zero: Whether the tokens are all zero before training.
    """

    def __init__(self, num_frames: int, embed_dims: int, start_at_zero: bool = False) -> None:
        super().__init__(
            nn.Linear(num_frames * embed_dims, embed_dims),
            nn.GELU(),
            nn.Linear(embed_dims, embed_dims),
        )
        if start_at_zero:
            for name in ('weight', 'bias'):
                nn.init.zeros_(self[-1].get_parameter(name))

    def forward(self, tokens: Tensor) -> Tensor:
        """[N, T, L, D] -> [N, L, D]."""
        return super().forward(tokens.transpose(1, 2).flatten(2))
