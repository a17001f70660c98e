from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from stdpose_mm.errors import InputError

# A larger mismatch between grids means that the crops had another shape.
MAX_ASPECT_MISMATCH = 1.5


def sine_cosine_position_embedding(grid: tuple[int, int], embed_dims: int) -> Tensor:
    """Build the fixed position embedding of a grid (Vaswani et al. 2017, one half per axis).

    Args:
        grid: Rows and columns of the token grid.
        embed_dims: Width D, a multiple of 4.

    Returns:
        Tensor [1, rows * columns, D] with values in -1..1.
    """
    if embed_dims % 4:
        raise InputError(f'embed_dims={embed_dims} must be a multiple of 4 for sine-cosine')
    rows, columns = grid
    frequencies = 10000.0 ** -(torch.arange(embed_dims // 4) / (embed_dims // 4))
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing='ij')
    phases = torch.stack((y.flatten(), x.flatten()), dim=1)[..., None] * frequencies
    return torch.cat((phases.sin(), phases.cos()), dim=-1).flatten(1)[None]


def infer_grid(num_tokens: int, like: tuple[int, int]) -> tuple[int, int, int]:
    """Guess the token grid of a stored position embedding.

    The candidates are, in order of preference: the model's own grid, a square, and the factors
    whose aspect ratio is nearest to the model's; each without, then with a class-token slot in
    front.

    Args:
        num_tokens: Number of stored positions, class-token slot included.
        like: Rows and columns of the model's own grid.

    Returns:
        Rows, columns and the number (0 or 1) of class-token slots.

    Raises:
        InputError: If no grid of roughly the model's shape has that many positions.
    """

    def rank(candidate: tuple[int, int, int]) -> tuple[bool, bool, float, int]:
        rows, columns, extra = candidate
        mismatch = abs(math.log(rows * like[1] / (columns * like[0])))
        return (rows, columns) != like, rows != columns, mismatch, extra

    grids = [
        (rows, (num_tokens - extra) // rows, extra)
        for extra in (0, 1)
        for rows in range(1, num_tokens + 1 - extra)
        if (num_tokens - extra) % rows == 0
    ]
    is_other, is_oblong, mismatch, _ = rank(grid := min(grids, key=rank))
    if is_other and is_oblong and mismatch > math.log(MAX_ASPECT_MISMATCH):
        raise InputError(
            f'a position embedding of {num_tokens} tokens fits no grid shaped like '
            f'{like[0]}x{like[1]}; expected one of another input size with the same aspect ratio'
        )
    return grid


def fit_position_embedding(
    embedding: Tensor, grid: tuple[int, int], add_class_slot: bool = False
) -> Tensor:
    """Fit a stored position embedding to a model: drop the class slot, resize (bicubic).

    Args:
        embedding: Stored embedding [1, L, D], with or without a class-token slot in front.
        grid: Rows and columns of the model's token grid.
        add_class_slot: Whether to add the class slot to every position instead of dropping it.

    Returns:
        Tensor [1, rows * columns, D].
    """
    rows, columns, extra = infer_grid(embedding.shape[1], grid)
    class_slot, embedding = embedding[:, :extra], embedding[:, extra:]
    if extra and add_class_slot:
        embedding = embedding + class_slot
    if (rows, columns) == grid:
        return embedding
    image = embedding.transpose(1, 2).unflatten(2, (rows, columns))
    resized = F.interpolate(image.float(), size=grid, mode='bicubic', align_corners=False)
    return resized.flatten(2).transpose(1, 2).to(embedding.dtype)
