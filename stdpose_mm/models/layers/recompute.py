from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def apply_block(block: nn.Module, *tensors: Tensor, recompute: bool = False) -> Any:
    """Apply a block, optionally with gradient checkpointing in training.

    With ``recompute`` the backward pass runs the forward pass of the block once more (gradient
    checkpointing), with the same random numbers and in the same precision, so that the gradients
    are the same and memory for the intermediate results of one block at a time is enough.

    Args:
        block: Any module; in evaluation mode there is nothing to save.
        *tensors: Inputs of the block.
        recompute: Whether to recompute the block in the backward pass.
    """
    if recompute and block.training:
        return checkpoint(block, *tensors, use_reentrant=False)
    return block(*tensors)
