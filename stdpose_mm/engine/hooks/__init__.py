"""Hooks of the MMEngine runner."""

from __future__ import annotations

from .random_state_hook import RandomStateHook

__all__ = ['RandomStateHook']
