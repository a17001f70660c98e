"""PoseWarper and DCPose as necks, and the models made of them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from research.baselines.dcpose import PoseResidualFusion, PoseTemporalMerger
from stdpose_mm.labelling.propagation.window import method_of
from stdpose_mm.models.structures import AuxiliaryLabels
from support.model_samples import NUM_JOINTS, build, maps_head, tiny_cfg, window_batch

NECKS: dict[str, dict[str, Any]] = {
    'posewarper': {
        'type': 'PoseWarping',
        'embed_dims': 128,
        'num_joints': NUM_JOINTS,
        'dilations': (1, 4),
    },
    'dcpose': {'type': 'DualConsecutive', 'num_joints': NUM_JOINTS, 'dilations': (1, 4)},
}


def model_of(name: str) -> Any:
    cfg = tiny_cfg()
    return build({**cfg, 'neck': NECKS[name], 'head': maps_head(cfg)})


def given_of(position: float, num_joints: int = NUM_JOINTS) -> AuxiliaryLabels:
    return AuxiliaryLabels(
        heatmaps=torch.zeros(1, 2, num_joints, 32, 24),
        mask=torch.zeros(1, 2, num_joints, dtype=torch.bool),
        prior=torch.zeros(1, num_joints, 32, 24),
        position=torch.tensor([position]),
    )


@pytest.fixture(params=NECKS)
def neck(request: pytest.FixtureRequest) -> Any:
    return build(NECKS[request.param]).eval()


@pytest.fixture(params=NECKS)
def model(request: pytest.FixtureRequest) -> Any:
    return model_of(request.param)


class TestBoth:
    def test_give_one_map_per_joint_and_window(self, neck):
        maps = torch.rand(2, 3, NUM_JOINTS, 32, 24)
        result = neck(torch.randn(2, 3, 128, 8, 6), maps)
        assert result.merged_heatmaps.shape == (2, NUM_JOINTS, 32, 24)

    @pytest.mark.slow
    def test_the_loss_reaches_every_parameter(self, model):
        losses = model.loss(**model.data_preprocessor(window_batch(2), True))
        sum(losses.values()).backward()
        without = [
            name
            for name, value in model.named_parameters()
            if value.grad is None or not value.grad.any()
        ]
        assert not without


class TestPoseWarping:
    def test_given_maps_pass_where_nothing_is_seen_to_move(self):
        """Zero offsets: the mean of the left map, 1 at one place, and the right, 3 at another."""
        neck = build(NECKS['posewarper']).eval()
        for motion in neck.warp.motions:
            torch.nn.init.zeros_(motion.weight)
        maps = torch.zeros(1, 3, NUM_JOINTS, 32, 24)
        maps[0, 0, 4, 10, 5], maps[0, 1, 4, 1, 1], maps[0, 2, 4, 20, 7] = 1, 7, 3
        merged = neck(torch.randn(1, 3, 128, 8, 6), maps).merged_heatmaps.detach()
        assert merged[0, 4, 10, 5] == pytest.approx(0.5)
        assert merged[0, 4, 20, 7] == pytest.approx(1.5)
        assert merged.sum() == pytest.approx(2, abs=1e-4)

    def test_motion_is_read_from_the_difference_of_features(self):
        neck = build(NECKS['posewarper']).eval()
        for motion in neck.warp.motions:
            torch.nn.init.normal_(motion.weight, std=0.1)
        features, maps = torch.randn(1, 3, 128, 8, 6), torch.rand(1, 3, NUM_JOINTS, 32, 24)
        merged = neck(features, maps).merged_heatmaps
        torch.testing.assert_close(
            neck(features + torch.randn(128, 8, 6), maps).merged_heatmaps, merged, atol=1e-3, rtol=0
        )
        moved = features.clone()
        moved[:, 0] += torch.randn(128, 8, 6)
        assert not torch.allclose(neck(moved, maps).merged_heatmaps, merged, atol=1e-2)


class TestDualConsecutive:
    def test_the_merger_weighs_frames_by_nearness_joint_by_joint(self):
        merger = PoseTemporalMerger(2, joint_channels=3)
        seen = []
        merger.merge.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
        maps = torch.rand(1, 3, 2, 8, 6)
        merger(maps, torch.tensor([[0.75, 0.25]]))
        left, key, right = maps[0]
        expected = [0.75 * left[0], key[0], 0.25 * right[0]]
        expected += [0.75 * left[1], key[1], 0.25 * right[1]]
        torch.testing.assert_close(seen[0][0], torch.stack(expected))

    def test_residuals_are_taken_in_time_order_and_weighted(self):
        fusion = PoseResidualFusion(2, channels=4)
        seen = []
        fusion.fuse.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
        joints = torch.tensor([[1.0, 0.0], [3.0, 4.0], [11.0, 0.0]])
        maps = joints[None, :, :, None, None].expand(1, 3, 2, 8, 6)
        fusion(maps, torch.tensor([[0.75, 0.25]]))
        assert seen[0][0, :, 0, 0].tolist() == [2, 8, 1.5, 2, 4, -4, 3, -1]

    def test_reads_where_the_key_frame_lies(self):
        neck = build(NECKS['dcpose']).eval()
        features, maps = torch.randn(1, 3, 128, 8, 6), torch.rand(1, 3, NUM_JOINTS, 32, 24)
        near_left, half_way, unknown = (
            neck(features, maps, given).merged_heatmaps
            for given in (given_of(0.1), given_of(0.5), None)
        )
        assert not torch.allclose(near_left, half_way, atol=1e-4)
        torch.testing.assert_close(half_way, unknown)


def test_a_model_says_which_method_it_is_of():
    for method in NECKS:
        assert method_of(type(model_of(method).neck)) == method
