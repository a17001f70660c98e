from __future__ import annotations

import pytest
import torch

from stdpose_mm.models.structures import SpatioTemporalRepresentation
from support.model_samples import build, let_every_input_show

JOINTS, DIMS = 5, 16
MUTUAL = {'type': 'SpatialMotionMutualLearning', 'embed_dims': DIMS, 'num_heads': 2}
CONCATENATION = {'type': 'SpatialMotionConcatenation', 'embed_dims': DIMS}


def head(fusion: dict, merged_channels: int | None = None) -> torch.nn.Module:
    return build(
        {
            'type': 'SpatialMotionHead',
            'fusion': fusion,
            'merged_channels': merged_channels,
            'in_channels': DIMS,
            'out_channels': JOINTS,
            'deconv_out_channels': (8, 8),
            'deconv_kernel_sizes': (4, 4),
        }
    ).eval()


def representation() -> SpatioTemporalRepresentation:
    torch.manual_seed(3)
    return SpatioTemporalRepresentation(
        frame_feature=torch.randn(2, DIMS, 4, 3), fused_feature=torch.randn(2, DIMS, 4, 3)
    )


@pytest.mark.parametrize('fusion', [MUTUAL, CONCATENATION])
class TestSpatialMotionHead:
    @pytest.mark.parametrize('field', ['frame_feature', 'fused_feature'])
    def test_reads_both_features(self, fusion, field):
        network, feats = head(fusion), representation()
        changed = feats._replace(**{field: torch.randn(2, DIMS, 4, 3)})
        torch.nn.init.normal_(network.final_layer.weight)
        assert not torch.allclose(network(changed), network(feats), atol=1e-3)

    def test_starts_from_empty_heatmaps(self, fusion):
        network = head(fusion)
        network.init_weights()
        assert network(representation()).abs().max() < 0.05

    def test_needs_a_motion_feature(self, fusion):
        feats = representation()._replace(fused_feature=None)
        with pytest.raises(ValueError, match='needs a neck with a motion feature, use MLSME'):
            head(fusion)(feats)


class TestFullResolutionPath:
    @pytest.fixture
    def network(self) -> torch.nn.Module:
        return let_every_input_show(head(MUTUAL, merged_channels=6))

    @pytest.fixture
    def feats(self) -> SpatioTemporalRepresentation:
        return representation()._replace(merged_feature=torch.rand(2, 6, 16, 12))

    def test_joins_the_motion_feature(self, network, feats):
        network.feature_embed.weight.data.zero_()
        without = network(feats)
        torch.nn.init.ones_(network.feature_embed.weight)
        # Every 4x4 pixels of the six channels add their sum to all channels of their place.
        total = feats.merged_feature.sum(1).unflatten(2, (3, 4)).unflatten(1, (4, 4)).sum((2, 4))
        joined = network(feats)
        network.feature_embed.weight.data.zero_()
        moved = feats._replace(fused_feature=feats.fused_feature + total[:, None])
        # The sums are added in another order.
        torch.testing.assert_close(joined, network(moved), rtol=1e-4, atol=1e-4)
        assert not torch.allclose(joined, without, atol=1e-2)

    def test_needs_a_merged_feature(self, network):
        with pytest.raises(ValueError, match='needs a neck with a merged feature'):
            network(representation())

    def test_a_merged_feature_that_nothing_reads_is_refused(self, feats):
        with pytest.raises(ValueError, match=r'nothing reads .* set merged_channels'):
            head(MUTUAL)(feats)


@pytest.mark.parametrize('fusion', [MUTUAL, CONCATENATION])
def test_starts_as_the_mean_of_both_features(fusion):
    spatial, motion = torch.randn(2, DIMS, 4, 3), torch.randn(2, DIMS, 4, 3)
    torch.testing.assert_close(build(fusion)(spatial, motion), (spatial + motion) / 2)


def test_mutual_learning_is_dense():
    fusion = let_every_input_show(build(MUTUAL))
    spatial = torch.randn(1, DIMS, 4, 3, requires_grad=True)
    motion = torch.randn(1, DIMS, 4, 3, requires_grad=True)
    fusion(spatial, motion)[0, :, 1, 1].sum().backward()
    for feature in (spatial, motion):
        assert (feature.grad.abs().sum(1) > 0).all()


def test_places_are_mixed_with_weights_that_sum_to_one():
    fusion = build({**MUTUAL, 'num_blocks': 0})
    torch.nn.init.normal_(fusion.weigh.weight)
    spatial, motion = torch.randn(1, DIMS, 4, 3), torch.randn(1, DIMS, 4, 3)
    mixed = fusion(spatial, motion)
    for row, column in ((0, 0), (3, 2)):
        one, other = spatial[0, :, row, column], motion[0, :, row, column]
        normed = torch.cat((fusion.norm_spatial(one), fusion.norm_motion(other)))
        weights = torch.softmax(fusion.weigh(normed), dim=0)
        expected = weights[0] * one + weights[1] * other
        torch.testing.assert_close(mixed[0, :, row, column], expected)


def test_concatenation_is_one_product_of_both():
    fusion = let_every_input_show(build(CONCATENATION))
    spatial, motion = torch.randn(1, DIMS, 4, 3), torch.randn(1, DIMS, 4, 3)
    both = torch.cat((spatial, motion), dim=1)[0, :, 2, 1]
    expected = fusion.project.weight[:, :, 0, 0] @ both + fusion.project.bias
    torch.testing.assert_close(fusion(spatial, motion)[0, :, 2, 1], expected)
