"""Queries of joints: what they read, and the neck and models made with them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from research.joint_queries.joint_query_fusion import JointQueryFusion
from support.model_samples import appearance_cfg, build, let_every_input_show, window_batch

NECK = dict(type='JointQuerySTRE', queries=dict(num_joints=15, embed_dims=128, num_heads=4))


@pytest.fixture
def fusion() -> JointQueryFusion:
    """With weights as if it had been trained, in place of the initial zeros."""
    return let_every_input_show(JointQueryFusion(5, 16, num_heads=2))


def window(num_frames: int = 3) -> list[Tensor]:
    features, maps = torch.randn(2, num_frames, 16, 4, 3), torch.rand(2, num_frames, 5, 16, 12)
    return [features, torch.randn(2, 16, 4, 3), maps, torch.linspace(-0.4, 0.6, num_frames)[None]]


def test_reads_an_auxiliary_frame_under_the_map_of_a_joint_alone(fusion):
    features, key_feature, maps, times = window()
    maps[:, ::2] = 0
    # The token in row 2, column 1 of the left frame.
    maps[:, 0, 3, 9, 6] = 1.0
    expected, _ = fusion(features, key_feature, maps, times)
    for frame, row, column, is_read in ((0, 2, 1, True), (0, 2, 2, False), (2, 2, 1, False)):
        other = features.clone()
        other[:, frame, :, row, column] += torch.randn(16)
        difference = (fusion(other, key_feature, maps, times)[0] - expected).abs().max()
        assert (difference > 1e-4) == is_read


@pytest.mark.parametrize('num_frames', [2, 3, 5])
def test_joints_in_another_order_are_maps_in_that_order(fusion, num_frames):
    (features, key_feature, maps, times), order = window(num_frames), [3, 0, 4, 1, 2]
    feature, changed = fusion(features, key_feature, maps, times)
    fusion.query_embed.data = fusion.query_embed.data[:, order]
    same, permuted = fusion(features, key_feature, maps[:, :, order], times)
    torch.testing.assert_close(same, feature)
    torch.testing.assert_close(permuted, changed[:, :, order])


def test_a_frame_is_read_with_its_time(fusion):
    features, key_feature, maps, times = window()
    # The queries are the same with the times exchanged, as both frames have the same maps.
    maps[:, 2] = maps[:, 0]
    one, other = (fusion(features, key_feature, maps, t)[1] for t in (times, times.flip(1)))
    assert (one - other).abs().max() > 1e-4


def test_starts_as_the_neck_without_and_learns_to_change_the_feature():
    plain = appearance_cfg()['neck']
    plain['tff']['num_frames'] = plain['tks']['num_frames'] = 5
    features, maps = torch.randn(2, 5, 128, 8, 6), torch.rand(2, 5, 15, 32, 24)
    neck = build({**plain, **NECK}).eval()
    start = neck(features, maps)
    torch.testing.assert_close(start[:5], build(plain).eval()(features, maps)[:5])
    let_every_input_show(neck.queries)
    assert (neck(features, maps).fused_feature - start.fused_feature).abs().max() > 1e-4


def test_alone_they_change_the_feature_of_the_key_frame():
    neck = let_every_input_show(build(NECK)).eval()
    features, maps = torch.randn(2, 3, 128, 8, 6), torch.rand(2, 3, 15, 32, 24)
    found = neck(features, maps)
    assert found.merged_heatmaps is None
    other = features.clone()
    other[:, 0] += torch.randn(128, 8, 6)
    assert (found.fused_feature - features[:, 1]).abs().max() > 1e-4
    assert (neck(other, maps).fused_feature - found.fused_feature).abs().max() > 1e-4


@pytest.mark.slow
@pytest.mark.parametrize('give', [True, False], ids=['propagation', 'estimation'])
def test_whole_models_train_and_predict(give):
    cfg = appearance_cfg()
    cfg['neck'].update(NECK)
    model = let_every_input_show(build(cfg)).train()
    data = model.data_preprocessor(window_batch(2, give=give), training=True)
    model.parse_losses(model(**data, mode='loss'))[0].backward()
    gradients = [parameter.grad for parameter in model.neck.queries.parameters()]
    assert all(gradient.isfinite().all() and gradient.any() for gradient in gradients)
    samples = model.eval().test_step(window_batch(2, give=give))
    assert samples[1].pred_instances.keypoints.shape == (1, 15, 2)
