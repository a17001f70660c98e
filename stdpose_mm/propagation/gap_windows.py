"""The windows in which a model sees the frames of a gap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stdpose_mm.structures import Window, propagation_window

from .gaps import Gap

MIRROR_REACH = 15
"""Largest distance in frames from the key frame to an auxiliary frame that carries no label: the
largest one in training."""


def gap_window(key: int, gap: Gap, keys: Sequence[int]) -> Window:
    """Choose the window of a key frame: the labels at both ends of its gap are auxiliary frames.

    Beyond the first or last label of a track, the other auxiliary frame carries no label and lies
    at the same distance on the other side, up to ``MIRROR_REACH`` frames, among ``keys``.

    Args:
        key: The key frame.
        gap: Its gap.
        keys: The frames of the gap that are estimated together.
    """
    first = keys[0] if gap.left is None else gap.first
    last = keys[-1] if gap.right is None else gap.last
    window = propagation_window(key, gap.given, first, last)
    if not window.left_given:
        return replace(window, left=max(window.left, key - MIRROR_REACH))
    if not window.right_given:
        return replace(window, right=min(window.right, key + MIRROR_REACH))
    return window
