"""Layers for inference on a CPU that use oneDNN, with weights in its own layout.

PyTorch passes float32 matrix products to MKL, which does not use the wide vectors of processors
other than Intel's. The layers here give the same results up to rounding, and are faster. Batch
normalisation, bias and GELU are part of the layer before them. The layers can neither be trained
nor saved.
"""

from __future__ import annotations

from itertools import zip_longest

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.nn.utils.memory_format import convert_conv2d_weight_memory_format

from stdpose_mm.bfloat16 import is_bfloat16_faster

_ROWS = 1024
"""Number of rows of a typical input, for which oneDNN chooses the weight layout; any works."""


class MkldnnLinear(nn.Module):
    """Linear layer with its activation.

    Args:
        weight: [D', D].
        bias: [D'] or ``None``.
        dtype: Computation dtype, whatever the input's; float32 or bfloat16.
        activation: 'none', or 'gelu' for the exact GELU.
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None,
        dtype: torch.dtype = torch.float32,
        activation: str = 'none',
    ) -> None:
        super().__init__()
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight.detach().to(dtype), _ROWS)
        self.bias = None if bias is None else bias.detach().to(dtype)
        self.dtype = dtype
        self.activation = activation

    def forward(self, inputs: Tensor) -> Tensor:
        """Apply the layer: [..., D] -> [..., D'] in its dtype."""
        return torch.ops.mkldnn._linear_pointwise(
            inputs.to(self.dtype), self.weight, self.bias, self.activation, [], 'none'
        )


class MkldnnPatchEmbedding(nn.Module):
    """Patch embedding: a convolution whose patches do not overlap, computed as a linear layer.

    Args:
        convolution: Layer that provides the weights; see :meth:`fits`.
        dtype: Computation dtype, whatever the input's; float32 or bfloat16.
    """

    def __init__(self, convolution: nn.Conv2d, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.side = convolution.kernel_size
        top, left = (int(padding) for padding in convolution.padding)
        self.padding = (0, 0, left, left, top, top)
        weight = convolution.weight.permute(0, 2, 3, 1).flatten(1)
        self.linear = MkldnnLinear(weight, convolution.bias, dtype)

    @staticmethod
    def fits(layer: nn.Conv2d) -> bool:
        """Return whether the patches of a convolution are adjacent and do not overlap."""
        return layer.kernel_size == layer.stride and layer.dilation == (1, 1) and layer.groups == 1

    def forward(self, inputs: Tensor) -> Tensor:
        """Apply the layer: [N, C, H, W] -> [N, C', H', W'] in its dtype."""
        height, width = self.side
        pixels = F.pad(inputs.to(self.linear.dtype).permute(0, 2, 3, 1), self.padding)
        rows, columns = pixels.shape[1] // height, pixels.shape[2] // width
        pixels = pixels[:, : rows * height, : columns * width]
        patches = pixels.unflatten(2, (columns, width)).unflatten(1, (rows, height))
        return self.linear(patches.transpose(2, 3).flatten(3)).permute(0, 3, 1, 2)


def optimize_for_cpu(model: nn.Module, dtype: torch.dtype = torch.float32) -> None:
    """Replace linear layers and patch embeddings by oneDNN layers; prepare deconvolutions.

    Args:
        model: A float32 model on the CPU in evaluation mode.
        dtype: float32 or bfloat16. Other layers compute in the dtype of their input. On a processor
            that is slower in bfloat16 the layers stay: oneDNN may refuse it there, while PyTorch's
            own layers compute in it, slowly.
    """
    is_possible = dtype != torch.bfloat16 or is_bfloat16_faster('cpu')
    if torch.backends.mkldnn.is_available() and is_possible:
        fold_normalisation(model)
        _convert(model, dtype)


def fold_normalisation(model: nn.Module) -> None:
    """Fold batch normalisations into the convolutions before them.

    Args:
        model: A model in evaluation mode.
    """
    for name, module, next_name, following in _in_order(model):
        fold_normalisation(module)
        if isinstance(following, nn.BatchNorm2d) and isinstance(
            module, nn.Conv2d | nn.ConvTranspose2d
        ):
            is_transposed = isinstance(module, nn.ConvTranspose2d)
            setattr(model, name, fuse_conv_bn_eval(module, following, is_transposed))
            setattr(model, next_name, nn.Identity())


def _convert(model: nn.Module, dtype: torch.dtype) -> None:
    for name, module, next_name, following in _in_order(model):
        activation = 'none'
        converted: nn.Module | None = None
        if type(module) is nn.Linear:
            if isinstance(following, nn.GELU) and following.approximate == 'none':
                activation = 'gelu'
            converted = MkldnnLinear(module.weight, module.bias, dtype, activation)
        elif isinstance(module, nn.ConvTranspose2d):
            # PyTorch then computes it in this layout, whatever the layout of the input.
            convert_conv2d_weight_memory_format(module.to(dtype), torch.channels_last)
        elif isinstance(module, nn.Conv2d) and MkldnnPatchEmbedding.fits(module):
            converted = MkldnnPatchEmbedding(module, dtype)
        if converted is None:
            _convert(module, dtype)
            continue
        setattr(model, name, converted)
        if activation != 'none':
            setattr(model, next_name, nn.Identity())


def _in_order(model: nn.Module) -> list[tuple[str, nn.Module, str, nn.Module | None]]:
    """List the children of a module by name, each with the child that is computed right after it.

    The order of children is the order of computation only in a ``Sequential``; identities are
    skipped.
    """
    children = [child for child in model.named_children() if not isinstance(child[1], nn.Identity)]
    after = children[1:] if isinstance(model, nn.Sequential) else []
    return [
        (*child, *following)
        for child, following in zip_longest(children, after, fillvalue=('', None))
    ]
