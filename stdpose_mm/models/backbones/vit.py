from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import Tensor, nn

from stdpose_mm.errors import InputError, require_choice
from stdpose_mm.models.layers.blocks import TransformerBlock, apply_block
from stdpose_mm.models.layers.position_embedding import (
    fit_position_embedding,
    sine_cosine_position_embedding,
)
from stdpose_mm.models.pretrained import BACKBONE, compare_weights, read_backbone_weights
from stdpose_mm.registration import register

from .patch_embedding import PatchEmbedding
from .token_pruning import TokenPruning

ARCHITECTURES: dict[str, dict[str, int]] = {
    'tiny': dict(embed_dims=128, num_layers=4, num_heads=4, feedforward_channels=512),
    'small': dict(embed_dims=384, num_layers=12, num_heads=12, feedforward_channels=1536),
    'base': dict(embed_dims=768, num_layers=12, num_heads=12, feedforward_channels=3072),
    'large': dict(embed_dims=1024, num_layers=24, num_heads=16, feedforward_channels=4096),
    'huge': dict(embed_dims=1280, num_layers=32, num_heads=16, feedforward_channels=5120),
}
POSITION_INITS = ('trunc_normal', 'sine_cosine')

# Names of the original ViTPose (and timm, MAE) -> names of MMPose 1.x.
ORIGINAL_NAMES = (
    (re.compile(r'^patch_embed\.proj\.'), 'patch_embed.projection.'),
    (re.compile(r'^blocks\.(\d+)\.norm([12])\.'), r'layers.\1.ln\2.'),
    (re.compile(r'^blocks\.(\d+)\.mlp\.fc1\.'), r'layers.\1.ffn.layers.0.0.'),
    (re.compile(r'^blocks\.(\d+)\.mlp\.fc2\.'), r'layers.\1.ffn.layers.1.'),
    (re.compile(r'^blocks\.(\d+)\.attn\.'), r'layers.\1.attn.'),
    (re.compile(r'^(last_)?norm\.'), 'ln1.'),
)


@register(MODELS)
class ViT(BaseModule):
    """Plain vision transformer that loads released ViTPose checkpoints unchanged.

    Parameter names, patch size 16, patch padding 2 and the final LayerNorm are those of MMPose
    1.x's ViTPose (``mmpretrain.VisionTransformer`` with ``with_cls_token=False``,
    ``out_type='featmap'``, ``patch_cfg=dict(padding=2)``). Its ``pos_embed`` is [1, L, D] for L
    patches, without a class-token slot. Checkpoints with such a slot load, too: MAE, DINO, timm and
    the original ViTPose repository store [1, 1 + L, D]. The original ViTPose has no class token and
    adds the slot to every patch position; the others drop it. Each checkpoint is read as in its own
    code, and identified by the parameter names (``blocks.``, and no ``cls_token``). Positions of
    another input size are resized (bicubic) while loading.

    Weights are named as in MMPose or as in timm; the original ViTPose, MAE and DINO use timm's
    names. The ViT-S of DINO and timm has 6 heads, that of ViTPose 12. Weights of the former need
    ``arch`` as a dict, because the number of heads cannot be inferred from them.

    The patch grid has ``(size + 2 * 2 - 16) // 16 + 1`` cells per axis: 16x12 for 256x192, 24x18
    for 384x288, 14x10 for 224x168 (no patch sees the last 10 columns of the latter).

    Args:
        arch: 'tiny', 'small', 'base', 'large', 'huge', or a dict with ``embed_dims``,
            ``num_layers``, ``num_heads`` and ``feedforward_channels``. 'small' has 12 heads as in
            ViTPose.
        img_size: Height and width of the input.
        patch_embed: 'linear' (ViTPose), or 'conv_stem', which trains better from scratch; see
            :class:`PatchEmbedding`.
        pos_embed_init: 'trunc_normal', or 'sine_cosine' for training from scratch: half the
            sine-cosine embedding, learnable.
        drop_path_rate: Stochastic depth of the last block; it decreases linearly towards the first.
        with_cp: Recompute blocks in the backward pass to save memory.
        pruning: ``dict(after=n, keep=share)``: the layers after the first n compute only a share of
            the tokens of a crop, the person's according to :class:`TokenPruning`. The other tokens
            keep their values. Beyond the paper; ``None`` computes all.
        init_cfg: Initialisation config of MMEngine. ``dict(type='Pretrained', checkpoint=...)``
            accepts the weights of all these sources, logs which parameters they fill, and raises an
            InputError unless they fill the whole backbone.
    """

    def __init__(
        self,
        arch: str | dict[str, int] = 'base',
        img_size: Sequence[int] = (256, 192),
        patch_embed: str = 'linear',
        pos_embed_init: str = 'trunc_normal',
        drop_path_rate: float = 0.0,
        with_cp: bool = False,
        pruning: dict[str, Any] | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if isinstance(arch, str) and arch not in ARCHITECTURES:
            raise InputError(f'arch must be one of {tuple(ARCHITECTURES)} or a dict, got {arch!r}')
        require_choice('pos_embed_init', pos_embed_init, POSITION_INITS)
        settings = ARCHITECTURES[arch] if isinstance(arch, str) else arch
        self.embed_dims: int = settings['embed_dims']
        self.img_size = (img_size[0], img_size[1])
        self.with_cp = with_cp

        self.patch_embed = PatchEmbedding(patch_embed, self.img_size, self.embed_dims)
        self.grid = self.patch_embed.grid
        positions = sine_cosine_position_embedding(self.grid, self.embed_dims) * 0.5
        if pos_embed_init == 'trunc_normal':
            positions = nn.init.trunc_normal_(torch.empty_like(positions), std=0.02)
        self.pos_embed = nn.Parameter(positions)
        num_layers = settings['num_layers']
        self.layers = nn.ModuleList(
            TransformerBlock(
                self.embed_dims,
                settings['num_heads'],
                settings['feedforward_channels'],
                drop_path_rate * index / max(num_layers - 1, 1),
            )
            for index in range(num_layers)
        )
        self.ln1 = nn.LayerNorm(self.embed_dims, eps=1e-6)
        self.pruning: TokenPruning | None = None
        if pruning is not None:
            if set(pruning) != {'after', 'keep'}:
                raise InputError(f'pruning must have after and keep, got {dict(pruning)}')
            if not 0 < pruning['after'] < num_layers:
                raise InputError(
                    f'pruning must be after one of the first {num_layers - 1} layers, got '
                    f'after={pruning["after"]}'
                )
            self.pruning = TokenPruning(self.embed_dims, self.grid, **pruning)
        self._register_load_state_dict_pre_hook(self._adapt_state_dict)

    def init_weights(self) -> None:
        """Initialise the weights, or load pretrained weights and log which parameters they fill.

        Raises:
            InputError: If pretrained weights cannot be read, or do not fill every parameter.
        """
        settings = self.init_cfg
        if not isinstance(settings, dict) or settings['type'] != 'Pretrained':
            super().init_weights()
            return
        source = settings['checkpoint']
        weights = read_backbone_weights(source, settings.get('prefix') or '')
        report = compare_weights(self, weights, BACKBONE)
        print_log(f'Weights of {source} in the backbone:\n{report.table()}', logger='current')
        report.require_backbone(source)
        self.load_state_dict(weights, strict=False)
        self._is_init = True

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Extract features.

        Args:
            images: Normalised RGB images [N, 3, H, W] of size ``img_size``.

        Returns:
            One feature map [N, D, h, w] in a tuple; with pruning, the scores [N, L] of the tokens
            come first.

        Raises:
            InputError: If the images have another size.
        """
        if images.shape[1:] != (3, *self.img_size):
            raise InputError(
                f'expected images [N, 3, {self.img_size[0]}, {self.img_size[1]}], '
                f'got {list(images.shape)}'
            )
        tokens = self.patch_embed(images) + self.pos_embed
        if self.pruning is None:
            return (self._to_map(self._run(self.layers, tokens)),)
        after = self.pruning.after
        tokens = self._run(self.layers[:after], tokens)
        scores = self.pruning(tokens)
        places = self.pruning.places(scores)[..., None].expand(-1, -1, self.embed_dims)
        selected = self._run(self.layers[after:], tokens.gather(1, places))
        return scores, self._to_map(tokens.scatter(1, places, selected.to(tokens)))

    def loss(
        self, outputs: tuple[Tensor, ...], target: Tensor, weights: Tensor
    ) -> dict[str, Tensor]:
        """Compute the loss of pruning.

        Args:
            outputs: Output of :meth:`forward` with pruning, for M images.
            target: Target heatmaps [M, K, h, w].
            weights: Weights of the joints [M, K].
        """
        assert self.pruning is not None
        return self.pruning.losses(outputs[0], target, weights)

    def _run(self, layers: Iterable[nn.Module], tokens: Tensor) -> Tensor:
        for layer in layers:
            tokens = apply_block(layer, tokens, recompute=self.with_cp)
        return tokens

    def _to_map(self, tokens: Tensor) -> Tensor:
        return self.ln1(tokens).transpose(1, 2).unflatten(2, self.grid)

    def _adapt_state_dict(
        self, state_dict: dict[str, Tensor], prefix: str, *_args: Any, **_kwargs: Any
    ) -> None:
        """Rename the original ViTPose's parameters and fit the position embedding."""
        names = [name[len(prefix) :] for name in state_dict if name.startswith(prefix)]
        is_original = any(name.startswith('blocks.') for name in names)
        has_class_token = 'cls_token' in names
        if is_original:
            for name in names:
                renamed = name
                for pattern, replacement in ORIGINAL_NAMES:
                    renamed = pattern.sub(replacement, renamed)
                state_dict[prefix + renamed] = state_dict.pop(prefix + name)
        key = prefix + 'pos_embed'
        if key in state_dict:
            state_dict[key] = fit_position_embedding(
                state_dict[key], self.grid, add_class_slot=is_original and not has_class_token
            )
