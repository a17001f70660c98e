"""Layers for inference on a CPU, by oneDNN with weights in oneDNN's own layout.

PyTorch gives float32 matrix products to MKL, which leaves the wide vectors of processors other than
Intel's unused, and it brings the weights of every convolution into oneDNN's layout at every call.
The layers here give the same results up to rounding (on an AMD EPYC linear layers take half the
time); batch normalisation, bias and activation are part of the layer before them. They can neither
be trained nor saved.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .bfloat16 import has_bfloat16

_ROWS = 1024
"""Rows of a typical input, for which oneDNN chooses the weight layout; any number works."""

_IMAGE = (8, 32, 24)
"""Batch, height and width of a typical input, for the same purpose."""


class PackedLinear(nn.Module):
    """Linear layer with its activation.

    Args:
        linear: Layer whose weights are taken over.
        dtype: Computation dtype, whatever the input's; float32 or bfloat16.
        activation: 'none', or 'gelu' for the exact one.
    """

    def __init__(
        self, linear: nn.Linear, dtype: torch.dtype = torch.float32, activation: str = 'none'
    ) -> None:
        super().__init__()
        weight = linear.weight.detach().to(dtype)
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight, _ROWS)
        self.bias = None if linear.bias is None else linear.bias.detach().to(dtype)
        self.dtype = dtype
        self.activation = activation

    def forward(self, inputs: Tensor) -> Tensor:
        """Apply the layer: [..., D] -> [..., D'] in its dtype."""
        return torch.ops.mkldnn._linear_pointwise(
            inputs.to(self.dtype), self.weight, self.bias, self.activation, [], 'none'
        )


class PackedPatches(nn.Module):
    """Patch embedding: a convolution whose patches do not overlap, as a linear layer on them.

    Args:
        convolution: Layer whose weights are taken over; see :meth:`fits`.
        dtype: Computation dtype, whatever the input's; float32 or bfloat16.
    """

    def __init__(self, convolution: nn.Conv2d, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.side = convolution.kernel_size
        top, left = (int(padding) for padding in convolution.padding)
        self.padding = (0, 0, left, left, top, top)
        weight = convolution.weight.detach().permute(0, 2, 3, 1).flatten(1)
        linear = nn.utils.skip_init(nn.Linear, weight.shape[1], weight.shape[0])
        linear.weight, linear.bias = nn.Parameter(weight), convolution.bias
        self.linear = PackedLinear(linear, dtype)

    @staticmethod
    def fits(convolution: nn.Conv2d | nn.ConvTranspose2d) -> bool:
        """Return whether the patches of a convolution lie side by side."""
        return (
            isinstance(convolution, nn.Conv2d)
            and convolution.kernel_size == convolution.stride
            and convolution.dilation == (1, 1)
            and convolution.groups == 1
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Apply the layer: [N, C, H, W] -> [N, C', H', W'] in its dtype."""
        height, width = self.side
        pixels = F.pad(inputs.to(self.linear.dtype).permute(0, 2, 3, 1), self.padding)
        rows, columns = pixels.shape[1] // height, pixels.shape[2] // width
        pixels = pixels[:, : rows * height, : columns * width]
        patches = pixels.unflatten(2, (columns, width)).unflatten(1, (rows, height))
        return self.linear(patches.transpose(2, 3).flatten(3)).permute(0, 3, 1, 2)


class PackedDeconvolution(nn.Module):
    """Deconvolution with its activation; the result is in channels-last layout.

    Args:
        deconvolution: Layer whose weights are taken over.
        dtype: Computation dtype, whatever the input's; float32 or bfloat16.
        activation: 'none' or 'relu'.
    """

    def __init__(
        self,
        deconvolution: nn.ConvTranspose2d,
        dtype: torch.dtype = torch.float32,
        activation: str = 'none',
    ) -> None:
        super().__init__()
        settings = (
            deconvolution.padding,
            deconvolution.output_padding,
            deconvolution.stride,
            deconvolution.dilation,
            deconvolution.groups,
        )
        self.weight = torch.ops.mkldnn._reorder_convolution_transpose_weight(
            deconvolution.weight.detach().to(dtype),
            *settings,
            [_IMAGE[0], deconvolution.in_channels, *_IMAGE[1:]],
        )
        bias = deconvolution.bias
        self.bias = None if bias is None else bias.detach().to(dtype)
        self.dtype = dtype
        self._settings: tuple[Any, ...] = (*settings, activation, [], '')

    def forward(self, inputs: Tensor) -> Tensor:
        """Apply the layer: [N, C, H, W] -> [N, C', H', W'] in its dtype."""
        inputs = inputs.to(self.dtype, memory_format=torch.channels_last)
        return torch.ops.mkldnn._convolution_transpose_pointwise(
            inputs, self.weight, self.bias, *self._settings
        )


def pack_layers(model: nn.Module, dtype: torch.dtype = torch.float32) -> None:
    """Replace every linear layer and most convolutions of a model by packed ones.

    Args:
        model: A float32 model on the CPU in evaluation mode.
        dtype: float32 or bfloat16. Other layers compute in the dtype of their input. Where the
            processor has no bfloat16, the layers stay as they are: oneDNN refuses it there, while
            PyTorch's own layers compute in it, slowly.
    """
    if _computes_in(dtype):
        fold_normalisation(model)
        _pack(model, dtype)


def _computes_in(dtype: torch.dtype) -> bool:
    if not torch.backends.mkldnn.is_available():
        return False
    return dtype != torch.bfloat16 or has_bfloat16('cpu')


def fold_normalisation(model: nn.Module) -> None:
    """Fold batch normalisations into the convolutions before them.

    Args:
        model: A model in evaluation mode.
    """
    for _, module in model.named_children():
        fold_normalisation(module)
    for name, module, following in _in_order(model):
        next_name, normalisation = following[0] if following else ('', None)
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)) and isinstance(
            normalisation, nn.BatchNorm2d
        ):
            transposed = isinstance(module, nn.ConvTranspose2d)
            setattr(model, name, fuse_conv_bn_eval(module, normalisation, transposed))
            setattr(model, next_name, nn.Identity())


def _pack(model: nn.Module, dtype: torch.dtype) -> None:
    for name, module, following in _in_order(model):
        packed: nn.Module | None = None
        if type(module) is nn.Linear:
            packed = PackedLinear(module, dtype, _absorb(model, following, nn.GELU, 'gelu'))
        elif isinstance(module, nn.ConvTranspose2d):
            packed = PackedDeconvolution(module, dtype, _absorb(model, following, nn.ReLU, 'relu'))
        elif isinstance(module, nn.Conv2d) and PackedPatches.fits(module):
            packed = PackedPatches(module, dtype)
        if packed is None:
            _pack(module, dtype)
        else:
            setattr(model, name, packed)


_Named = tuple[str, nn.Module]


def _in_order(model: nn.Module) -> list[tuple[str, nn.Module, list[_Named]]]:
    """List the children of a module by name, each with those that are computed right after it."""
    children = list(model.named_children())
    # Only in these is the order of children that of the computation; identities do not count.
    is_chain = isinstance(model, nn.Sequential)
    real = [child for child in children if not isinstance(child[1], nn.Identity)]
    return [
        (name, module, real[n + 1 :] if is_chain else []) for n, (name, module) in enumerate(real)
    ]


def _absorb(model: nn.Module, following: list[_Named], kind: type[nn.Module], name: str) -> str:
    """Return ``name`` and remove the next module if it is an activation of this ``kind``."""
    if not following or not isinstance(following[0][1], kind):
        return 'none'
    if getattr(following[0][1], 'approximate', 'none') != 'none':
        return 'none'
    setattr(model, following[0][0], nn.Identity())
    return name
