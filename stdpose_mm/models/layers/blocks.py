"""Transformer blocks, their gradient checkpointing and their zero initialisation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmcv.cnn.bricks import DropPath
from mmengine.model import constant_init, xavier_init
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .attention import CrossAttention, SelfAttention


def apply_block(block: nn.Module, *tensors: Tensor, recompute: bool = False) -> Any:
    """Apply a block, optionally with gradient checkpointing in training.

    With ``recompute`` the backward pass repeats the forward pass of the block (gradient
    checkpointing), with the same random numbers and in the same precision. The gradients are the
    same, and memory for the intermediate results of one block at a time is enough.

    Args:
        block: Any module; in evaluation mode nothing is recomputed.
        *tensors: Inputs of the block.
        recompute: Whether to recompute the block in the backward pass.
    """
    if recompute and block.training:
        return checkpoint(block, *tensors, use_reentrant=False)
    return block(*tensors)


class FeedForward(nn.Module):
    """Two linear layers with a GELU between them.

    The parameters are called ``layers.0.0`` and ``layers.1`` as in released ViTPose checkpoints.

    Args:
        embed_dims: Width D of the tokens.
        hidden_dims: Width between the two layers.
    """

    def __init__(self, embed_dims: int, hidden_dims: int) -> None:
        super().__init__()
        expand, reduce = nn.Linear(embed_dims, hidden_dims), nn.Linear(hidden_dims, embed_dims)
        for linear in (expand, reduce):
            xavier_init(linear, distribution='uniform')
        self.layers = nn.Sequential(nn.Sequential(expand, nn.GELU()), reduce)

    def forward(self, tokens: Tensor) -> Tensor:
        """Transform every token alone: [N, L, D] -> [N, L, D]."""
        return self.layers(tokens)


class FrameAggregation(nn.Sequential):
    """MLP that aggregates the tokens of all frames at the same place (the last layer of TFF).

    Args:
        num_frames: Number of frames T.
        embed_dims: Width D of the tokens.
        start_at_zero: Whether the output is initially zero.
    """

    def __init__(self, num_frames: int, embed_dims: int, start_at_zero: bool = False) -> None:
        super().__init__(
            nn.Linear(num_frames * embed_dims, embed_dims),
            nn.GELU(),
            nn.Linear(embed_dims, embed_dims),
        )
        if start_at_zero:
            constant_init(self[-1], 0)

    def forward(self, tokens: Tensor) -> Tensor:
        """Aggregate the frames: [N, T, L, D] -> [N, L, D]."""
        return super().forward(tokens.transpose(1, 2).flatten(2))


class TransformerBlock(nn.Module):
    """Pre-LayerNorm transformer block: self-attention, then a feed-forward network.

    The parameters are called ``ln1``, ``attn``, ``ln2`` and ``ffn`` as in released ViTPose
    checkpoints.

    Args:
        embed_dims: Width D of the tokens.
        num_heads: Number of attention heads.
        feedforward_channels: Hidden width of the feed-forward network. ``None`` means 4 D.
        drop_path_rate: Probability that a training sample skips a residual branch.
    """

    attention: type[nn.Module] = SelfAttention

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        feedforward_channels: int | None = None,
        drop_path_rate: float = 0.0,
    ) -> None:
        super().__init__()
        self.ln1 = nn.LayerNorm(embed_dims, eps=1e-6)
        self.attn: Any = self.attention(embed_dims, num_heads)
        self.ln2 = nn.LayerNorm(embed_dims, eps=1e-6)
        self.ffn = FeedForward(embed_dims, feedforward_channels or 4 * embed_dims)
        self.drop_path = DropPath(drop_path_rate) if drop_path_rate else nn.Identity()

    def forward(self, tokens: Tensor) -> Tensor:
        """Apply the block: [N, L, D] -> [N, L, D]."""
        tokens = tokens + self.drop_path(self.attn(self.ln1(tokens)))
        return tokens + self.drop_path(self.ffn(self.ln2(tokens)))


class KeyFrameBlock(TransformerBlock):
    """Transformer block that updates some tokens, such as the key frame's, from other tokens.

    For the updated tokens the result equals :class:`TransformerBlock` if they are also among the
    tokens that are read. The projections of read tokens do not depend on the updated tokens.

    Args: As in :class:`TransformerBlock`.
    """

    attention = CrossAttention

    def project(self, tokens: Tensor) -> Tensor:
        """Project the tokens that are read [..., D] to their keys and values [..., 2 D]."""
        return self.attn.key_value(self.ln1(tokens))

    def forward(self, tokens: Tensor, key_value: Tensor) -> Tensor:  # type: ignore[override]
        """Update tokens [N, L, D] by projections [N, L', 2 D]."""
        tokens = tokens + self.attn.read(self.ln1(tokens), key_value)
        return tokens + self.ffn(self.ln2(tokens))


class DividedAttentionBlock(nn.Module):
    """Divided space-time attention (Bertasius et al., "Is Space-Time Attention All You Need?").

    A token attends to the tokens at its place in the other frames, then to those of its own frame;
    a feed-forward network follows. There is a LayerNorm before each.

    Args:
        embed_dims: Width D of the tokens.
        num_heads: Number of attention heads.
    """

    def __init__(self, embed_dims: int, num_heads: int) -> None:
        super().__init__()
        self.ln_time = nn.LayerNorm(embed_dims, eps=1e-6)
        self.time_attn = SelfAttention(embed_dims, num_heads)
        self.ln_space = nn.LayerNorm(embed_dims, eps=1e-6)
        self.space_attn = SelfAttention(embed_dims, num_heads)
        self.ln_ffn = nn.LayerNorm(embed_dims, eps=1e-6)
        self.ffn = FeedForward(embed_dims, 4 * embed_dims)

    def forward(self, tokens: Tensor) -> Tensor:
        """Apply the block: [N, T, L, D] -> [N, T, L, D]."""
        num_frames, num_places = tokens.shape[1:3]
        by_place = self.ln_time(tokens).transpose(1, 2).flatten(0, 1)
        over_time = self.time_attn(by_place).unflatten(0, (-1, num_places))
        tokens = tokens + over_time.transpose(1, 2)
        over_space = self.space_attn(self.ln_space(tokens).flatten(0, 1))
        tokens = tokens + over_space.unflatten(0, (-1, num_frames))
        return tokens + self.ffn(self.ln_ffn(tokens))


class PoseAggregationBlock(nn.Module):
    """Pose Aggregation block (Sec. 3.2, Eq. 12): heatmap tokens attend to the fused feature.

    Self-attention, cross-attention (query: heatmap tokens, key and value: tokens of F~) and a
    feed-forward network, with a LayerNorm before each. F~ is not normalised, so the context has its
    own LayerNorm.

    Args:
        embed_dims: Width D of the heatmap tokens.
        num_heads: Number of attention heads.
        feedforward_channels: Hidden width of the feed-forward network. ``None`` means 4 D.
    """

    def __init__(
        self, embed_dims: int, num_heads: int, feedforward_channels: int | None = None
    ) -> None:
        super().__init__()
        self.ln_self = nn.LayerNorm(embed_dims, eps=1e-6)
        self.self_attn = SelfAttention(embed_dims, num_heads)
        self.ln_cross = nn.LayerNorm(embed_dims, eps=1e-6)
        self.ln_context = nn.LayerNorm(embed_dims, eps=1e-6)
        self.cross_attn = CrossAttention(embed_dims, num_heads)
        self.ln_ffn = nn.LayerNorm(embed_dims, eps=1e-6)
        self.ffn = FeedForward(embed_dims, feedforward_channels or 4 * embed_dims)

    def forward(self, tokens: Tensor, context: Tensor) -> Tensor:
        """Update heatmap tokens [N, L, D] by a context [N, L', D]."""
        tokens = tokens + self.self_attn(self.ln_self(tokens))
        tokens = tokens + self.cross_attn(self.ln_cross(tokens), self.ln_context(context))
        return tokens + self.ffn(self.ln_ffn(tokens))


class MutualAttentionBlock(nn.Module):
    """Mutual attention: two sets of tokens attend to each other simultaneously.

    Each set has its own attention and feed-forward network, with a LayerNorm before each.

    Args:
        embed_dims: Width D of the tokens.
        num_heads: Number of attention heads.
    """

    def __init__(self, embed_dims: int, num_heads: int) -> None:
        super().__init__()
        self.ln_cross = _two(lambda: nn.LayerNorm(embed_dims, eps=1e-6))
        self.cross_attn = _two(lambda: CrossAttention(embed_dims, num_heads))
        self.ln_ffn = _two(lambda: nn.LayerNorm(embed_dims, eps=1e-6))
        self.ffn = _two(lambda: FeedForward(embed_dims, 4 * embed_dims))

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """Apply the block to two sets [N, L, D] and [N, L', D]; returns both in the same shapes."""
        normed = self.ln_cross[0](first), self.ln_cross[1](second)
        first = first + self.cross_attn[0](normed[0], normed[1])
        second = second + self.cross_attn[1](normed[1], normed[0])
        first = first + self.ffn[0](self.ln_ffn[0](first))
        second = second + self.ffn[1](self.ln_ffn[1](second))
        return first, second


def _two(build: Callable[[], nn.Module]) -> nn.ModuleList:
    """Build one module for each of the two sets."""
    return nn.ModuleList(build() for _ in range(2))


def zero_init_residual(module: nn.Module) -> None:
    """Zero the last layer of every residual branch, so that blocks initially are the identity.

    This follows Goyal et al., "Accurate, Large Minibatch SGD", for residual networks. The features
    of a pretrained backbone then reach the head that was pretrained with it.

    Args:
        module: Transformer blocks; changed in place.
    """
    for layer in module.modules():
        if isinstance(layer, SelfAttention | CrossAttention):
            constant_init(layer.proj, 0)
        elif isinstance(layer, FeedForward):
            constant_init(layer.layers[1], 0)
