"""Studies: configs that are trained with several seeds, tested and compared."""

from .held_out_loss_hook import HeldOutLossHook

__all__ = ['HeldOutLossHook']
