from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from stdpose_mm.engine.hooks import HeatmapTeacherHook
from stdpose_mm.errors import InputError
from stdpose_mm.models.necks.mlsme_parts import SpaceTimeMasks
from stdpose_mm.models.structures import AuxiliaryLabels
from support.model_samples import (
    NUM_JOINTS,
    build,
    estimation_sample,
    let_every_input_show,
    tiny_cfg,
    window_batch,
)
from support.tiny_models import appearance_synthesis, semantic_motion, semantic_motion_appearance

FRAMES = torch.tensor([[False, False, True], [False, True, False]])


def semantic_cfg(neck: dict[str, Any] | None = None, **overrides: Any) -> dict[str, Any]:
    """The small second system with every part on, given labels included."""
    cfg = tiny_cfg()
    return {**cfg, **semantic_motion(NUM_JOINTS, True, cfg, **(neck or {})), **overrides}


def appearance_cfg(**neck: Any) -> dict[str, Any]:
    """The small second system with the parts beyond the paper in place of the embedding."""
    cfg = tiny_cfg()
    return {**cfg, **semantic_motion_appearance(NUM_JOINTS, cfg, **neck)}


def test_a_masked_stda_head_reads_the_merged_heatmaps_of_mlsme():
    tks = appearance_synthesis(NUM_JOINTS, 128, merge_heatmaps=True)
    cfg = appearance_cfg(tks=tks, residual=False)
    cfg['head'] = {**tiny_cfg()['head'], 'merged_channels': 48}
    network = build(cfg)
    assert torch.isfinite(losses(network)['loss_kpt'])
    assert np.isfinite(predict(network.eval(), prepare(network))).all()


@pytest.fixture(scope='module')
def model() -> nn.Module:
    return let_every_input_show(build(semantic_cfg())).eval()


@pytest.fixture(scope='module')
def appearance() -> nn.Module:
    return let_every_input_show(build(appearance_cfg())).eval()


def prepare(network: nn.Module, batch: dict | None = None) -> dict:
    return network.data_preprocessor(window_batch(2) if batch is None else batch, True)


def losses(network: nn.Module, seed: int = 0) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    return network(**prepare(network), mode='loss')


def predict(network: nn.Module, data: dict) -> np.ndarray:
    with torch.no_grad():
        samples = network(data['inputs'], copy.deepcopy(data['data_samples']), mode='predict')
    return np.concatenate([sample.pred_instances.keypoints for sample in samples])


class TestLoss:
    def test_names_and_finite_values(self, model):
        values = losses(model)
        assert set(values) == {
            'loss_kpt',
            'acc_pose',
            'loss_frame_kpt',
            'loss_context_tubes',
            'loss_context_frames',
            'explained_tubes',
            'explained_frames',
            'loss_masked_kpt',
        }
        assert all(torch.isfinite(value) for value in values.values())

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ('cfg', 'batch_size', 'amp'), [(semantic_cfg, 1, True), (appearance_cfg, 2, False)]
    )
    def test_every_parameter_gets_a_finite_gradient(self, cfg, batch_size, amp):
        network = build(cfg()).train()
        data = prepare(network, window_batch(batch_size))
        with torch.autocast('cpu', torch.bfloat16, enabled=amp):
            values = network(**data, mode='loss')
        sum(value for name, value in values.items() if 'loss' in name).backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name

    def test_given_labels_take_the_place_of_predicted_maps(self, appearance, monkeypatch):
        tks, seen = appearance.neck.tks, []
        read = tks.forward
        monkeypatch.setattr(
            tks, 'forward', lambda maps, *args: seen.append(maps) or read(maps, *args)
        )
        data = prepare(appearance)
        appearance(**data, mode='loss')
        labels = AuxiliaryLabels.from_data_samples(data['data_samples'])
        shown = labels.mask[..., None, None]
        assert shown.any()
        torch.testing.assert_close(seen[0][:, [0, 2]] * shown, labels.heatmaps * shown)

    def test_context_loss_is_the_squared_error_of_hidden_features(self, model, monkeypatch):
        tubes = torch.zeros(2, 3, 48, dtype=torch.bool)
        tubes[0, 1, 5] = True
        masks = SpaceTimeMasks(tubes, FRAMES)
        monkeypatch.setattr(model.neck, 'sample_masks', lambda number: masks)
        data = prepare(model)
        values = model(**data, mode='loss')
        with torch.no_grad():
            features = model.encode_frames(data['inputs'].flatten(0, 1)).unflatten(0, (2, 3))
            given = AuxiliaryLabels.from_data_samples(data['data_samples'])
            hidden = model.neck(features, None, given, masks).reconstruction
        for level in ('tubes', 'frames'):
            part = getattr(hidden, level)
            expected = (part.reconstructed - part.target).square().mean()
            torch.testing.assert_close(values[f'loss_context_{level}'].detach(), expected)
            constant = (part.target - part.target.mean(0)).square().mean()
            torch.testing.assert_close(values[f'explained_{level}'], 1 - expected / constant)

    def test_pose_loss_is_that_of_the_hidden_frames(self, model, monkeypatch):
        monkeypatch.setattr(
            model.neck, 'sample_masks', lambda number: SpaceTimeMasks(frames=FRAMES)
        )
        data = prepare(model)
        data['data_samples'][0].gt_instance_labels.aux_keypoint_weights[0, 1, :4] = 0
        seen = []
        handle = model.neck.pose_decoder.loss_module.register_forward_pre_hook(
            lambda _, args: seen.append(args)
        )
        values = model(**data, mode='loss')
        handle.remove()
        ((output, target, weights),) = seen
        assert output.shape == (2, NUM_JOINTS, 32, 24)
        right_of_first = data['data_samples'][0].gt_fields.aux_heatmaps[NUM_JOINTS:]
        torch.testing.assert_close(target[0], right_of_first)
        torch.testing.assert_close(target[1], data['data_samples'][1].gt_fields.heatmaps)
        assert weights.sum(1).tolist() == [NUM_JOINTS - 4, NUM_JOINTS]
        expected = model.neck.pose_decoder.loss_module(output, target, weights)
        torch.testing.assert_close(values['loss_masked_kpt'], expected)

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ('weight', 'names'),
        [
            ('context_loss_weight', {'loss_context_tubes', 'loss_context_frames'}),
            ('pose_loss_weight', {'loss_masked_kpt'}),
        ],
    )
    def test_weights_scale_their_losses(self, model, weight, names):
        once, thrice = losses(model), losses(build_like(model, **{weight: 3.0}))
        for name, value in once.items():
            torch.testing.assert_close(thrice[name], value * (3 if name in names else 1))

    def test_without_masks_there_is_nothing_to_reconstruct(self):
        nothing = dict(tube_ratio=0, masked_frames=0, context_decoder=None, pose_decoder=None)
        values = losses(build(semantic_cfg(nothing)))
        assert set(values) == {'loss_kpt', 'acc_pose', 'loss_frame_kpt'}


class TestPredict:
    def test_hides_nothing(self, model, monkeypatch):
        monkeypatch.setattr(model.neck, 'sample_masks', lambda number: pytest.fail('masks drawn'))
        seen = []
        forward = model.neck.forward
        monkeypatch.setattr(
            model.neck,
            'forward',
            lambda *args, **kwargs: seen.append(forward(*args, **kwargs)) or seen[-1],
        )
        predict(model, prepare(model))
        model(prepare(model)['inputs'], None, mode='tensor')
        assert [feats.reconstruction for feats in seen] == [None, None]

    def test_mixed_batch_is_predicted_as_its_samples_alone(self, model):
        data = prepare(model)
        samples = [data['data_samples'][0], estimation_sample(data['data_samples'][1])]
        together = predict(model, {**data, 'data_samples': samples})
        for index, sample in enumerate(samples):
            alone = {'inputs': data['inputs'][index : index + 1], 'data_samples': [sample]}
            np.testing.assert_allclose(together[index], predict(model, alone)[0], atol=1e-3)


def build_like(model: nn.Module, **overrides: Any) -> nn.Module:
    """Another model with the weights of ``model``."""
    other = build(semantic_cfg(**overrides))
    other.load_state_dict(model.state_dict())
    return other.eval()


def test_as_a_teacher_it_masks_nothing(model):
    teacher = HeatmapTeacherHook('', '')
    teacher.model = model
    data = prepare(model)
    targets = []
    for seed in (1, 2):
        samples = copy.deepcopy(data['data_samples'])
        torch.manual_seed(seed)
        teacher.blend_targets(data['inputs'], samples)
        targets.append([sample.gt_fields.heatmaps for sample in samples])
    for one, other in zip(*targets, strict=True):
        assert torch.equal(one, other)


def test_a_backbone_of_another_width_than_the_neck_is_refused():
    cfg = semantic_cfg(frame_head=None, frame_head_loss_weight=0.0)
    cfg['backbone']['arch'] = dict(
        embed_dims=32, num_layers=1, num_heads=2, feedforward_channels=32
    )
    network = build(cfg)
    with pytest.raises(InputError, match='features of 32 channels, embed_dims of MLSME is 128'):
        network.predict(**prepare(network))


def test_another_neck_is_refused():
    stre = tiny_cfg()['neck']
    with pytest.raises(ValueError, match='needs the neck MLSME, got STRE, use STDPose'):
        build(semantic_cfg(neck=None) | {'neck': stre})
