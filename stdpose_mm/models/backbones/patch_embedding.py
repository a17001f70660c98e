from __future__ import annotations

from torch import Tensor, nn

from stdpose_mm.errors import InputError, require_choice

KINDS = ('linear', 'conv_stem')
PATCH_SIZE = 16
PATCH_PADDING = 2
STEM_CHANNELS = (24, 48, 96)


class PatchEmbedding(nn.Module):
    """Patch embedding: images to tokens, one per patch of 16x16 pixels.

    Args:
        kind: 'linear': one convolution with kernel and stride 16 and padding 2, as in ViTPose; or
            'conv_stem': four stride-2 3x3 convolutions (3-24-48-96-D) with batch normalisation and
            ReLU between them.
        img_size: Height and width of the images, multiples of 16 for 'conv_stem'.
        embed_dims: Width D of the tokens.

    Attributes:
        grid: Rows and columns of patches.
    """

    def __init__(self, kind: str, img_size: tuple[int, int], embed_dims: int) -> None:
        super().__init__()
        require_choice('patch_embed', kind, KINDS)
        height, width = img_size
        if kind == 'linear':
            step = 2 * PATCH_PADDING - PATCH_SIZE
            self.grid = ((height + step) // PATCH_SIZE + 1, (width + step) // PATCH_SIZE + 1)
            self.projection: nn.Module = nn.Conv2d(
                3, embed_dims, PATCH_SIZE, stride=PATCH_SIZE, padding=PATCH_PADDING
            )
            return
        if height % PATCH_SIZE or width % PATCH_SIZE:
            raise InputError(
                f"'conv_stem' needs an img_size of multiples of {PATCH_SIZE}, got {img_size}"
            )
        self.grid = (height // PATCH_SIZE, width // PATCH_SIZE)
        layers: list[nn.Module] = []
        in_channels = 3
        for out_channels in STEM_CHANNELS:
            layers += [
                nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(out_channels),
                nn.ReLU(inplace=True),
            ]
            in_channels = out_channels
        layers.append(nn.Conv2d(in_channels, embed_dims, 3, stride=2, padding=1))
        self.projection = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        """Embed images [N, 3, H, W] as tokens [N, rows * columns, D]."""
        return self.projection(images).flatten(2).transpose(1, 2)
