from __future__ import annotations

import pytest
import torch

from stdpose_mm.errors import InputError
from stdpose_mm.models.layers.blocks import TransformerBlock
from stdpose_mm.models.necks import (
    AppearanceKeypointsSynthesis,
    KeyFrameFusion,
    TemporalFeatureFusion,
    TemporalKeypointsSynthesis,
)
from stdpose_mm.models.structures import AuxiliaryLabels
from support.model_samples import build, copy_block
from support.tiny_models import appearance_synthesis

TFF = dict(type='TemporalFeatureFusion', embed_dims=16, num_heads=2)
TKS = dict(type='TemporalKeypointsSynthesis', num_joints=5)


@pytest.fixture
def fusion(request) -> torch.nn.Module:
    """A fusion with random weights."""
    torch.manual_seed(0)
    fusion = request.param(16, 2, relative_time=True)
    for parameter in fusion.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return fusion.eval()


@pytest.mark.parametrize('fusion', [TemporalFeatureFusion, KeyFrameFusion], indirect=True)
class TestFusions:
    def test_every_frame_reaches_every_place(self, fusion):
        features = torch.randn(1, 3, 16, 4, 3, requires_grad=True)
        fused = fusion(features)
        assert fused.shape == (1, 16, 4, 3)
        fused[0, 0, 2, 1].backward()
        assert features.grad.abs().sum(2).min() > 0

    def test_tells_the_frames_apart(self, fusion):
        features = torch.randn(1, 3, 16, 4, 3)
        assert not torch.allclose(fusion(features), fusion(features.flip(1)), atol=1e-3)

    def test_relative_time_tells_where_the_key_frame_lies(self, fusion):
        features = torch.randn(1, 3, 16, 4, 3)
        near, far = (fusion(features, labels_at(position)) for position in (0.1, 0.8))
        assert not torch.allclose(near, far, atol=1e-3)
        torch.testing.assert_close(fusion(features), fusion(features, labels_at(0.5)))


class TestTemporalFeatureFusion:
    @pytest.mark.parametrize(('feature_size', 'vector'), [(None, 0), ((4, 3), 3 * 3 + 2)])
    def test_without_blocks_a_place_is_the_mlp_of_its_three_tokens(self, feature_size, vector):
        fusion = TemporalFeatureFusion(16, 2, num_blocks=0, feature_size=feature_size)
        features = torch.randn(2, 3, 16, 4, 3)
        fused = fusion(features)
        tokens = features[1, :, :, 3, 2] + fusion.frame_embed[0, :, vector]
        expected = fusion.aggregate(fusion.norm(tokens)[None, :, None])[0, 0]
        torch.testing.assert_close(fused[1, :, 3, 2], expected)

    def test_residual_form_starts_from_the_key_frames_feature(self):
        features = torch.randn(2, 3, 16, 4, 3)
        fused = TemporalFeatureFusion(16, 2, residual=True)(features)
        torch.testing.assert_close(fused, features[:, 1])


class TestKeyFrameFusion:
    def test_starts_from_the_key_frames_feature(self):
        features = torch.randn(2, 3, 16, 4, 3)
        torch.testing.assert_close(KeyFrameFusion(16, 2)(features), features[:, 1])

    @pytest.mark.parametrize('fusion', [KeyFrameFusion], indirect=True)
    def test_frames_projected_once_serve_all_windows(self, fusion):
        frames = torch.randn(5, 16, 4, 3)
        rows = torch.tensor([[0, 1, 2], [4, 2, 1], [3, 3, 0]])
        projections = fusion.project_frames(frames)
        assert len(projections) == 5
        torch.testing.assert_close(
            fusion(frames[rows], None, projections[rows]), fusion(frames[rows])
        )

    def test_one_block_equals_the_block_on_all_frames_without_the_embedding(self):
        fusion = KeyFrameFusion(16, 2)
        whole = TransformerBlock(16, 2)
        torch.nn.init.zeros_(fusion.frame_embed)
        copy_block(whole, fusion.blocks[0])
        features = torch.randn(2, 3, 16, 4, 3)
        tokens = features.flatten(3).transpose(2, 3).flatten(1, 2)
        expected = whole(tokens)[:, 12:24].transpose(1, 2).unflatten(2, (4, 3))
        torch.testing.assert_close(fusion(features), expected)


def labels_at(position: float, num_joints: int = 5) -> AuxiliaryLabels:
    """Labels that give nothing but the key frame's position."""
    return AuxiliaryLabels(
        torch.zeros(1, 2, num_joints, 16, 12),
        torch.zeros(1, 2, num_joints, dtype=torch.bool),
        torch.zeros(1, num_joints, 16, 12),
        torch.tensor([position]),
    )


class TestAppearanceKeypointsSynthesis:
    CFG = appearance_synthesis(5, 16, channels=12)

    @pytest.fixture
    def synthesis(self) -> AppearanceKeypointsSynthesis:
        torch.manual_seed(0)
        return build(self.CFG).eval()

    @pytest.fixture
    def window(self) -> dict[str, torch.Tensor]:
        torch.manual_seed(1)
        return dict(
            frame_heatmaps=torch.rand(1, 3, 5, 16, 12),
            features=torch.randn(1, 3, 16, 4, 3),
            fused_feature=torch.randn(1, 16, 4, 3),
        )

    def test_gives_the_feature_alone_to_a_head_that_reads_no_merged_maps(self, synthesis, window):
        _, expected = synthesis(**window, aux_labels=None)
        synthesis.synthesize = None
        maps, feature = synthesis(**window, aux_labels=None)
        assert maps is None
        assert torch.equal(feature, expected)

    @pytest.mark.parametrize('name', ['frame_heatmaps', 'features', 'fused_feature', 'aux_labels'])
    def test_reads_every_input(self, synthesis, window, name):
        window['aux_labels'] = labels_at(0.5)
        before, _ = synthesis(**window)
        if name == 'aux_labels':
            others = [labels_at(0.1), labels_at(0.5)._replace(prior=torch.rand(1, 5, 16, 12))]
        else:
            others = [window[name].roll(1, -1)]
        for other in others:
            after, _ = synthesis(**{**window, name: other})
            assert not torch.allclose(before, after, atol=1e-4)

    def test_without_labels_nothing_is_given_half_way(self, synthesis, window):
        without, _ = synthesis(**window, aux_labels=None)
        torch.testing.assert_close(without, synthesis(**window, aux_labels=labels_at(0.5))[0])

    def test_residual_blocks_follow_the_convolutions(self, synthesis, window):
        torch.manual_seed(0)
        wider = build({**self.CFG, 'dilations': (2,)}).eval()
        wider.load_state_dict(synthesis.state_dict(), strict=False)
        _, before = synthesis(**window, aux_labels=None)
        maps, feature = wider(**window, aux_labels=None)
        torch.testing.assert_close(feature, wider.blocks(before))
        torch.testing.assert_close(maps, wider.synthesize(feature))

    def test_refuses_a_neck_without_a_fused_feature(self, synthesis, window):
        with pytest.raises(InputError, match='configure a tff'):
            synthesis(**{**window, 'fused_feature': None}, aux_labels=None)


class TestTemporalKeypointsSynthesis:
    def test_joints_are_first_merged_one_by_one(self):
        synthesis = TemporalKeypointsSynthesis(num_joints=5).eval()
        by_joint = torch.randn(1, 15, 8, 6, requires_grad=True)
        merged = synthesis.merge_time(by_joint)
        assert merged.shape == (1, 10, 8, 6)
        merged[0, 4:6].square().sum().backward()  # joint 2
        touched = by_joint.grad.abs().sum((0, 2, 3)) > 0
        assert touched.nonzero().flatten().tolist() == [6, 7, 8]

    def test_channels_are_ordered_joint_by_joint(self):
        synthesis = TemporalKeypointsSynthesis(num_joints=5, use_prior=True).eval()
        seen = []
        synthesis.merge_time.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
        maps, prior = torch.rand(1, 3, 5, 8, 6), torch.rand(1, 5, 8, 6)
        synthesis(maps, labels_at(0.5)._replace(prior=prior))
        of_joint_two = torch.cat((maps[0, :, 2], prior[0, 2:3]))
        torch.testing.assert_close(seen[0][0, 8:12], of_joint_two)

    def test_prior_is_read_only_if_asked_for(self):
        maps, prior = torch.rand(2, 3, 5, 8, 6), torch.rand(2, 5, 8, 6)
        without = TemporalKeypointsSynthesis(num_joints=5).eval()
        with_prior = TemporalKeypointsSynthesis(num_joints=5, use_prior=True).eval()
        aux_labels = labels_at(0.5)._replace(prior=prior)
        torch.testing.assert_close(without(maps, aux_labels), without(maps))
        assert not torch.allclose(with_prior(maps, aux_labels)[0], with_prior(maps)[0])

    def test_missing_prior_is_an_empty_map(self):
        synthesis = TemporalKeypointsSynthesis(num_joints=5, use_prior=True).eval()
        maps = torch.rand(2, 3, 5, 8, 6)
        empty = labels_at(0.5)._replace(prior=torch.zeros(2, 5, 8, 6))
        torch.testing.assert_close(synthesis(maps), synthesis(maps, empty))


class TestSTRE:
    @pytest.mark.parametrize('tff', [None, TFF])
    @pytest.mark.parametrize('tks', [None, TKS])
    def test_each_part_may_be_left_out(self, tff, tks):
        neck = build(dict(type='STRE', tff=tff, tks=tks))
        features, maps = torch.randn(2, 3, 16, 4, 3), torch.rand(2, 3, 5, 8, 6)
        result = neck(features, maps)
        assert (result.fused_feature is None) == (tff is None)
        assert (result.merged_heatmaps is None) == (tks is None)
        torch.testing.assert_close(result.frame_feature, features[:, 1])

    def test_hands_over_what_was_projected_frame_by_frame(self):
        light = dict(type='KeyFrameFusion', embed_dims=16, num_heads=2)
        neck, other = (build(dict(type='STRE', tff=tff)) for tff in (light, TFF))
        features = torch.randn(2, 3, 16, 4, 3)
        torch.nn.init.normal_(neck.tff.blocks[0].attn.proj.weight)
        projections = neck.project_frames(features.flatten(0, 1)).unflatten(0, (2, 3))
        expected = neck(features).fused_feature
        torch.testing.assert_close(neck(features, None, None, projections)[1], expected)
        assert not torch.allclose(neck(features, None, None, projections * 2)[1], expected)
        assert other.project_frames(features.flatten(0, 1)) is None

    def test_merging_needs_heatmaps(self):
        with pytest.raises(ValueError, match='tks needs the heatmaps of a frame_head'):
            build(dict(type='STRE', tks=TKS))(torch.randn(2, 3, 16, 4, 3))
