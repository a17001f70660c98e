from __future__ import annotations

import pytest
import torch

from stdpose_mm.errors import InputError
from stdpose_mm.models.layers.mkldnn_layers import optimize_for_cpu
from stdpose_mm.models.structures import SpatioTemporalRepresentation
from support.model_samples import build

JOINTS, DIMS = 5, 16
HEATMAP_HEAD = dict(
    in_channels=DIMS, out_channels=JOINTS, deconv_out_channels=(8, 8), deconv_kernel_sizes=(4, 4)
)


def stda(
    mask: dict | None = None,
    feature_size: tuple[int, int] = (4, 3),
    merged_channels: int | None = None,
    **changes: object,
) -> torch.nn.Module:
    head = dict(type='STDAHead', feature_size=feature_size, num_heads=2, mask=mask)
    return build({**head, **HEATMAP_HEAD, 'merged_channels': merged_channels, **changes}).eval()


def representation(grid: tuple[int, int] = (4, 3)) -> SpatioTemporalRepresentation:
    torch.manual_seed(3)
    rows, columns = grid
    return SpatioTemporalRepresentation(
        frame_feature=torch.randn(2, DIMS, rows, columns),
        fused_feature=torch.randn(2, DIMS, rows, columns),
        frame_heatmaps=torch.rand(2, 3, JOINTS, 4 * rows, 4 * columns),
        merged_heatmaps=torch.rand(2, JOINTS, 4 * rows, 4 * columns),
    )


MASK = dict(type='DynamicAwareMask', num_joints=JOINTS, normalization='mean')


class TestSTDAHead:
    def test_reads_the_fused_feature_and_the_merged_heatmaps(self):
        head, feats = stda(), representation()
        result = head(feats)
        for field in ('fused_feature', 'merged_heatmaps'):
            changed = feats._replace(**{field: torch.rand_like(getattr(feats, field))})
            assert not torch.allclose(head(changed), result, atol=1e-4)

    @pytest.mark.parametrize(('mask', 'reads'), [(None, False), (MASK, True)])
    def test_reads_the_motion_through_the_mask_only(self, mask, reads):
        head, feats = stda(mask), representation()
        changed = feats._replace(frame_heatmaps=feats.frame_heatmaps.roll(3, -1))
        assert torch.allclose(head(changed), head(feats), atol=1e-6) != reads

    def test_path_at_full_resolution_reads_single_pixels(self):
        head = stda(merged_channels=6)
        feats = representation()._replace(merged_feature=torch.rand(2, 6, 16, 12))
        head.feature_embed.weight.data.zero_()
        torch.nn.init.normal_(head.final_layer.weight)
        changed = feats.merged_feature.clone()
        changed[0, :, 5, 7] += 1
        moved = (head(feats._replace(merged_feature=changed)) - head(feats)).abs().sum(1)
        # A 3x3 convolution, and no token, carries the change.
        assert moved[0, 4:7, 6:9].sum() > 0
        moved[0, 4:7, 6:9] = 0
        assert not moved.any()

    @pytest.mark.parametrize('decoder', [{}, {'deconv_out_channels': None, 'upsample': 4}])
    def test_path_at_full_resolution_may_end_wider(self, decoder):
        head = stda(merged_channels=6, refine_channels=20, **decoder)
        assert head.refine[0].out_channels == head.final_layer.in_channels == 20
        assert head.to_heatmaps(torch.randn(2, DIMS, 4, 3), torch.rand(2, 6, 16, 12)).shape == (
            (2, JOINTS, 16, 12)
        )

    def test_only_a_path_at_full_resolution_can_be_widened(self):
        with pytest.raises(InputError, match=r'refine_channels=20 .* set merged_channels too'):
            stda(refine_channels=20)

    def test_tokens_read_the_merged_feature(self):
        head = stda(merged_channels=6)
        feats = representation()._replace(merged_feature=torch.rand(2, 6, 16, 12))
        torch.nn.init.normal_(head.final_layer.weight)
        changed = feats.merged_feature.clone()
        changed[0, :, 0, 0] += 1
        moved = (head(feats._replace(merged_feature=changed)) - head(feats)).abs().sum(1)
        assert moved[0, 8:, 6:].max() > 0

    def test_path_at_full_resolution_needs_a_merged_feature(self):
        with pytest.raises(ValueError, match='needs a neck with a merged feature'):
            stda(merged_channels=6)(representation())

    def test_needs_both_modules_of_the_neck(self):
        with pytest.raises(ValueError, match='needs a neck with both tff and tks'):
            stda()(representation()._replace(fused_feature=None))

    def test_needs_heatmaps_of_its_size(self):
        with pytest.raises(ValueError, match=r'size \(16, 12\), got \(24, 16\)'):
            stda()(representation((6, 4)))

    def test_loads_into_another_input_size(self):
        small, large = stda(MASK), stda(MASK, feature_size=(8, 6))
        large.load_state_dict(small.state_dict(), strict=True)
        assert large(representation((8, 6))).shape == (2, JOINTS, 32, 24)
        corner = large.pos_embed[0, 0] - small.pos_embed[0, 0]
        assert corner.abs().max() < 0.2

    def test_starts_with_empty_maps_and_audible_embedding(self):
        head = stda(MASK)
        head.init_weights()
        assert head.final_layer.weight.std() < 0.002
        assert head.patch_embed.weight.std() > 0.02
        assert head(representation()).abs().max() < 0.05


SIMPLE = dict(in_channels=DIMS, out_channels=JOINTS, deconv_out_channels=None, upsample=4)


class TestSimpleDecoder:
    def test_gives_what_mmposes_simple_form_gives(self):
        ours = build(dict(type='FrameHead', **SIMPLE))
        rescale = build(dict(type='FeatureMapProcessor', scale_factor=4.0, apply_relu=True))
        theirs = build(
            dict(
                type='HeatmapHead',
                in_channels=DIMS,
                out_channels=JOINTS,
                deconv_out_channels=[],
                deconv_kernel_sizes=[],
                final_layer=dict(kernel_size=3, padding=1),
            )
        )
        torch.nn.init.normal_(theirs.final_layer.weight)
        torch.nn.init.normal_(theirs.final_layer.bias)
        ours.load_state_dict(theirs.state_dict(), strict=True)
        feats = (torch.randn(2, DIMS, 4, 3),)
        torch.testing.assert_close(ours(feats), theirs(rescale(feats)), atol=1e-5, rtol=1e-5)

    def test_stda_may_have_fewer_tokens(self):
        head = stda(
            feature_size=(2, 2), patch_size=8, deconv_out_channels=None, upsample=8, num_blocks=1
        )
        feats = representation((4, 4))
        assert head.pos_embed.shape[1] == 4
        assert head(feats).shape == (2, JOINTS, 16, 16)

    def test_path_at_full_resolution_is_joined_after_upsampling(self):
        head = stda(merged_channels=6, deconv_out_channels=None, upsample=4)
        torch.nn.init.normal_(head.final_layer.weight)
        torch.nn.init.normal_(head.refine[1].running_mean)
        feature, merged = torch.randn(2, DIMS, 4, 3), torch.rand(2, 6, 16, 12)
        fine = torch.nn.functional.interpolate(feature.relu(), scale_factor=4, mode='bilinear')
        expected = head.final_layer(head.refine(torch.cat((fine, merged), dim=1)))
        found = head.to_heatmaps(feature, merged)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)

    def test_one_pixel_of_kernel_is_enough_packed_or_not(self):
        head = build(dict(type='FrameHead', **SIMPLE, final_layer=dict(kernel_size=1))).eval()
        torch.nn.init.normal_(head.final_layer.weight)
        feature = torch.randn(2, DIMS, 4, 3)
        fine = torch.nn.functional.interpolate(feature.relu(), scale_factor=4, mode='bilinear')
        expected = head.final_layer(fine)
        torch.testing.assert_close(head((feature,)), expected, atol=1e-5, rtol=1e-5)
        with torch.inference_mode():
            optimize_for_cpu(head)
            torch.testing.assert_close(head((feature,)), expected, atol=1e-5, rtol=1e-5)

    @pytest.mark.parametrize(
        'changes',
        [
            {'final_layer': None},
            {'deconv_out_channels': (8, 8)},
            {'conv_out_channels': (8,), 'conv_kernel_sizes': (3,)},
            {'upsample': 0},
        ],
    )
    def test_is_an_alternative_to_other_decoders(self, changes):
        with pytest.raises(
            InputError, match=r'upsample=\d must be at least 1, needs a final_layer'
        ):
            build(dict(type='FrameHead', **{**SIMPLE, **changes}))

    def test_sub_pixel_decoder_gives_every_place_the_pixels_of_its_patch(self):
        head = build(dict(type='FrameHead', **SIMPLE, shuffle_channels=6)).eval()
        torch.nn.init.normal_(head.final_layer.weight)
        torch.nn.init.normal_(head.deconv_layers[0].weight)
        feature = torch.randn(1, DIMS, 4, 3)
        changed = feature.clone()
        changed[0, :, 1, 2] += 1
        moved = (head((changed,)) - head((feature,))).abs().sum(1)[0]
        # Its own 4x4 pixels, and those that a 3x3 convolution sees them from.
        patch = moved[3:9, 7:12]
        assert (patch > 0).all()
        assert patch[1:-1, 1:].std() > 0
        patch.zero_()
        assert not moved.any()

    def test_sub_pixel_decoder_needs_a_factor(self):
        with pytest.raises(InputError, match='shuffle_channels=6 needs upsample'):
            build(dict(type='FrameHead', **{**SIMPLE, 'upsample': None}, shuffle_channels=6))

    def test_gives_float32_under_autocast(self):
        head = build(dict(type='FrameHead', **SIMPLE))
        with torch.autocast('cpu', torch.bfloat16):
            assert head((torch.randn(2, DIMS, 4, 3),)).dtype == torch.float32


@pytest.mark.parametrize('source', ['frame_feature', 'fused_feature'])
def test_single_source_head_decodes_a_feature(source):
    head = build(dict(type='SingleSourceHead', source=source, **HEATMAP_HEAD)).eval()
    feats = representation()
    result = head(feats)
    assert result.shape == (2, JOINTS, 16, 12)
    others = {name: None for name in feats._fields if name != source}
    torch.testing.assert_close(head(feats._replace(**others)), result)


def test_single_source_head_maps_merged_heatmaps_by_one_convolution():
    head = build(
        dict(
            type='SingleSourceHead',
            source='merged_heatmaps',
            in_channels=JOINTS,
            out_channels=JOINTS,
            deconv_out_channels=None,
        )
    )
    feats = representation()
    expected = torch.einsum(
        'oi,nihw->nohw', head.final_layer.weight[..., 0, 0], feats.merged_heatmaps
    )
    expected = expected + head.final_layer.bias[:, None, None]
    torch.testing.assert_close(head(feats), expected)


def test_single_source_head_names_a_missing_source():
    head = build(dict(type='SingleSourceHead', source='fused_feature', **HEATMAP_HEAD))
    with pytest.raises(ValueError, match="does not provide 'fused_feature'"):
        head(representation()._replace(fused_feature=None))
    with pytest.raises(ValueError, match=r"source must be one of .* got 'fused'"):
        build(dict(type='SingleSourceHead', source='fused', **HEATMAP_HEAD))
