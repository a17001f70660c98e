from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from torch import nn

import research.baselines  # noqa: F401  registers the necks of the baselines
from research.part_probe import (
    ProbeReport,
    StepSettings,
    format_report,
    probe_parts,
    report_fields,
)
from research.part_probe.effects import Predictions
from research.part_probe.part_probe import PartReport
from support.model_samples import NUM_JOINTS, build, maps_head, tiny_cfg, window_batch

pytestmark = pytest.mark.slow

DIMS = {'embed_dims': 32, 'num_heads': 2}
ACTING_MASK = {
    'type': 'DynamicAwareMask',
    'num_joints': NUM_JOINTS,
    'slope': 10.0,
    'normalization': 'mean',
}
ACTING_MI = {
    'type': 'MutualInformationLoss',
    'num_joints': NUM_JOINTS,
    'feature_channels': 32,
    'per_pixel': False,
    'heatmap_gain': 10.0,
}


def stdpose_cfg(mask: dict[str, Any] | None = None, **overrides: Any) -> dict[str, Any]:
    """A narrow STDPose with every part, the acting forms of mask and mutual information."""
    cfg = tiny_cfg(use_prior=True)
    cfg['backbone']['arch'] = {
        'embed_dims': 32,
        'num_layers': 1,
        'num_heads': 2,
        'feedforward_channels': 64,
    }
    cfg['neck']['tff'].update(DIMS, num_blocks=1)
    narrow = {'in_channels': 32, 'deconv_out_channels': (16, 16)}
    cfg['frame_head'].update(narrow)
    cfg['head'].update(narrow, num_heads=2, num_blocks=1, mask=mask or ACTING_MASK)
    return {**cfg, 'mi_loss': ACTING_MI, **overrides}


def semantic_motion_cfg() -> dict[str, Any]:
    """A narrow second system that takes labels and masks tubes and frames."""
    cfg = stdpose_cfg()
    frame_head = cfg['frame_head']
    fusion = {'type': 'SpatialMotionMutualLearning', 'num_blocks': 1, **DIMS}
    embedding = {
        'type': 'GivenPoseEmbedding',
        'num_joints': NUM_JOINTS,
        'embed_dims': 32,
        'use_prior': True,
    }
    return {
        'type': 'SemanticMotionPose',
        'data_preprocessor': cfg['data_preprocessor'],
        'backbone': cfg['backbone'],
        'neck': {
            'type': 'MLSME',
            'feature_size': (8, 6),
            'tube_ratio': 0.3,
            'masked_frames': 1,
            'context_decoder': {'type': 'ContextDecoder', **DIMS},
            'pose_decoder': frame_head,
            'pose_embed': embedding,
            **DIMS,
        },
        'head': {**frame_head, 'type': 'SpatialMotionHead', 'fusion': fusion},
        'test_cfg': {'flip_test': False},
    }


def appearance_cfg() -> dict[str, Any]:
    """The narrow second system with the parts beyond the paper in place of embedding and masks."""
    cfg = semantic_motion_cfg()
    tks = {
        'type': 'AppearanceKeypointsSynthesis',
        'num_joints': NUM_JOINTS,
        'correlation': {'type': 'AppearanceCorrelation', 'embed_dims': 32},
        'use_prior': True,
    }
    neck = {'type': 'MLSME', 'feature_size': (8, 6), 'tks': tks, 'residual': True, **DIMS}
    head = {**cfg['head'], 'merged_channels': 48}
    return {**cfg, 'neck': neck, 'head': head, 'frame_head': cfg['neck']['pose_decoder']}


def batches() -> list[dict[str, Any]]:
    return [window_batch(4, seed) for seed in range(2)]


def few() -> list[dict[str, Any]]:
    """Two windows, where more would tell no more."""
    return [window_batch(2)]


def trained(cfg: dict[str, Any], steps: int = 24) -> nn.Module:
    model = build(cfg)
    model.init_weights()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    data = batches()
    for step in range(steps):
        batch = model.data_preprocessor(data[step % 2], training=True)
        total, _ = model.parse_losses(model.train()(**batch, mode='loss'))
        optimizer.zero_grad()
        total.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model


@pytest.fixture(scope='module')
def stdpose() -> nn.Module:
    return trained(stdpose_cfg())


@pytest.fixture(scope='module')
def stdpose_report(stdpose: nn.Module) -> ProbeReport:
    return probe_parts(stdpose, batches(), StepSettings(max_norm=1.0))


@pytest.fixture(scope='module')
def semantic_motion_report() -> ProbeReport:
    return probe_parts(trained(semantic_motion_cfg()), batches(), StepSettings(max_norm=1.0))


def probe_mask(model: nn.Module) -> PartReport:
    """The mask's report of a changed model."""
    (report,) = (part for part in probe_parts(model, few()).parts if part.name == 'head.mask')
    return report


def reasons(report: ProbeReport) -> dict[str, str]:
    return {part.name: part.reason for part in report.judged('dead')}


def test_no_part_of_stdpose_is_dead(stdpose_report: ProbeReport) -> None:
    assert reasons(stdpose_report) == {}


def test_no_part_of_the_second_system_is_dead(semantic_motion_report: ProbeReport) -> None:
    assert reasons(semantic_motion_report) == {}


def test_parts_of_stdpose_are_found(stdpose_report: ProbeReport) -> None:
    names = {part.name for part in stdpose_report.parts}
    assert names == {
        'auxiliary pictures',
        'given labels',
        'prior map',
        'F~ (fused_feature)',
        'H_l, H_t, H_r (frame_heatmaps)',
        'H~ (merged_heatmaps)',
        'frame_head',
        'neck.tff',
        'neck.tks',
        'head.mask',
        'head.blocks.0',
        'mi_loss.feature_decoder',
        'mi_loss.feature_predictor',
        'mi_loss.heatmap_decoder',
        'mi_loss.heatmap_predictor',
        'backbone.pos_embed',
        'neck.tff.frame_embed',
        'head.pos_embed',
    }


def test_no_part_of_the_second_system_beyond_the_paper_is_dead() -> None:
    report = probe_parts(trained(appearance_cfg()), few(), StepSettings(max_norm=1.0))
    assert reasons(report) == {}
    assert {'neck.tks', 'head.refine'} <= {part.name for part in report.parts}


def test_pruning_acts_and_learns() -> None:
    cfg = stdpose_cfg()
    cfg['backbone']['arch']['num_layers'] = 2
    cfg['backbone']['pruning'] = {'after': 1, 'keep': 0.5}
    report = probe_parts(trained(cfg), few(), StepSettings(max_norm=1.0))
    assert reasons(report) == {}
    (pruning,) = (part for part in report.parts if part.name == 'backbone.pruning')
    assert [effect.neutralisation for effect in pruning.effects] == ['scores reversed']


def test_parts_that_only_training_runs_have_no_effect(semantic_motion_report: ProbeReport) -> None:
    without = {part.name for part in semantic_motion_report.parts if not part.effects}
    training = {'neck.context_decoder', 'neck.pose_decoder', 'neck.tube_token', 'neck.frame_token'}
    assert without == training


def test_every_mutual_information_term_trains_the_representation(
    stdpose_report: ProbeReport,
) -> None:
    terms = {term.name: term for term in stdpose_report.terms}
    for kind, field in (('feature', 'F~ (fused_feature)'), ('heatmap', 'H~ (merged_heatmaps)')):
        for name in (f'loss_mi_label_{kind}', f'loss_mi_redundant_{kind}'):
            places = {gradient.place: gradient for gradient in terms[name].gradients}
            assert places[field].norm > 0
            assert places[field].reference == 'the heatmap loss'


def test_a_branch_whose_weights_are_zero_is_dead(stdpose: nn.Module) -> None:
    model = copy.deepcopy(stdpose)
    with torch.no_grad():
        model.head.patch_embed.weight[:, :NUM_JOINTS] = 0
    report = probe_mask(model)
    assert report.verdict == 'dead'
    assert report.reason == 'branch zeroed: no heatmap changes'
    parameters = {gradient.place: gradient for gradient in report.gradients}['parameters']
    assert parameters.norm == 0


def test_the_mask_of_the_paper_is_dead_at_the_start() -> None:
    model = build(stdpose_cfg({'type': 'DynamicAwareMask', 'num_joints': NUM_JOINTS}))
    model.init_weights()
    assert probe_mask(model).verdict == 'dead'


def test_a_gradient_below_the_eps_of_adam_is_dead(stdpose: nn.Module) -> None:
    report = probe_parts(stdpose, few(), StepSettings(adam_eps=1e6))
    (mask,) = (part for part in report.parts if part.name == 'head.mask')
    assert mask.verdict == 'dead'
    assert "of Adam's eps" in mask.reason


def test_the_gradient_is_compared_after_clipping(stdpose: nn.Module) -> None:
    free = probe_parts(stdpose, few())
    clipped = probe_parts(stdpose, few(), StepSettings(max_norm=free.gradient_norm / 8))
    for one, other in zip(free.parts, clipped.parts, strict=True):
        for gradient, smaller in zip(one.gradients, other.gradients, strict=True):
            if gradient.eps_ratio is not None:
                assert gradient.eps_ratio == pytest.approx(8 * smaller.eps_ratio, rel=1e-4)


def test_the_gradient_of_a_part_is_that_of_the_heatmap_loss(stdpose: nn.Module) -> None:
    batch = window_batch(2, seed=3)
    model = copy.deepcopy(stdpose).train()
    model.loss(**model.data_preprocessor(copy.deepcopy(batch)))['loss_kpt'].backward()
    expected = math.sqrt(sum(float(p.grad.square().sum()) for p in model.head.mask.parameters()))
    (report,) = (p for p in probe_parts(stdpose, [batch]).parts if p.name == 'head.mask')
    found = {gradient.place: gradient for gradient in report.gradients}['parameters']
    assert found.norm == pytest.approx(expected, rel=1e-4)
    assert found.per_element == pytest.approx(expected / math.sqrt(NUM_JOINTS + 2), rel=1e-4)


def test_the_share_of_a_term_grows_with_its_weight(stdpose: nn.Module) -> None:
    def share(alpha: float) -> float:
        model = copy.deepcopy(stdpose)
        model.mi_loss.alpha = alpha
        report = probe_parts(model, few())
        (term,) = (term for term in report.terms if term.name == 'loss_mi_label_feature')
        return term.gradients[0].share or 0.0

    assert share(0.3) == pytest.approx(3 * share(0.1), rel=1e-4)


def test_the_model_is_left_as_it_was(stdpose: nn.Module) -> None:
    before = {name: value.clone() for name, value in stdpose.state_dict().items()}
    stdpose.train()
    stdpose.head.eval()
    stdpose.test_cfg = {'flip_test': True}
    probe_parts(stdpose, few())
    assert stdpose.test_cfg == {'flip_test': True}
    assert stdpose.training
    assert not stdpose.head.training
    assert all(torch.equal(before[name], value) for name, value in stdpose.state_dict().items())
    assert not any('forward' in module.__dict__ for module in stdpose.modules())


def test_effects_by_hand() -> None:
    def predictions(keypoints: list[list[float]], height: float) -> Predictions:
        return Predictions(
            heatmaps=torch.full((1, 2, 4, 4), height),
            keypoints=np.array([keypoints]),
            heatmap_px=np.array([[[2.0, 4.0]]]),
            truth=np.array([[[0.0, 0.0], [100.0, 0.0]]]),
            labelled=np.array([[True, True]]),
        )

    # The second joint is 8 px off: 8 % of a pose of 100 px. Neutralised, the first moves by 3 px in
    # x and 8 px in y, which are 1.5 and 2 heatmap pixels.
    whole = predictions([[0, 0], [108, 0]], height=2.0)
    effect = whole.effect_of('zeroed', predictions([[3, 8], [108, 0]], height=1.5))
    assert whole.accuracy().pck == {0.05: 50.0, 0.1: 100.0}
    assert whole.accuracy().error_px == 4
    assert effect.heatmap_change == pytest.approx(0.25)
    assert effect.shift_px == pytest.approx(2.5 / 2)
    assert effect.moved == 0.5
    assert effect.accuracy.error_px == pytest.approx((math.hypot(3, 8) + 8) / 2)


def per_frame_cfg() -> dict[str, Any]:
    cfg = stdpose_cfg()
    source = {**cfg['frame_head'], 'type': 'SingleSourceHead', 'source': 'frame_feature'}
    changes = {'neck': None, 'frame_head': None, 'frame_head_loss_weight': 0.0, 'mi_loss': None}
    return {**cfg, **changes, 'head': source}


def baseline_cfg(neck: dict[str, Any]) -> dict[str, Any]:
    cfg = stdpose_cfg(neck=neck, mi_loss=None)
    return {**cfg, 'head': maps_head(cfg)}


@pytest.mark.parametrize(
    ('make', 'some'),
    [
        (per_frame_cfg, {'backbone.pos_embed'}),
        (
            lambda: baseline_cfg({'type': 'DualConsecutive', 'num_joints': NUM_JOINTS}),
            {'given labels', 'neck.merger', 'neck.residual_fusion', 'neck.correction'},
        ),
        (
            lambda: baseline_cfg(
                {'type': 'PoseWarping', 'num_joints': NUM_JOINTS, 'embed_dims': 32}
            ),
            {'given labels', 'neck.motion', 'neck.warp'},
        ),
    ],
    ids=['per frame', 'DCPose', 'PoseWarper'],
)
def test_other_window_models_have_their_own_parts(
    make: Callable[[], dict[str, Any]], some: set[str]
) -> None:
    names = {part.name for part in probe_parts(build(make()), few()).parts}
    assert some <= names
    assert 'prior map' not in names
    assert 'head.mask' not in names


def test_the_report_names_what_is_dead(stdpose: nn.Module) -> None:
    model = copy.deepcopy(stdpose)
    with torch.no_grad():
        model.head.patch_embed.weight[:, :NUM_JOINTS] = 0
    report = probe_parts(model, few())
    assert 'dead: head.mask (branch zeroed: no heatmap changes)' in format_report(report)
    assert 'head.mask' in report_fields(report)['dead']


def test_figures_that_are_not_defined_are_null(stdpose: nn.Module) -> None:
    batch = window_batch(2)
    for sample in batch['data_samples']:
        weights = sample.gt_instance_labels
        shown = torch.zeros_like(weights.keypoint_weights)
        sample.gt_instance_labels = InstanceData(
            keypoint_weights=shown,
            aux_keypoint_weights=weights.aux_keypoint_weights,
            given_mask=weights.given_mask,
        )
    report = probe_parts(stdpose, [batch])
    assert report_fields(report)['accuracy'] == {
        'pck': {'0.05': None, '0.1': None},
        'error_px': None,
    }


def test_another_model_is_an_error() -> None:
    with pytest.raises(ValueError, match='the model is a Linear, the probe needs a window model'):
        probe_parts(nn.Linear(1, 1), batches())


def test_no_window_is_an_error(stdpose: nn.Module) -> None:
    with pytest.raises(ValueError, match='there is no window to probe'):
        probe_parts(stdpose, [])
