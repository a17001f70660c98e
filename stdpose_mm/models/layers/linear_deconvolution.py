from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_TAPS = ((3, 1), (2, 0))
"""Rows of the kernel that an even and an odd row of the result read, from the upper input row to
the lower one; the same for columns."""


class LinearDeconvolution(nn.Module):
    """A 4x4 deconvolution of stride 2 and padding 1 as four matrix products.

    Every pixel of the result reads 2x2 pixels of the input, with one of four weights by whether
    its row and column are even. The result is the same up to rounding. Matrix products can be
    quantised to 8 bits, for which there are no fast deconvolutions.

    Args:
        deconvolution: The layer whose weights are taken over; see :meth:`fits`.
    """

    def __init__(self, deconvolution: nn.ConvTranspose2d) -> None:
        super().__init__()
        kernel = deconvolution.weight.detach()
        self.weights = nn.ParameterList(
            nn.Parameter(
                kernel[:, :, rows][..., columns].permute(2, 3, 0, 1).flatten(0, 2).contiguous(),
                requires_grad=False,
            )
            for rows in _TAPS
            for columns in _TAPS
        )
        self.bias = None if deconvolution.bias is None else deconvolution.bias.detach()

    @staticmethod
    def fits(module: nn.Module) -> bool:
        """Whether a module is a deconvolution of this kind."""
        return (
            isinstance(module, nn.ConvTranspose2d)
            and module.kernel_size == (4, 4)
            and module.stride == (2, 2)
            and module.padding == (1, 1)
            and module.output_padding == (0, 0)
            and module.dilation == (1, 1)
            and module.groups == 1
        )

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, h, w] -> [N, C', 2h, 2w]."""
        height, width = x.shape[2:]
        padded = F.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))
        weights = iter(self.weights)
        rows = []
        for top in (0, 1):
            columns = []
            for left in (0, 1):
                patches = [
                    padded[:, top + y : top + y + height, left + x : left + x + width]
                    for y in (0, 1)
                    for x in (0, 1)
                ]
                columns.append(torch.cat(patches, dim=-1) @ next(weights))
            rows.append(torch.stack(columns, dim=3))
        result = torch.stack(rows, dim=2).flatten(3, 4).flatten(1, 2)
        if self.bias is not None:
            result = result + self.bias
        return result.permute(0, 3, 1, 2)


def linearise_deconvolutions(model: nn.Module) -> None:
    """Replace every deconvolution that a :class:`LinearDeconvolution` can stand in for."""
    for name, module in model.named_children():
        if isinstance(module, nn.ConvTranspose2d) and LinearDeconvolution.fits(module):
            setattr(model, name, LinearDeconvolution(module))
        else:
            linearise_deconvolutions(module)
