"""Blocks that are computed twice give the same gradients and keep less."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from stdpose_mm.models.backbones import ViT
from stdpose_mm.models.layers.blocks import TransformerBlock, apply_block
from stdpose_mm.models.necks import MLSME
from stdpose_mm.models.necks.temporal_feature_fusion import TemporalFeatureFusion
from support.model_samples import build

FEATURES = (2, 3, 16, 4, 3)


def vit(with_cp: bool) -> nn.Module:
    arch = dict(embed_dims=16, num_layers=3, num_heads=2, feedforward_channels=32)
    return ViT(arch, img_size=(64, 48), drop_path_rate=0.5, with_cp=with_cp)


def tff(with_cp: bool) -> nn.Module:
    return TemporalFeatureFusion(16, num_heads=2, num_blocks=3, with_cp=with_cp)


def mlsme(with_cp: bool) -> nn.Module:
    cfg = dict(type='MLSME', embed_dims=16, num_heads=2, feature_size=(4, 3), with_cp=with_cp)
    neck: MLSME = build(cfg)
    # Blocks begin as the identity, which has no gradient inside.
    for parameter in neck.parameters():
        nn.init.normal_(parameter, std=0.2)
    return neck


CASES: dict[Callable[[bool], nn.Module], tuple[int, ...]] = {
    vit: (2, 3, 64, 48),
    tff: FEATURES,
    mlsme: FEATURES,
}


def output(module: nn.Module, inputs: Tensor) -> Tensor:
    found: Any = module(inputs)
    if isinstance(found, Tensor):
        return found
    return found[0] if isinstance(module, ViT) else found.fused_feature


def train_step(
    make: Callable[[bool], nn.Module], with_cp: bool, autocast: bool = False
) -> tuple[Tensor, dict[str, Tensor], int]:
    """The output, the gradients, and the bytes kept between them besides weights and inputs."""
    torch.manual_seed(0)
    module = make(with_cp).train()
    inputs = torch.randn(CASES[make])
    kept: dict[int, int] = {}

    def keep(value: Tensor) -> Tensor:
        kept[value.data_ptr()] = value.nbytes
        return value

    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value),
        torch.autocast('cpu', torch.bfloat16, enabled=autocast),
    ):
        found = output(module, inputs)
    for held_anyway in (inputs, *module.parameters()):
        kept.pop(held_anyway.data_ptr(), None)
    found.float().square().sum().backward()
    gradients = {name: p.grad for name, p in module.named_parameters() if p.grad is not None}
    return found.detach(), gradients, sum(kept.values())


@pytest.mark.parametrize('autocast', [False, True])
@pytest.mark.parametrize('make', CASES)
def test_gradients_are_the_same_bit_for_bit(make, autocast):
    expected, gradients, _ = train_step(make, False, autocast)
    found, recomputed, _ = train_step(make, True, autocast)
    assert torch.equal(found, expected)
    assert recomputed.keys() == gradients.keys()
    assert any(gradient.abs().max() > 0 for gradient in gradients.values())
    for name, gradient in gradients.items():
        assert torch.equal(recomputed[name], gradient), name


@pytest.mark.parametrize('make', CASES)
def test_less_is_kept_for_the_backward_pass(make):
    *_, everything = train_step(make, False)
    *_, recomputed = train_step(make, True)
    assert recomputed < everything / 2


def test_in_evaluation_a_block_is_run_once():
    block = TransformerBlock(16, 2).eval()
    runs = []
    block.register_forward_hook(lambda *_: runs.append(1))
    apply_block(block, torch.randn(1, 4, 16, requires_grad=True), recompute=True).sum().backward()
    assert runs == [1]
