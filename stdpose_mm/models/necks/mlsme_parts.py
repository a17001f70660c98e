"""Parts of MLSME: random masks, the decoder of hidden features, the embedding of given labels.

Masks are drawn from torch's default generator.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from mmengine.model import BaseModule, normal_init
from mmpose.registry import MODELS
from torch import Tensor, nn

from stdpose_mm.models.layers.blocks import TransformerBlock
from stdpose_mm.models.structures import AuxiliaryLabels
from stdpose_mm.registration import register
from stdpose_mm.structures import NUM_FRAMES, key_index

PATCH_SIZE = 4
"""Side of the patch of a heatmap that becomes a token, in pixels of the heatmap."""


class SpaceTimeMasks(NamedTuple):
    """Masks of N windows of T frames with L places each; ``None`` masks nothing.

    Attributes:
        tubes: Masked places, bool [N, T, L].
        frames: Wholly masked frames, bool [N, T].
    """

    tubes: Tensor | None = None
    frames: Tensor | None = None


def sample_tube_mask(
    shape: tuple[int, int, int], ratio: float, length: int, device: torch.device
) -> Tensor:
    """Draw tube masks: some places of a window, each in consecutive frames.

    Args:
        shape: Numbers of windows N, frames T and places L.
        ratio: Share of the places that have a tube; at least one place has one and one has none.
        length: Length of a tube in frames, at most T; each starts at a random frame.
        device: Device of the mask.

    Returns:
        bool [N, T, L] with the same number of masked places in every window.
    """
    num_windows, num_frames, num_places = shape
    count = min(max(round(ratio * num_places), 1), num_places - 1)
    chosen = sample_mask((num_windows, num_places), count, device)
    starts = torch.randint(num_frames - length + 1, (num_windows, 1, num_places), device=device)
    frames = torch.arange(num_frames, device=device)[:, None]
    return chosen[:, None] & (frames >= starts) & (frames < starts + length)


def sample_mask(shape: tuple[int, ...], count: int, device: torch.device) -> Tensor:
    """Draw ``count`` places of the last axis, as bool of shape ``shape``."""
    order = torch.rand(shape, device=device).argsort(dim=-1)
    return order.argsort(dim=-1) < count


@register(MODELS)
class ContextDecoder(BaseModule):
    """Decoder of masked features from the encoded tokens of their window.

    It consists of a Transformer block over all tokens of the window and a linear layer, and is used
    in training only.

    Args:
        embed_dims: Width D of the tokens.
        num_heads: Attention heads of the block.
    """

    def __init__(self, embed_dims: int, num_heads: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(TransformerBlock(embed_dims, num_heads))
        self.norm = nn.LayerNorm(embed_dims, eps=1e-6)
        self.project = nn.Linear(embed_dims, embed_dims)

    def forward(self, tokens: Tensor) -> Tensor:
        """Decode tokens [N, T, L, D] to features [N, T, L, D]."""
        decoded = self.blocks(tokens.flatten(1, 2))
        return self.project(self.norm(decoded)).view_as(tokens)


@register(MODELS)
class GivenPoseEmbedding(BaseModule):
    """Patch embedding of the heatmaps of the poses that are given in a window.

    The left and the right frame have the heatmaps of their labels, the key frame those of the pose
    interpolated between them. The maps of a joint that is not given, and of further auxiliary
    frames, are empty.

    Args:
        num_joints: Number of joints K.
        embed_dims: Width D of the tokens.
        use_prior: Whether the interpolated pose is embedded; otherwise the key frame's maps are
            empty.
        init_std: Initial standard deviation of the weights. ``None`` uses PyTorch's default, with
            which label tokens are a tenth as large as normalised features and have little effect.
    """

    def __init__(
        self,
        num_joints: int,
        embed_dims: int,
        use_prior: bool = False,
        init_std: float | None = None,
    ) -> None:
        super().__init__()
        self.label = _patch_embedding(num_joints, embed_dims)
        self.prior = _patch_embedding(num_joints, embed_dims) if use_prior else None
        if init_std is not None:
            for embedding in (self.label, self.prior):
                if embedding is not None:
                    normal_init(embedding, std=init_std)

    def forward(self, aux_labels: AuxiliaryLabels, num_frames: int = NUM_FRAMES) -> Tensor:
        """Embed the given labels of N windows.

        Args:
            aux_labels: Labels with heatmaps [N, 2, K, h, w].
            num_frames: Number T of frames in a window.

        Returns:
            Tokens [N, T, L, D]; zeros for the frames between the left and the right frame, except
            for the key frame with a prior.
        """
        maps = aux_labels.heatmaps * aux_labels.mask[..., None, None]
        left, right = self.label(maps.flatten(0, 1)).unflatten(0, (-1, 2)).unbind(1)
        empty = torch.zeros_like(left)
        key = empty if self.prior is None else self.prior(aux_labels.prior)
        further = (empty,) * (key_index(num_frames) - 1)
        tokens = torch.stack((left, *further, key, *further, right), dim=1)
        return tokens.flatten(3).transpose(2, 3)


def _patch_embedding(num_joints: int, embed_dims: int) -> nn.Conv2d:
    # No bias, since a window without labels must equal a window with empty maps.
    return nn.Conv2d(num_joints, embed_dims, PATCH_SIZE, stride=PATCH_SIZE, bias=False)
