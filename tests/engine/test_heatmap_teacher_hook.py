from __future__ import annotations

import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.structures import PixelData
from mmpose.structures import PoseDataSample
from torch import Tensor, nn

from stdpose_mm.engine.hooks import HeatmapTeacherHook
from stdpose_mm.errors import InputError
from stdpose_mm.models.structures import AuxiliaryLabels, split_windows
from support.model_samples import (
    NUM_JOINTS,
    build,
    let_every_input_show,
    segment_batch,
    tiny_cfg,
    window_batch,
)

SIMPLE = dict(upsample=4, deconv_out_channels=None, deconv_kernel_sizes=None)


def load(arguments: dict[str, str], share: float = 0.5) -> HeatmapTeacherHook:
    teacher = HeatmapTeacherHook(**arguments, share=share)
    teacher.before_train(SimpleNamespace(model=build(tiny_cfg())))
    return teacher


def save_model(folder: Path, cfg: dict[str, Any], seed: int = 1) -> dict[str, str]:
    """Write a model with random weights to files; return the arguments that name them."""
    model = let_every_input_show(build(cfg), seed)
    config, checkpoint = folder / f'model{seed}.py', folder / f'model{seed}.pth'
    Config({'model': cfg}).dump(config)
    torch.save({'state_dict': model.state_dict()}, checkpoint)
    return {'config': str(config), 'checkpoint': str(checkpoint)}


@pytest.fixture(scope='module')
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return save_model(tmp_path_factory.mktemp('teacher'), tiny_cfg())


@pytest.fixture(scope='module')
def teacher(saved: dict[str, str]) -> HeatmapTeacherHook:
    return load(saved, share=0.25)


def prepare(network: nn.Module, batch: dict[str, Any]) -> tuple[Tensor, list[PoseDataSample]]:
    data = network.data_preprocessor(batch, True)
    return data['inputs'], data['data_samples']


def blended(
    teacher: HeatmapTeacherHook, inputs: Tensor, samples: list[PoseDataSample]
) -> list[PoseDataSample]:
    samples = copy.deepcopy(samples)
    teacher.blend_targets(inputs, samples)
    return samples


def test_targets_are_the_mean_of_labels_and_predictions(teacher):
    inputs, samples = prepare(teacher.model, window_batch(2))
    with torch.no_grad():
        features = torch.stack([teacher.model.backbone(crops)[-1] for crops in inputs])
        single = teacher.model.predict_frame_heatmaps(features)
        final = teacher.model.head(
            teacher.model.extract_feat(inputs, AuxiliaryLabels.from_data_samples(samples))
        )
    for index, sample in enumerate(blended(teacher, inputs, samples)):
        label = samples[index].gt_fields
        expected = 0.75 * label.heatmaps + 0.25 * final[index].clamp(min=0)
        torch.testing.assert_close(sample.gt_fields.heatmaps, expected)
        left, right = label.aux_heatmaps.chunk(2)
        maps = single[index].clamp(min=0)
        expected = torch.cat((0.75 * left + 0.25 * maps[0], 0.75 * right + 0.25 * maps[2]))
        torch.testing.assert_close(sample.gt_fields.aux_heatmaps, expected)


def test_several_key_frames_of_a_sample_have_their_own_maps(teacher):
    inputs, samples = prepare(teacher.model, segment_batch(2, num_keys=3))
    targets = [sample.gt_fields.heatmaps for sample in blended(teacher, inputs, samples)]
    for crops, sample, target in zip(inputs, samples, targets, strict=True):
        for place, window in enumerate(split_windows(sample)):
            alone = blended(teacher, crops[None, [0, 1 + place, 4]], [window])
            joints = slice(place * NUM_JOINTS, (place + 1) * NUM_JOINTS)
            # Normalisation in batches of different sizes may round differently.
            torch.testing.assert_close(
                target[joints], alone[0].gt_fields.heatmaps, atol=1e-4, rtol=1e-3
            )


def test_a_share_of_zero_leaves_the_labels(saved):
    teacher = load(saved, share=0.0)
    inputs, samples = prepare(teacher.model, window_batch(1))
    (sample,) = blended(teacher, inputs, samples)
    assert torch.equal(sample.gt_fields.heatmaps, samples[0].gt_fields.heatmaps)


def test_a_step_learns_from_the_blended_targets(saved):
    teacher, batch = load(saved, share=0.25), window_batch(2)
    inputs, samples = prepare(teacher.model, copy.deepcopy(batch))
    teacher.before_train_iter(None, 0, batch)
    for sample, expected in zip(
        batch['data_samples'], blended(teacher, inputs, samples), strict=True
    ):
        assert torch.equal(sample.gt_fields.heatmaps, expected.gt_fields.heatmaps)
    assert batch['inputs'][0].dtype == torch.uint8


def test_a_model_may_learn_from_one_of_another_form(saved):
    cfg = tiny_cfg()
    for part in ('frame_head', 'head'):
        cfg[part].update(SIMPLE)
    student, teacher = build(cfg), load(saved)
    inputs, samples = prepare(student, segment_batch(1, num_keys=2))
    samples = blended(teacher, inputs, samples)
    losses = student.train().loss(inputs, samples)
    sum(value for name, value in losses.items() if 'loss' in name).backward()
    assert torch.isfinite(losses['loss_kpt'])
    assert not teacher.model.training
    assert all(value.grad is None for value in teacher.model.parameters())


def test_a_share_outside_its_range_is_refused(saved):
    with pytest.raises(InputError, match=r'share of the teacher must be in 0\.\.1, got 1\.5'):
        HeatmapTeacherHook(**saved, share=1.5)


def test_weights_of_another_model_are_refused(saved, tmp_path):
    other = tiny_cfg()
    other['frame_head'].update(SIMPLE)
    config = save_model(tmp_path, other, seed=2)['config']
    with pytest.raises(InputError, match=r'does not fit the teacher .*model2\.py, give the config'):
        load({**saved, 'config': config})


def test_a_config_without_a_model_is_refused(saved, tmp_path):
    path = tmp_path / 'runtime.py'
    path.write_text('max_iters = 3')
    with pytest.raises(InputError, match='has no window model'):
        load({**saved, 'config': str(path)})


def test_maps_of_another_size_are_refused(teacher):
    inputs, samples = prepare(teacher.model, window_batch(1, give=False))
    smaller = samples[0].gt_fields.heatmaps[:, ::2, ::2]
    samples[0].gt_fields = PixelData(heatmaps=smaller)
    with pytest.raises(InputError, match=r'shape \(15, 32, 24\), the targets \(15, 16, 12\)'):
        teacher.blend_targets(inputs, samples)
