"""Hooks of the MMEngine runner."""

from .held_out_loss_hook import HeldOutLossHook
from .random_state_hook import RandomStateHook

__all__ = ['HeldOutLossHook', 'RandomStateHook']
