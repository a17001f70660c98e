"""Layers for the export, in float32 and in 8 bits.

In PyTorch they compute the same as the layers that they replace, but they are exported as faster
operators.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function

from stdpose_mm.models.layers.attention import CrossAttention, SelfAttention
from stdpose_mm.models.layers.mkldnn_layers import fold_normalisation

_TAPS = ((3, 1), (2, 0))
"""Rows of a 4x4 kernel that an even and an odd row of a deconvolution's output use, from the upper
input row to the lower one; the same for columns."""

_WINOGRAD_CHANNELS = 256
"""Least number of channels for Winograd's filtering, whose additions take too long for fewer."""

_LARGEST_WEIGHT = 64
"""Maximum rounded weight. Processors without VNNI add two products of a weight and an activation in
16 bits, where 2 * 255 * 64 fits and 2 * 255 * 127 does not."""


def prepare_for_export(model: nn.Module, int8: bool = False) -> None:
    """Replace deconvolutions, and for 8 bits also attention, by layers that run faster in ONNX.

    Args:
        model: A model in evaluation mode.
        int8: Whether its graphs are for onnxruntime in 8 bits. Others have standard operators only.
    """
    fold_normalisation(model)
    for parent in list(model.modules()):
        for name, module in parent.named_children():
            if isinstance(module, nn.ConvTranspose2d) and _has_known_shape(module):
                if int8:
                    setattr(parent, name, QuantisedDeconvolution(module))
                elif min(module.in_channels, module.out_channels) >= _WINOGRAD_CHANNELS:
                    setattr(parent, name, WinogradDeconvolution(module))
            elif int8 and isinstance(module, SelfAttention):
                setattr(parent, name, _ExportedSelfAttention(module))
            elif int8 and isinstance(module, CrossAttention):
                setattr(parent, name, _ExportedCrossAttention(module))


def _has_known_shape(module: nn.ConvTranspose2d) -> bool:
    """Return whether a deconvolution is a 4x4 one with stride 2 and padding 1."""
    return (
        module.kernel_size == (4, 4)
        and module.stride == (2, 2)
        and module.padding == (1, 1)
        and module.output_padding == (0, 0)
        and module.dilation == (1, 1)
        and module.groups == 1
    )


class WinogradDeconvolution(nn.Module):
    """Deconvolution (4x4, stride 2, padding 1) that is exported as matrix products of Winograd's
    minimal filtering (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks").

    Every row of the output depends on two rows of the input, with other weights for even than for
    odd rows. Two such rows g0 d0 + g1 d1 and g0 d1 + g1 d2 take three products in place of four,
    since they are g0 (d0 - d1) + (g0 + g1) d1 and (g0 + g1) d1 + g1 (d2 - d1). With the same for
    columns, there are 9 products in place of 16.

    Args:
        deconvolution: Layer that provides the weights; its maps may have any size.
    """

    def __init__(self, deconvolution: nn.ConvTranspose2d) -> None:
        super().__init__()
        kernel = deconvolution.weight.detach()
        sums = torch.tensor([[1.0, 0], [1, 1], [0, 1]])
        self.weights = [
            torch.einsum('ia,jb,coab->ijco', sums, sums, kernel[:, :, rows][..., columns])
            for rows, columns in product(_TAPS, _TAPS)
        ]
        self.bias = deconvolution.bias

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer: [N, C, h, w] -> [N, C', 2h, 2w]."""
        # Sizes are tensors while the layer is traced, but they are the same for every input.
        height, width = int(x.shape[2]), int(x.shape[3])
        rows, columns = height + height % 2, width + width % 2
        padding = (0, 0, 1, 1 + columns - width, 1, 1 + rows - height)
        pixels = F.pad(x.permute(0, 2, 3, 1), padding)
        grid = {}
        for (top, left), weights in zip(product((0, 1), (0, 1)), self.weights, strict=True):
            near = pixels[:, top : top + rows + 1, left : left + columns + 1]
            products = [
                [part @ weights[i, j] for j, part in enumerate(_winograd_inputs(line, 2))]
                for i, line in enumerate(_winograd_inputs(near, 1))
            ]
            # Every output has this product.
            if self.bias is not None:
                products[1][1] = products[1][1] + self.bias
            in_lines = [(one + two, two + three) for one, two, three in products]
            for row, column in product((0, 1), (0, 1)):
                value = in_lines[row][column] + in_lines[row + 1][column]
                grid[2 * row + top, 2 * column + left] = value
        maps = _interleave([[grid[row, column] for column in range(4)] for row in range(4)])
        return maps[..., : 2 * height, : 2 * width]


def _winograd_inputs(lines: Tensor, axis: int) -> tuple[Tensor, Tensor, Tensor]:
    """Compute d0 - d1, d1 and d2 - d1 of every second three lines along an axis."""
    before = (slice(None),) * axis
    slices = slice(0, -2, 2), slice(1, -1, 2), slice(2, None, 2)
    indices = [(*before, places) for places in slices]
    first, middle, last = (lines[index] for index in indices)
    return first - middle, middle, last - middle


class QuantisedDeconvolution(nn.Module):
    """Deconvolution (4x4, stride 2, padding 1) that is exported as integer matrix products.

    Every output pixel depends on 2x2 input pixels, with one of four sets of weights, depending on
    whether its row and column are even. The layer is therefore four matrix products, for which fast
    8-bit arithmetic exists, unlike for deconvolutions. The input is quantised once for all of them,
    over its own range; weights are quantised per output channel.

    Args:
        deconvolution: Layer that provides the weights.
    """

    def __init__(self, deconvolution: nn.ConvTranspose2d) -> None:
        super().__init__()
        kernel = deconvolution.weight.detach()
        self.kernel = kernel
        bias = deconvolution.bias
        self.bias = torch.zeros(kernel.shape[1]) if bias is None else bias.detach()
        self.scale = kernel.abs().amax(dim=(0, 2, 3)).clamp(min=1e-12) / _LARGEST_WEIGHT
        rounded = (kernel / self.scale[:, None, None]).round().to(torch.int8)
        self.weights = [
            rounded[:, :, rows][..., columns].permute(2, 3, 0, 1).flatten(0, 2).contiguous()
            for rows, columns in product(_TAPS, _TAPS)
        ]

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer: [N, C, h, w] -> [N, C', 2h, 2w]."""
        # Sizes are tensors while the layer is traced, but they are the same for every input.
        height, width = int(x.shape[2]), int(x.shape[3])
        constants = self.kernel, self.bias, self.scale, *self.weights
        phases = _IntegerProducts.apply(x.permute(0, 2, 3, 1), height, width, *constants)
        return _interleave([phases[:2], phases[2:]])


class _IntegerProducts(Function):
    """The pixels of a deconvolution of maps [N, h, w, C] in even and odd rows and columns: four
    [N, h, w, C'].
    """

    @staticmethod
    def forward(
        _: Any, x: Tensor, height: int, width: int, kernel: Tensor, bias: Tensor, *__: Tensor
    ) -> tuple[Tensor, ...]:
        maps = F.conv_transpose2d(x.permute(0, 3, 1, 2), kernel, bias, stride=2, padding=1)
        pixels = maps.permute(0, 2, 3, 1)
        return tuple(pixels[:, top::2, left::2].clone() for top, left in product((0, 1), (0, 1)))

    @staticmethod
    def symbolic(
        graph: Any, x: Any, height: int, width: int, _: Any, bias: Any, scale: Any, *weights: Any
    ) -> tuple[Any, ...]:
        def whole(*numbers: int) -> Any:
            return graph.op('Constant', value_t=torch.tensor(numbers, dtype=torch.int64))

        quantised, x_scale, zero = graph.op('DynamicQuantizeLinear', x, outputs=3)
        padded = graph.op('Pad', quantised, whole(0, 1, 1, 0, 0, 1, 1, 0), zero)
        shifted = {
            (y, x): graph.op(
                'Slice', padded, whole(y, x), whole(y + height, x + width), whole(1, 2)
            )
            for y, x in product(range(3), range(3))
        }
        no_offset = graph.op('Constant', value_t=torch.zeros((), dtype=torch.int8))
        shape = [None, height, width, scale.type().sizes()[0]]
        results = []
        for (top, left), weight in zip(product((0, 1), (0, 1)), weights, strict=True):
            near = [shifted[top + y, left + x] for y, x in product((0, 1), (0, 1))]
            patches = graph.op('Concat', *near, axis_i=3)
            factors = patches, weight, x_scale, scale, zero, no_offset, bias
            result = graph.op('com.microsoft::MatMulIntegerToFloat', *factors)
            # No type is inferred for operators outside the standard.
            results.append(result.setType(x.type().with_sizes(shape)))
        return tuple(results)


def _interleave(grid: Sequence[Sequence[Tensor]]) -> Tensor:
    """Interleave r rows of c maps [N, h, w, C] pixel by pixel: [N, C, r h, c w]."""
    _, height, width, channels = map(int, grid[0][0].shape)
    pixels = torch.stack([torch.stack(list(row), 3) for row in grid], 2)
    sizes = len(grid) * height, len(grid[0]) * width, channels
    return pixels.reshape(-1, *sizes).permute(0, 3, 1, 2)


class _ExportedSelfAttention(nn.Module):
    """Self-attention that is exported as onnxruntime's own operator between the linear layers."""

    def __init__(self, attention: SelfAttention) -> None:
        super().__init__()
        self.qkv, self.proj = attention.qkv, attention.proj
        self.num_heads = attention.num_heads

    def forward(self, tokens: Tensor) -> Tensor:
        query, key, value = self.qkv(tokens).chunk(3, dim=-1)
        return self.proj(_Attention.apply(query, key, value, self.num_heads))


class _ExportedCrossAttention(nn.Module):
    """Cross-attention that is exported as onnxruntime's own operator between the linear layers."""

    def __init__(self, attention: CrossAttention) -> None:
        super().__init__()
        self.query, self.key_value = attention.query, attention.key_value
        self.proj, self.num_heads = attention.proj, attention.num_heads

    def forward(self, tokens: Tensor, context: Tensor) -> Tensor:
        return self.read(tokens, self.key_value(context))

    def read(self, tokens: Tensor, key_value: Tensor) -> Tensor:
        key, value = key_value.chunk(2, dim=-1)
        return self.proj(_Attention.apply(self.query(tokens), key, value, self.num_heads))


class _Attention(Function):
    """Attention of queries [N, L, D] over keys and values [N, L', D]: [N, L, D]."""

    @staticmethod
    def forward(_: Any, query: Tensor, key: Tensor, value: Tensor, num_heads: int) -> Tensor:
        heads = [x.unflatten(-1, (num_heads, -1)).transpose(1, 2) for x in (query, key, value)]
        return F.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)

    @staticmethod
    def symbolic(graph: Any, query: Any, key: Any, value: Any, num_heads: int) -> Any:
        written = graph.op(
            'com.microsoft::MultiHeadAttention', query, key, value, num_heads_i=num_heads
        )
        return written.setType(query.type())
