"""Checkpoints of many origins: names, what they fill, and errors where they do not."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from stdpose_mm.engine.hooks import CheckpointReportHook
from stdpose_mm.errors import InputError
from stdpose_mm.models.pretrained import compare_weights, model_weights
from support.model_samples import build, tiny_cfg
from support.vitpose_names import plain_vit

DIMS, DEPTH, PLACES = 128, 4, 8 * 6
BACKBONE = dict(type='ViT', arch='tiny', img_size=(128, 96))
# One embedding of patches (two tensors), of places, 12 tensors a block, the last norm.
BACKBONE_WEIGHTS = 2 + 1 + 12 * DEPTH + 2


def random(shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    return {name: torch.randn(shape) for name, shape in shapes.items()}


def vit(num_positions: int = 1 + PLACES, **kwargs: Any) -> dict[str, Tensor]:
    """A ViT of timm's names with a class token."""
    shapes = plain_vit(DIMS, DEPTH, num_positions, **kwargs)
    return random(shapes | {'cls_token': (1, 1, DIMS)})


def under(prefix: str, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: value for name, value in weights.items()}


def mae() -> dict[str, Any]:
    # Pretrained on 224x224: 14 x 14 places and the class token's.
    decoder = {'mask_token': (1, 1, 64), 'decoder_embed.weight': (64, DIMS)}
    return {'model': vit(197) | random(decoder)}


def dino() -> dict[str, Any]:
    head = {'mlp.0.weight': torch.randn(8, DIMS)}
    return {
        'student': under('module.backbone.', vit()) | under('module.head.', head),
        'teacher': under('backbone.', vit()) | under('head.', head),
        'epoch': 3,
    }


def timm() -> dict[str, Any]:
    return vit() | random({'head.weight': (10, DIMS), 'head.bias': (10,)})


def vitpose_original() -> dict[str, Any]:
    backbone = random(plain_vit(DIMS, DEPTH, 1 + PLACES, last_norm='last_norm'))
    return {'state_dict': under('backbone.', backbone)}


def wrapped() -> dict[str, Any]:
    return {'state_dict': under('module.backbone.', vit())}


ORIGINS: dict[Callable[[], dict[str, Any]], tuple[str, ...]] = {
    mae: ('model', ''),
    dino: ('teacher', 'backbone.'),
    vit: ('', ''),
    timm: ('', ''),
    vitpose_original: ('state_dict', 'backbone.'),
    wrapped: ('state_dict', 'module.backbone.'),
}


def init_cfg(path: Path) -> dict[str, str]:
    return {'type': 'Pretrained', 'checkpoint': str(path)}


@pytest.fixture
def model() -> nn.Module:
    return build(tiny_cfg(backbone=BACKBONE))


@pytest.mark.parametrize('origin', ORIGINS)
def test_weights_of_every_origin_fill_the_backbone(model, origin):
    checkpoint = origin()
    container, prefix = ORIGINS[origin]
    stored = checkpoint[container] if container else checkpoint
    model.load_state_dict(model_weights(checkpoint), strict=False)
    block = model.backbone.layers[3]
    expected = stored[f'{prefix}blocks.3.attn.qkv.weight']
    torch.testing.assert_close(block.attn.qkv.weight.detach(), expected, rtol=0, atol=0)
    expected = stored[f'{prefix}blocks.3.mlp.fc1.bias']
    torch.testing.assert_close(block.ffn.layers[0][0].bias.detach(), expected, rtol=0, atol=0)


def test_class_slot_of_a_vit_with_class_token_is_dropped(model):
    checkpoint = timm()
    model.load_state_dict(model_weights(checkpoint), strict=False)
    positions = model.backbone.pos_embed.detach()
    torch.testing.assert_close(positions, checkpoint['pos_embed'][:, 1:], rtol=0, atol=0)


def test_class_slot_of_the_original_vitpose_is_added(model):
    checkpoint = vitpose_original()
    model.load_state_dict(model_weights(checkpoint), strict=False)
    stored = checkpoint['state_dict']['backbone.pos_embed']
    positions = model.backbone.pos_embed.detach()
    torch.testing.assert_close(positions, stored[:, 1:] + stored[:, :1])


@pytest.mark.parametrize('origin', ORIGINS)
def test_report_agrees_with_what_pytorch_loads(model, origin):
    weights = model_weights(origin())
    report = compare_weights(model, weights)
    result = model.load_state_dict(weights, strict=False)
    assert report.unexpected == result.unexpected_keys
    counters = [name for name in result.missing_keys if name.endswith('num_batches_tracked')]
    assert sorted([*report.missing, *counters]) == sorted(result.missing_keys)
    assert report.other_shape == []
    assert report.resized == ['backbone.pos_embed']
    assert len(report.loaded) == BACKBONE_WEIGHTS - 1


def test_own_checkpoint_is_loaded_in_whole(model):
    report = compare_weights(model, model_weights({'state_dict': model.state_dict()}))
    assert sorted(report.loaded) == sorted(model.state_dict())
    assert not (report.resized + report.missing + report.other_shape + report.unexpected)


def test_table_has_a_row_per_module(model):
    weights = under('backbone.', vit()) | {
        'head.final_layer.weight': torch.zeros(15, 64, 1, 1),
        'head.final_layer.bias': torch.zeros(14),
    }
    rows = compare_weights(model, weights).table().splitlines()
    numbers = {row.split()[0]: row.split()[1:] for row in rows[1:] if re.match(r'\w+ +\d', row)}
    assert rows[0].split() == ['loaded', 'resized', 'missing', 'other', 'shape', 'unexpected']
    assert numbers['backbone'] == ['52', '1', '0', '0', '1']
    # A per-frame model's head goes to the frame head: one weight fits, one has another shape.
    assert [numbers['frame_head'][kind] for kind in (0, 3)] == ['1', '1']
    assert numbers['head'][0] == '0'
    assert rows[-2:] == [
        'other shape: frame_head.final_layer.bias',
        'unexpected: backbone.cls_token',
    ]


def runner(model: nn.Module, resume: bool = False) -> Any:
    said: list[str] = []
    logger = SimpleNamespace(info=said.append)
    return SimpleNamespace(
        model=model, logger=logger, said=said, _resume=resume, _load_from='weights.pth'
    )


def test_hook_names_the_weights_and_logs_one_table(model):
    checkpoint, run = mae(), runner(model)
    stored = checkpoint['model']['blocks.0.attn.qkv.weight']
    CheckpointReportHook().after_load_checkpoint(run, checkpoint)
    assert checkpoint['state_dict']['backbone.blocks.0.attn.qkv.weight'] is stored
    (table,) = run.said
    assert table.startswith('Weights of weights.pth in the model:\n')


@pytest.mark.parametrize(
    ('checkpoint', 'filled'),
    [
        ({'state_dict': {}}, 0),
        ({'state_dict': {'head.final_layer.bias': torch.zeros(15)}}, 0),
        # Patches of 8 pixels, as DINO has them, too; and a block less.
        (vit() | {'patch_embed.proj.weight': torch.zeros(DIMS, 3, 8, 8)}, BACKBONE_WEIGHTS - 1),
        ({n: v for n, v in vit().items() if 'blocks.3' not in n}, BACKBONE_WEIGHTS - 12),
    ],
)
def test_a_backbone_not_filled_is_one_sentence(model, checkpoint, filled):
    with pytest.raises(
        InputError, match=rf'weights\.pth fills {filled} of the {BACKBONE_WEIGHTS} weights of the'
    ):
        CheckpointReportHook().after_load_checkpoint(runner(model), checkpoint)


@pytest.mark.parametrize('origin', [dino, vitpose_original])
def test_weights_without_pruning_fill_a_backbone_that_prunes(origin, tmp_path):
    backbone = {**BACKBONE, 'pruning': {'after': 2, 'keep': 0.5}}
    run = runner(build(tiny_cfg(backbone=backbone)))
    CheckpointReportHook().after_load_checkpoint(run, origin())
    (table,) = run.said
    assert re.search(rf'^backbone +{BACKBONE_WEIGHTS - 1} +1 +2 +0 ', table, re.MULTILINE)
    path = tmp_path / 'weights.pth'
    torch.save(origin(), path)
    build({**backbone, 'init_cfg': init_cfg(path)}).init_weights()


def test_a_resumed_run_is_not_reported(model):
    run = runner(model, resume=True)
    CheckpointReportHook().after_load_checkpoint(run, {'state_dict': {}})
    assert run.said == []


@pytest.mark.parametrize('origin', [dino, vitpose_original])
def test_pretrained_backbone_is_filled_through_init_cfg(origin, tmp_path):
    checkpoint = origin()
    torch.save(checkpoint, tmp_path / 'weights.pth')
    backbone = build({**BACKBONE, 'init_cfg': init_cfg(tmp_path / 'weights.pth')})
    backbone.init_weights()
    whole = build(tiny_cfg(backbone=BACKBONE))
    whole.load_state_dict(model_weights(checkpoint), strict=False)
    for name, value in whole.backbone.state_dict().items():
        torch.testing.assert_close(backbone.state_dict()[name], value, rtol=0, atol=0)


@pytest.mark.parametrize(
    ('weights', 'message'),
    [
        ({'model': {}}, 'weights.pth fills 0 of the 53 weights of the backbone'),
        (None, 'weights.pth does not exist'),
    ],
)
def test_init_cfg_that_fills_nothing_is_one_sentence(weights, message, tmp_path):
    if weights is not None:
        torch.save(weights, tmp_path / 'weights.pth')
    with pytest.raises(InputError, match=message):
        build({**BACKBONE, 'init_cfg': init_cfg(tmp_path / 'weights.pth')}).init_weights()


def test_prefix_of_init_cfg_chooses_a_network(tmp_path):
    student, teacher = vit(), vit()
    both = {'state_dict': under('a.', student) | under('b.', teacher)}
    torch.save(both, tmp_path / 'weights.pth')
    chosen = init_cfg(tmp_path / 'weights.pth') | {'prefix': 'b.'}
    backbone = build({**BACKBONE, 'init_cfg': chosen})
    backbone.init_weights()
    expected = teacher['blocks.0.attn.proj.weight']
    torch.testing.assert_close(backbone.layers[0].attn.proj.weight.detach(), expected)
