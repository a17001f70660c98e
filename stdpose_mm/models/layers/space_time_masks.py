"""Random masks over the tokens of windows, drawn from torch's default generator."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor


class SpaceTimeMasks(NamedTuple):
    """Masks of N windows of T frames with L places each; ``None`` masks nothing.

    Attributes:
        tubes: Masked places, bool [N, T, L].
        frames: Frames masked in whole, bool [N, T].
    """

    tubes: Tensor | None = None
    frames: Tensor | None = None


def draw_tubes(
    shape: tuple[int, int, int], ratio: float, length: int, device: torch.device
) -> Tensor:
    """Draw tube masks: some places of a window, each in consecutive frames.

    Args:
        shape: Numbers of windows N, frames T and places L.
        ratio: Share of the places that have a tube; at least one has, and one has none.
        length: Length of a tube in frames, at most T; each starts at a random frame.
        device: Device of the mask.

    Returns:
        bool [N, T, L] with the same number of masked places in every window.
    """
    num_windows, num_frames, num_places = shape
    count = min(max(round(ratio * num_places), 1), num_places - 1)
    order = torch.rand(num_windows, num_places, device=device).argsort(dim=1)
    chosen = order.argsort(dim=1) < count
    starts = torch.randint(num_frames - length + 1, (num_windows, 1, num_places), device=device)
    frames = torch.arange(num_frames, device=device)[:, None]
    return chosen[:, None] & (frames >= starts) & (frames < starts + length)


def draw_frames(shape: tuple[int, int], count: int, device: torch.device) -> Tensor:
    """Draw ``count`` masked frames of every window: bool [N, T] for the ``shape`` (N, T)."""
    order = torch.rand(shape, device=device).argsort(dim=1)
    return order.argsort(dim=1) < count


def draw_windows(number: int, share: float, device: torch.device) -> Tensor:
    """Draw a share of the windows, rounded up: bool [number]."""
    order = torch.rand(number, device=device).argsort()
    return order.argsort() < math.ceil(share * number)
