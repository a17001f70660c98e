from __future__ import annotations

import pytest
import torch
from torch import nn

from stdpose_mm.errors import InputError
from stdpose_mm.models.backbones import ViT
from stdpose_mm.models.layers.position_embedding import fit_position_embedding, infer_grid
from support.vitpose_names import ARCHITECTURES, vitpose_backbone


@pytest.mark.parametrize('arch', ARCHITECTURES)
def test_has_the_parameters_of_vitpose(arch):
    with torch.device('meta'):
        backbone = ViT(arch)
    shapes = {name: tuple(value.shape) for name, value in backbone.state_dict().items()}
    assert shapes == vitpose_backbone(arch, num_tokens=16 * 12)


@pytest.mark.parametrize(
    ('size', 'grid'), [((256, 192), (16, 12)), ((224, 168), (14, 10)), ((384, 288), (24, 18))]
)
def test_gives_one_map_on_the_patch_grid(size, grid):
    with torch.device('meta'):
        (features,) = ViT('tiny', img_size=size)(torch.zeros(2, 3, *size))
    assert features.shape == (2, 128, *grid)


def test_tokens_keep_their_place_in_the_grid():
    backbone = ViT('tiny', img_size=(64, 32), pos_embed_init='sine_cosine').eval()
    backbone.layers = nn.ModuleList()
    image = torch.zeros(1, 3, 64, 32)
    image[..., 33:46, 17:30] = 1
    changed = backbone(image)[0] - backbone(torch.zeros_like(image))[0]
    changed = changed.abs().sum(1)[0] > 1e-6
    assert changed.nonzero().tolist() == [[2, 1]]


def test_small_has_twelve_heads():
    with torch.device('meta'):
        assert ViT('small').layers[0].attn.num_heads == 12


def test_rejects_images_of_another_size():
    with pytest.raises(ValueError, match=r'expected images \[N, 3, 64, 32\], got \[1, 3, 32, 64\]'):
        ViT('tiny', img_size=(64, 32))(torch.zeros(1, 3, 32, 64))


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(arch='giant'), "arch must be one of .* got 'giant'"),
        (dict(patch_embed='conv'), "patch_embed must be one of .* got 'conv'"),
        (dict(pos_embed_init='zeros'), "pos_embed_init must be one of .* got 'zeros'"),
        (dict(patch_embed='conv_stem', img_size=(224, 168)), r'multiples of 16, got \(224, 168\)'),
    ],
)
def test_wrong_argument_is_named(kwargs, message):
    with pytest.raises(ValueError, match=message):
        ViT(**{'arch': 'tiny', **kwargs})


def test_conv_stem_has_the_grid_of_the_linear_embedding():
    images = torch.zeros(1, 3, 128, 96)
    stem = ViT('tiny', img_size=(128, 96), patch_embed='conv_stem')
    linear = ViT('tiny', img_size=(128, 96))
    assert stem(images)[0].shape == linear(images)[0].shape == (1, 128, 8, 6)


def test_drop_path_skips_branches_in_training_only():
    backbone = ViT('tiny', img_size=(32, 32), drop_path_rate=0.5)
    image = torch.ones(1, 3, 32, 32)
    with torch.no_grad():
        backbone.train()
        trained = {round(float(backbone(image)[0].abs().sum()), 3) for _ in range(20)}
        backbone.eval()
        tested = {round(float(backbone(image)[0].abs().sum()), 3) for _ in range(3)}
    assert len(trained) > 1
    assert len(tested) == 1


class TestPositionEmbedding:
    def test_resizing_keeps_every_position_in_its_place(self):
        rows = torch.arange(16.0)[:, None].expand(16, 12).reshape(1, 192, 1)
        fitted = fit_position_embedding(rows, (24, 18)).view(24, 18)
        # Cell centres: row r of 24 lies at (r + 0.5) * 16 / 24 - 0.5 of 16.
        expected = ((torch.arange(24) + 0.5) * 16 / 24 - 0.5)[:, None].expand(24, 18)
        torch.testing.assert_close(fitted[2:22], expected[2:22], atol=0.1, rtol=0)

    @pytest.mark.parametrize(
        ('stored', 'model', 'expected'),
        [
            (192, (16, 12), (16, 12, 0)),
            (197, (16, 12), (14, 14, 1)),
            (193, (24, 18), (16, 12, 1)),
            (140, (16, 12), (14, 10, 0)),
            (192, (14, 10), (16, 12, 0)),
            (256, (8, 8), (16, 16, 0)),
        ],
    )
    def test_grid_of_a_stored_embedding_is_inferred(self, stored, model, expected):
        assert infer_grid(stored, model) == expected

    def test_no_fitting_grid_is_an_error(self):
        with pytest.raises(ValueError, match='position embedding of 23 tokens fits no grid'):
            infer_grid(23, (16, 12))

    def test_is_resized_while_loading(self):
        small, large = ViT('tiny', img_size=(128, 96)), ViT('tiny', img_size=(256, 192))
        result = large.load_state_dict(small.state_dict(), strict=True)
        assert not result.missing_keys
        expected = fit_position_embedding(small.pos_embed.detach(), (16, 12))
        torch.testing.assert_close(large.pos_embed.detach(), expected)


class TestPruning:
    SETTINGS = dict(arch='tiny', img_size=(64, 48), pos_embed_init='sine_cosine')

    @pytest.fixture
    def images(self):
        return torch.randn(3, 3, 64, 48, generator=torch.Generator().manual_seed(1))

    @pytest.fixture
    def whole(self):
        torch.manual_seed(0)
        return ViT(**self.SETTINGS).eval()

    @pytest.fixture
    def pruned(self, whole):
        backbone = ViT(**self.SETTINGS, pruning=dict(after=3, keep=0.25)).eval()
        backbone.load_state_dict(whole.state_dict(), strict=False)
        return backbone

    def test_kept_tokens_pass_all_layers_and_the_others_the_first(self, whole, pruned, images):
        scores, features = pruned(images)
        assert scores.shape == (3, 12)
        assert features.shape == (3, 128, 4, 3)
        tokens = whole.patch_embed(images) + whole.pos_embed
        for layer in whole.layers[:3]:
            tokens = layer(tokens)
        torch.testing.assert_close(scores, pruned.pruning(tokens))
        for image, found in enumerate(features.flatten(2).transpose(1, 2)):
            kept = scores[image].argsort(descending=True)[:3]
            expected = tokens[image].clone()
            expected[kept] = whole.layers[3](tokens[image][kept][None])[0]
            torch.testing.assert_close(found, whole.ln1(expected))

    def test_gradients_reach_all_layers_and_not_the_scores(self, pruned, images):
        pruned(images)[-1].square().sum().backward()
        for layer in pruned.layers:
            assert layer.attn.qkv.weight.grad.abs().max() > 0
        assert all(parameter.grad is None for parameter in pruned.pruning.parameters())

    def test_recomputed_layers_give_the_same_gradients(self, pruned, images):
        gradients = []
        for recompute in (False, True):
            pruned.with_cp = recompute
            pruned.train().zero_grad()
            pruned(images)[-1].square().sum().backward()
            gradients.append(pruned.layers[3].ffn.layers[1].weight.grad.clone())
        torch.testing.assert_close(*gradients)

    @pytest.mark.parametrize('after', [0, 4, -1])
    def test_a_place_outside_the_layers_is_refused(self, after):
        with pytest.raises(InputError, match=f'one of the first 3 layers, got after={after}'):
            ViT(**self.SETTINGS, pruning=dict(after=after, keep=0.5))

    def test_other_settings_are_refused(self):
        with pytest.raises(InputError, match='pruning must have after and keep'):
            ViT(**self.SETTINGS, pruning=dict(after=2, share=0.5))
