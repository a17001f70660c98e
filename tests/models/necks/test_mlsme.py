from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from stdpose_mm.models.necks import MLSME
from stdpose_mm.models.necks.mlsme_parts import SpaceTimeMasks
from stdpose_mm.models.structures import AuxiliaryLabels
from support.model_samples import build, let_every_input_show
from support.tiny_models import CODEC, appearance_synthesis, semantic_motion, stdpose_cfg

JOINTS, DIMS, GRID = 5, 16, (4, 3)
PLACES = GRID[0] * GRID[1]


BASE = stdpose_cfg(JOINTS, CODEC, DIMS, deconv=(8, 8))


def cfg(**overrides: Any) -> dict[str, Any]:
    return semantic_motion(JOINTS, base=BASE, **{'tube_ratio': 0.25, **overrides})['neck']


TKS = appearance_synthesis(JOINTS, DIMS, channels=12)
POSE_EMBED = {'type': 'GivenPoseEmbedding', 'num_joints': JOINTS, 'embed_dims': DIMS}


@pytest.fixture
def neck() -> MLSME:
    return let_every_input_show(build(cfg()).eval())


def features(num_windows: int = 2) -> torch.Tensor:
    return torch.randn(num_windows, 3, DIMS, *GRID, generator=torch.Generator().manual_seed(4))


def labels(num_windows: int = 2) -> AuxiliaryLabels:
    generator = torch.Generator().manual_seed(5)
    rows, columns = 4 * GRID[0], 4 * GRID[1]
    return AuxiliaryLabels(
        heatmaps=torch.rand(num_windows, 2, JOINTS, rows, columns, generator=generator),
        mask=torch.ones(num_windows, 2, JOINTS, dtype=torch.bool),
        prior=torch.rand(num_windows, JOINTS, rows, columns, generator=generator),
        position=torch.full((num_windows,), 0.5),
    )


def fixed_tube(num_windows: int = 2) -> torch.Tensor:
    """Two places are hidden, one in the first two frames, one in the last two."""
    tubes = torch.zeros(num_windows, 3, PLACES, dtype=torch.bool)
    tubes[:, :2, 4] = True
    tubes[:, 1:, 7] = True
    return tubes


def changed_at(values: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
    """Other features at the hidden places of [N, T, D, h', w']."""
    by_place = hidden.unflatten(2, GRID)[:, :, None]
    return torch.where(by_place, values * 3 + 10, values)


class TestMasks:
    def test_what_lies_under_a_tube_changes_nothing(self, neck):
        neck.train()
        masks = SpaceTimeMasks(tubes=fixed_tube())
        before = neck(features(), masks=masks)
        after = neck(changed_at(features(), masks.tubes), masks=masks)
        torch.testing.assert_close(after.fused_feature, before.fused_feature, atol=0, rtol=0)
        reconstructed = after.reconstruction.tubes.reconstructed
        torch.testing.assert_close(
            reconstructed, before.reconstruction.tubes.reconstructed, atol=0, rtol=0
        )

    @pytest.mark.parametrize(('frame', 'place'), [(0, 4), (0, 7), (2, 4), (2, 7)])
    def test_what_lies_beside_it_does(self, neck, frame, place):
        tubes = fixed_tube()
        masks = SpaceTimeMasks(tubes=tubes)
        other = torch.zeros_like(tubes)
        other[:, frame, place] = True
        after = neck(changed_at(features(), other), masks=masks).fused_feature
        before = neck(features(), masks=masks).fused_feature
        assert torch.equal(after, before) == bool(tubes[0, frame, place])

    def test_given_labels_under_a_tube_stay_visible(self):
        neck = let_every_input_show(build(cfg(pose_embed=POSE_EMBED)).eval())
        tubes = torch.zeros(2, 3, PLACES, dtype=torch.bool)
        tubes[:, 0, 4] = True  # row 1, column 1: heatmap pixels 4..7 in both directions
        given = labels()
        moved = given._replace(heatmaps=given.heatmaps.clone())
        moved.heatmaps[:, 0, :, 4:8, 4:8] += 1

        def motion(labels: AuxiliaryLabels, masks: SpaceTimeMasks | None) -> torch.Tensor:
            return neck(features(), None, labels, masks).fused_feature

        masks = SpaceTimeMasks(tubes)
        assert not torch.allclose(motion(given, masks), motion(moved, masks), atol=1e-4)

    def test_given_labels_of_a_hidden_frame_stay_visible(self):
        neck = let_every_input_show(build(cfg(pose_embed=POSE_EMBED)).eval())
        masks = SpaceTimeMasks(frames=torch.tensor([[True, False, False]] * 2))
        given = labels()
        # If patch blocks do nothing, nothing of the frame reaches the others but by its own tokens.
        neck.joint_blocks = neck.divided_blocks = torch.nn.ModuleList([torch.nn.Identity()])
        moved = given._replace(heatmaps=given.heatmaps.clone())
        moved.heatmaps[:, 0] += 1
        before = neck(features(), None, given, masks).fused_feature
        after = neck(features(), None, moved, masks).fused_feature
        assert not torch.allclose(before, after, atol=1e-4)

    def test_tokens_of_a_hidden_frame_do_not_reach_the_frame_level(self, neck):
        frames = torch.tensor([[False, True, False], [True, False, False]])
        tokens = features().flatten(3).transpose(2, 3)
        neck.joint_blocks = neck.divided_blocks = torch.nn.ModuleList([torch.nn.Identity()])
        other = torch.where(frames[..., None, None], tokens + 5, tokens)
        masks = SpaceTimeMasks(frames=frames)
        assert torch.equal(neck.encode(tokens, masks)[1], neck.encode(other, masks)[1])
        assert not torch.equal(neck.encode(tokens, None)[1], neck.encode(other, None)[1])

    def test_a_hidden_token_keeps_its_position(self, neck):
        blocks = torch.nn.ModuleList([torch.nn.Identity()])
        neck.joint_blocks = neck.divided_blocks = neck.frame_blocks = blocks
        tokens = features().flatten(3).transpose(2, 3)
        by_patches, _ = neck.encode(tokens, SpaceTimeMasks(tubes=fixed_tube()))
        expected = neck.tube_token[0, 0, 0] + neck.place_embed[0, 0, 7] + neck.frame_embed[0, 2, 0]
        torch.testing.assert_close(by_patches[1, 2, 7], expected)
        visible = tokens[1, 2, 6] + neck.place_embed[0, 0, 6] + neck.frame_embed[0, 2, 0]
        torch.testing.assert_close(by_patches[1, 2, 6], visible)

    def test_the_key_frames_own_feature_is_never_hidden(self, neck):
        frames = torch.tensor([[False, True, False]] * 2)
        result = neck(features(), masks=SpaceTimeMasks(fixed_tube(), frames))
        assert torch.equal(result.frame_feature, features()[:, 1])

    def test_draws_what_is_configured(self):
        masks = build(cfg(masked_share=0.5)).sample_masks(8)
        hidden = masks.tubes.any(1).sum(1)
        assert sorted(hidden.tolist()) == [0] * 4 + [3] * 4  # a quarter of 12 places
        assert torch.equal(masks.tubes.flatten(1).any(1), masks.frames.any(1))
        assert sorted(masks.frames.sum(1).tolist()) == [0] * 4 + [1] * 4

    @pytest.mark.parametrize(
        ('number', 'share', 'expected'), [(3, 0.5, 2), (8, 1.0, 8), (1, 0.1, 1)]
    )
    def test_a_share_of_the_windows_is_chosen_rounded_up(self, number, share, expected):
        masks = build(cfg(masked_share=share)).sample_masks(number)
        assert masks.frames.any(1).sum() == expected

    def test_draws_only_the_level_that_is_configured(self):
        tubes = build(cfg(masked_frames=0, pose_decoder=None)).sample_masks(4)
        frames = build(cfg(tube_ratio=0)).sample_masks(4)
        assert tubes.tubes is not None
        assert tubes.frames is None
        assert frames.tubes is None
        assert frames.frames is not None


class TestReconstruction:
    def test_targets_are_the_normalised_features_of_what_is_hidden(self, neck):
        tubes = fixed_tube()
        frames = torch.tensor([[False, False, True], [True, False, False]])
        values = features()
        hidden = neck(values, masks=SpaceTimeMasks(tubes, frames)).reconstruction
        at_tubes = [values[n, t, :, place // 3, place % 3] for n, t, place in tubes.nonzero()]
        in_frames = [values[n, t, :, p // 3, p % 3] for n, t in ((0, 2), (1, 0)) for p in range(12)]
        for part, expected in ((hidden.tubes, at_tubes), (hidden.frames, in_frames)):
            normalised = F.layer_norm(torch.stack(expected), (DIMS,))
            torch.testing.assert_close(part.target, normalised)
            assert part.reconstructed.shape == part.target.shape
        assert torch.equal(hidden.hidden_frames, frames)
        assert hidden.heatmaps.shape == (2, JOINTS, 16, 12)

    def test_the_target_passes_no_gradient(self, neck):
        values = features().requires_grad_()
        frames = torch.tensor([[True, False, False]] * 2)
        hidden = neck(values, masks=SpaceTimeMasks(fixed_tube(), frames)).reconstruction
        assert not hidden.tubes.target.requires_grad
        assert not hidden.frames.target.requires_grad
        assert hidden.tubes.reconstructed.requires_grad


class TestMotionFeature:
    @pytest.mark.parametrize('residual', [False, True])
    def test_starts_as_the_mean_of_the_features_or_as_that_of_the_key_frame(self, residual):
        values = features()
        motion = build(cfg(residual=residual))(values).fused_feature
        torch.testing.assert_close(motion, values[:, 1] if residual else values.mean(1))

    @pytest.mark.parametrize('residual', [False, True])
    def test_depends_on_every_frame_and_their_order(self, residual):
        neck = let_every_input_show(build(cfg(residual=residual)).eval())
        before = neck(features()).fused_feature
        assert before.shape == (2, DIMS, *GRID)
        for frame in range(3):
            values = features()
            values[:, frame] += torch.randn(DIMS, *GRID)
            assert not torch.allclose(neck(values).fused_feature, before, atol=1e-3)
        assert not torch.allclose(neck(features().flip(1)).fused_feature, before, atol=1e-3)

    def test_of_hidden_places_starts_as_the_mean_with_the_hidden_token(self):
        neck = build(cfg())
        tokens = features()[0, :, :, 1, 1].clone()  # place 4, hidden in the first two frames
        tokens[:2] = neck.tube_token[0, 0, 0]
        motion = neck(features(), masks=SpaceTimeMasks(fixed_tube())).fused_feature
        torch.testing.assert_close(motion[0, :, 1, 1], tokens.mean(0))

    def test_windows_do_not_mix(self, neck):
        together = neck(features()).fused_feature
        torch.testing.assert_close(neck(features()[1:]).fused_feature, together[1:])


class TestKeypointsSynthesis:
    @pytest.fixture
    def merging(self) -> MLSME:
        return let_every_input_show(build(cfg(tks=TKS)).eval())

    @pytest.fixture
    def maps(self) -> torch.Tensor:
        return torch.rand(2, 3, JOINTS, 16, 12, generator=torch.Generator().manual_seed(6))

    def test_without_it_neither_maps_nor_labels_are_read(self, neck, maps):
        found = neck(features(), maps, labels())
        assert found.merged_feature is None
        assert torch.equal(found.fused_feature, neck(features()).fused_feature)
        assert (neck.reads_heatmaps, neck.takes_labels) == (False, False)

    def test_reads_maps_prior_and_features_of_the_auxiliary_frames(self, merging, maps):
        assert (merging.reads_heatmaps, merging.takes_labels) == (True, True)
        before = merging(features(), maps, labels()).merged_feature
        assert before.shape == (2, 12, 16, 12)
        values, given = features(), labels()
        values[:, 0] = values[:, 0].flip(-1)
        given = given._replace(prior=given.prior.roll(4, -1))
        for changed in (
            merging(features(), maps.roll(4, -1), labels()),
            merging(features(), maps, given),
            merging(values, maps, labels()),
        ):
            assert not torch.allclose(changed.merged_feature, before, atol=1e-3)

    def test_maps_of_hidden_frames_do_not_help_to_reconstruct_them(self, merging, maps):
        frames = torch.tensor([[True, False, False], [False, True, False]])
        masks = SpaceTimeMasks(fixed_tube(), frames)
        before = merging(features(), maps, None, masks).reconstruction
        after = merging(features(), maps.roll(4, -1), None, masks).reconstruction
        assert torch.equal(before.tubes.reconstructed, after.tubes.reconstructed)
        assert torch.equal(before.frames.reconstructed, after.frames.reconstructed)
        assert torch.equal(before.heatmaps, after.heatmaps)

    def test_is_for_as_many_frames_as_the_neck(self):
        neck = build(cfg(tks=TKS, num_frames=5))
        found = neck(torch.randn(2, 5, DIMS, *GRID), torch.rand(2, 5, JOINTS, 16, 12))
        assert found.merged_feature.shape == (2, 12, 16, 12)
        with pytest.raises(ValueError, match='tks must have num_frames=5, got 3'):
            build(cfg(tks={**TKS, 'num_frames': 3}, num_frames=5))

    def test_needs_maps(self, merging):
        with pytest.raises(ValueError, match='tks needs the heatmaps of a frame_head'):
            merging(features())


class TestGivenLabels:
    @pytest.fixture
    def propagating(self) -> MLSME:
        return let_every_input_show(build(cfg(pose_embed={**POSE_EMBED, 'use_prior': True})).eval())

    @pytest.mark.parametrize('field', ['heatmaps', 'prior'])
    def test_are_read(self, propagating, field):
        given = labels()
        moved = given._replace(**{field: getattr(given, field).roll(4, -1)})
        before = propagating(features(), None, given).fused_feature
        after = propagating(features(), None, moved).fused_feature
        assert not torch.allclose(before, after, atol=1e-4)

    def test_weights_start_as_large_as_said(self):
        embedding = build({**POSE_EMBED, 'use_prior': True, 'init_std': 0.3})
        for weight in embedding.parameters():
            assert weight.std().item() == pytest.approx(0.3, rel=0.1)

    def test_a_joint_that_is_not_given_is_not_read(self, propagating):
        given = labels()
        given.mask[:, 0, 2] = False
        moved = given._replace(heatmaps=given.heatmaps.clone())
        moved.heatmaps[:, 0, 2] = 7
        assert torch.equal(
            propagating(features(), None, given).fused_feature,
            propagating(features(), None, moved).fused_feature,
        )

    def test_empty_labels_are_no_labels(self, propagating):
        empty = AuxiliaryLabels(*(torch.zeros_like(field) for field in labels()))
        torch.testing.assert_close(
            propagating(features(), None, empty).fused_feature,
            propagating(features()).fused_feature,
        )

    def test_a_patch_of_the_maps_goes_to_the_token_of_its_place_and_frame(self, propagating):
        given = labels()
        heatmaps, prior = torch.zeros_like(given.heatmaps), torch.zeros_like(given.prior)
        heatmaps[0, 1, 3, 9, 5] = 1  # right frame, row 2, column 1
        prior[1, 2, 15, 0] = 1  # row 3, column 0
        tokens = propagating.pose_embed(given._replace(heatmaps=heatmaps, prior=prior))
        assert tokens.shape == (2, 3, PLACES, DIMS)
        assert tokens.abs().sum(-1).nonzero().tolist() == [[0, 2, 7], [1, 1, 9]]
        expected = propagating.pose_embed.label.weight[:, 3, 9 % 4, 5 % 4]
        torch.testing.assert_close(tokens[0, 2, 7], expected)


@pytest.mark.parametrize(
    ('overrides', 'message'),
    [
        ({'tube_ratio': 1.0}, 'tube_ratio must be at least 0 and less than 1, got 1.0'),
        ({'tube_length': 4}, r'tube_length must be in 1..3, got 4'),
        ({'masked_frames': 3}, r'masked_frames must be below num_frames, got 3'),
        ({'masked_share': 0}, 'masked_share must be above 0 and at most 1, got 0'),
        ({'context_decoder': None}, 'context_decoder needs tube_ratio or masked_frames'),
        ({'tube_ratio': 0, 'masked_frames': 0}, 'context_decoder needs'),
        ({'masked_frames': 0}, 'a pose_decoder decodes hidden frames, set masked_frames'),
    ],
)
def test_contradicting_configs_are_errors(overrides, message):
    with pytest.raises(ValueError, match=message):
        build(cfg(**overrides))


def test_features_of_another_size_are_refused(neck):
    with pytest.raises(ValueError, match=r'expected features of size \(4, 3\), got \(5, 3\), set'):
        neck(torch.randn(1, 3, DIMS, 5, 3))
