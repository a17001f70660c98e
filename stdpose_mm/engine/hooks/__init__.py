"""Hooks of the MMEngine runner."""

from __future__ import annotations

from .held_out_loss_hook import HeldOutLossHook
from .random_state_hook import RandomStateHook

__all__ = ['HeldOutLossHook', 'RandomStateHook']
