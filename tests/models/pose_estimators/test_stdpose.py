from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from stdpose_mm.errors import InputError
from stdpose_mm.models.structures import AuxiliaryLabels, split_windows
from support.model_samples import (
    FLIP_INDICES,
    NUM_JOINTS,
    appearance_cfg,
    build,
    codec_cfg,
    estimation_sample,
    segment_batch,
    tiny_cfg,
    window_batch,
)
from support.tiny_models import stdpose_cfg
from support.vitpose_names import (
    ARCHITECTURES,
    original_simple_vitpose_checkpoint,
    original_vitpose_checkpoint,
    simple_vitpose_checkpoint,
    vitpose_checkpoint,
)

DECONV = dict(deconv_out_channels=(96, 64), deconv_kernel_sizes=(4, 4))


@pytest.fixture(scope='module')
def model() -> nn.Module:
    """The small model with everything on, as if it had been trained a little."""
    network = build(tiny_cfg(use_prior=True, mi=True))
    network.train()
    with torch.no_grad():
        network(**prepare(network), mode='loss')
    return network.eval()


def prepare(network: nn.Module, batch: dict | None = None, training: bool = True) -> dict:
    return network.data_preprocessor(window_batch(2) if batch is None else batch, training)


def total(losses: dict[str, torch.Tensor]) -> torch.Tensor:
    return sum(value for name, value in losses.items() if 'loss' in name)


def keypoints(network: nn.Module, data: dict) -> np.ndarray:
    with torch.no_grad():
        samples = network(data['inputs'], copy.deepcopy(data['data_samples']), mode='predict')
    return np.concatenate([sample.pred_instances.keypoints for sample in samples])


def heatmaps(network: nn.Module, data: dict, **test_cfg) -> torch.Tensor:
    network = with_test_cfg(network, output_heatmaps=True, **test_cfg)
    with torch.no_grad():
        samples = network.predict(data['inputs'], copy.deepcopy(data['data_samples']))
    return torch.stack([sample.pred_fields.heatmaps for sample in samples])


def with_test_cfg(network: nn.Module, **test_cfg) -> nn.Module:
    changed = copy.copy(network)
    changed.test_cfg = test_cfg
    return changed


class TestForward:
    def test_parts_add_up_to_extract_feat(self, model):
        data = prepare(model)
        given = AuxiliaryLabels.from_data_samples(data['data_samples'])
        with torch.no_grad():
            whole = model.extract_feat(data['inputs'], given)
            frames = [model.encode_frames(data['inputs'][:, index]) for index in range(3)]
            features = torch.stack(frames, dim=1)
            parts = model.fuse(features, model.predict_frame_heatmaps(features), given)
        for one, other in zip(whole, parts, strict=True):
            torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)

    def test_backbone_runs_once_on_all_frames(self, model, monkeypatch):
        sizes = []
        encode = model.backbone.forward
        monkeypatch.setattr(
            model.backbone, 'forward', lambda images: (sizes.append(len(images)), encode(images))[1]
        )
        model.extract_feat(prepare(model)['inputs'])
        assert sizes == [6]


def test_a_backbone_of_another_width_than_the_heads_is_one_sentence_with_both_numbers():
    cfg = tiny_cfg()
    cfg['backbone']['arch'] = dict(
        embed_dims=32, num_layers=1, num_heads=2, feedforward_channels=32
    )
    network = build(cfg)
    sentence = 'features of 32 channels, in_channels of FrameHead is 128, set .* to 32'
    with pytest.raises(InputError, match=sentence):
        network(**prepare(network), mode='loss')
    with pytest.raises(InputError, match=sentence):
        network(prepare(network)['inputs'], None, mode='tensor')


class TestGivenLabels:
    def test_given_maps_replace_the_auxiliary_frames_maps(self, model):
        data = prepare(model, window_batch(2, give=(False, True)))
        given = AuxiliaryLabels.from_data_samples(data['data_samples'])
        maps = model.extract_feat(data['inputs'], given).frame_heatmaps
        predicted = model.extract_feat(data['inputs']).frame_heatmaps
        torch.testing.assert_close(maps[:, 2], given.heatmaps[:, 1])
        torch.testing.assert_close(maps[:, :2], predicted[:, :2])

    @pytest.mark.parametrize('field', ['given_heatmaps', 'prior_heatmaps'])
    def test_prediction_depends_on_them(self, model, field):
        data = prepare(model)
        before = keypoints(model, data)
        fields = data['data_samples'][0].gt_fields
        fields.set_field(fields.get(field).roll(5, -1), field)
        assert not np.allclose(keypoints(model, data)[0], before[0], atol=1e-4)
        np.testing.assert_allclose(keypoints(model, data)[1], before[1], atol=1e-3)

    def test_prior_is_not_read_unless_configured(self):
        network = build(tiny_cfg(use_prior=False)).eval()
        data = prepare(network)
        before = keypoints(network, data)
        fields = data['data_samples'][0].gt_fields
        fields.prior_heatmaps = fields.prior_heatmaps.roll(5, -1)
        np.testing.assert_array_equal(keypoints(network, data), before)

    def test_mixed_batch_is_predicted_as_its_samples_alone(self, model):
        data = prepare(model)
        labelled, bare = data['data_samples'][0], estimation_sample(data['data_samples'][1])
        together = heatmaps(model, {**data, 'data_samples': [labelled, bare]})
        for index, sample in enumerate((labelled, bare)):
            alone = {'inputs': data['inputs'][index : index + 1], 'data_samples': [sample]}
            torch.testing.assert_close(together[index], heatmaps(model, alone)[0])


class TestLoss:
    @pytest.mark.slow
    @pytest.mark.parametrize(('batch_size', 'amp'), [(1, True), (2, False)])
    def test_every_parameter_gets_a_finite_gradient(self, batch_size, amp):
        network = build(tiny_cfg(use_prior=True, mi=True)).train()
        data = prepare(network, window_batch(batch_size))
        with torch.autocast('cpu', torch.bfloat16, enabled=amp):
            losses = network(**data, mode='loss')
        total(losses).backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name

    def test_frame_head_loss_sees_frames_in_order_with_their_weights(self):
        network = build(tiny_cfg(frame_head_loss_weight=2.0)).train()
        data = prepare(network)
        labels = data['data_samples'][1].gt_instance_labels
        labels.aux_keypoint_weights[0, 1, :5] = 0  # right frame
        seen = []
        frame_loss = network.frame_head.loss_module
        frame_loss.register_forward_pre_hook(lambda _, args: seen.append(args))
        losses = network(**data, mode='loss')
        ((output, target, weights),) = seen
        fields = data['data_samples'][1].gt_fields
        assert output.shape == target.shape == (6, NUM_JOINTS, 32, 24)
        torch.testing.assert_close(target[3], fields.aux_heatmaps[:NUM_JOINTS])
        torch.testing.assert_close(target[4], fields.heatmaps)
        torch.testing.assert_close(target[5], fields.aux_heatmaps[NUM_JOINTS:])
        assert weights.sum(1).tolist() == [15, 15, 15, 15, 15, 10]
        expected = 2 * frame_loss(output, target, weights)
        torch.testing.assert_close(losses['loss_frame_kpt'], expected)

    @pytest.mark.parametrize('neck', [True, False], ids=['neck', 'no neck'])
    def test_pruning_learns_from_the_labels_of_every_frame_that_is_encoded(self, neck):
        network = build(pruned_cfg(neck)).train()
        data = prepare(network)
        labels = data['data_samples'][1].gt_instance_labels
        labels.aux_keypoint_weights[0, 1, :5] = 0  # right frame
        crops, targets, weights = [], [], []
        for inputs, sample in zip(data['inputs'], data['data_samples'], strict=True):
            fields, labels = sample.gt_fields, sample.gt_instance_labels
            left, right = fields.aux_heatmaps.chunk(2)
            left_weights, right_weights = labels.aux_keypoint_weights[0]
            frames = slice(0, 3) if neck else slice(1, 2)
            crops += inputs[frames]
            targets += [left, fields.heatmaps, right][frames]
            weights += [left_weights, labels.keypoint_weights[0], right_weights][frames]
        with torch.no_grad():
            scores, _ = network.backbone(torch.stack(crops))
        labels = torch.stack(targets), torch.stack(weights)
        expected = network.backbone.pruning.losses(scores, *labels)
        losses = network(**data, mode='loss')
        torch.testing.assert_close(losses['loss_tokens'].detach(), expected['loss_tokens'])
        assert 0 < losses['kept_joints'] == expected['kept_joints'] < 1

    def test_papers_setting_has_no_frame_head_loss(self):
        network = build(tiny_cfg(frame_head_loss_weight=0.0)).train()
        assert set(network(**prepare(network), mode='loss')) == {'loss_kpt', 'acc_pose'}

    def test_literal_information_compares_the_final_maps_and_leaves_the_frame_head(self):
        def trained(**changes):
            cfg = tiny_cfg(mi=True, frame_head_loss_weight=0.0)
            cfg['mi_loss'].update(changes)
            network = build(cfg).train()
            losses = network(**prepare(network), mode='loss')
            return losses, network

        literal, network = trained(estimator='literal')
        _, other = trained(alpha=0, beta=0)
        (label,) = torch.autograd.grad(
            literal['loss_mi_label_heatmap'], network.head.final_layer.weight, retain_graph=True
        )
        assert label.abs().max() > 0
        assert network.frame_head.training
        for name, buffer in network.frame_head.named_buffers():
            torch.testing.assert_close(buffer, other.frame_head.get_buffer(name))

    def test_literal_information_decodes_the_final_maps_once(self):
        cfg = tiny_cfg(mi=True, frame_head_loss_weight=0.0)
        cfg['mi_loss']['estimator'] = 'literal'
        network = build(cfg).train()
        network(**prepare(network), mode='loss')
        counts = {
            int(buffer)
            for name, buffer in network.head.named_buffers()
            if name.endswith('num_batches_tracked')
        }
        assert counts == {1}

    def test_literal_information_needs_a_frame_head(self):
        cfg = tiny_cfg(mi=True, frame_head_loss_weight=0.0)
        cfg['mi_loss']['estimator'] = 'literal'
        cfg['frame_head'] = None
        with pytest.raises(InputError, match="estimator='literal' needs a frame_head"):
            build(cfg)


class TestPredict:
    def test_keypoints_are_in_image_pixels(self, model):
        data = prepare(model)
        before = keypoints(model, data)
        for sample in data['data_samples']:
            sample.set_metainfo(
                dict(
                    input_center=sample.metainfo['input_center'] * 2 + 100,
                    input_scale=sample.metainfo['input_scale'] * 2,
                )
            )
        np.testing.assert_allclose(keypoints(model, data), before * 2 + 100, atol=1e-3)

    def test_flip_test_averages_with_the_mirrored_window(self, model):
        data = prepare(model)
        given = AuxiliaryLabels.from_data_samples(data['data_samples'])
        with torch.no_grad():
            straight = model.head(model.extract_feat(data['inputs'], given))
            mirrored_given = given.flip(FLIP_INDICES)
            mirrored = model.head(model.extract_feat(data['inputs'].flip(-1), mirrored_given))
        expected = (straight + mirrored.flip(-1)[:, FLIP_INDICES]) / 2
        torch.testing.assert_close(heatmaps(model, data, flip_test=True), expected)

    def test_a_mirrored_window_gives_the_mirrored_maps(self, model):
        data = prepare(model)
        mirrored = copy.deepcopy(data)
        mirrored['inputs'] = mirrored['inputs'].flip(-1)
        for sample in mirrored['data_samples']:
            fields, mask = sample.gt_fields, sample.gt_instance_labels.given_mask
            given = fields.given_heatmaps.flip(-1).view(2, NUM_JOINTS, 32, 24)
            fields.given_heatmaps = given[:, FLIP_INDICES].flatten(0, 1)
            fields.prior_heatmaps = fields.prior_heatmaps.flip(-1)[FLIP_INDICES]
            sample.gt_instance_labels.given_mask = mask[..., FLIP_INDICES]
        mirrored_maps = heatmaps(model, mirrored, flip_test=True)
        expected = heatmaps(model, data, flip_test=True).flip(-1)[:, FLIP_INDICES]
        torch.testing.assert_close(mirrored_maps, expected)

    def test_frame_head_baseline_sees_the_key_frame_only(self, model):
        baseline = with_test_cfg(model, use_frame_head=True, flip_test=True)
        data = prepare(model)
        before = keypoints(baseline, data)
        data['inputs'][:, [0, 2]] = 0
        data['data_samples'] = [estimation_sample(sample) for sample in data['data_samples']]
        np.testing.assert_array_equal(keypoints(baseline, data), before)
        assert not np.allclose(keypoints(with_test_cfg(model), data), before, atol=1e-3)


def pruned_cfg(neck: bool) -> dict:
    cfg = tiny_cfg() if neck else ablation('a')
    cfg['backbone']['pruning'] = dict(after=2, keep=0.5)
    return cfg


def ablation(name: str) -> dict:
    """The paper's ablation, method.md's (a) to (f)."""
    cfg = tiny_cfg(mi=name == 'f')
    plain = {key: cfg['head'][key] for key in ('in_channels', 'out_channels', 'loss', 'decoder')}
    if name == 'a':
        cfg.update(neck=None, frame_head=None, frame_head_loss_weight=0.0)
        cfg['head'] = dict(type='SingleSourceHead', source='frame_feature', **plain, **DECONV)
    elif name == 'b':
        cfg['neck']['tks'] = None
        cfg.update(frame_head=None, frame_head_loss_weight=0.0)
        cfg['head'] = dict(type='SingleSourceHead', source='fused_feature', **plain, **DECONV)
    elif name == 'c':
        cfg['neck']['tff'] = None
        plain.update(in_channels=NUM_JOINTS, deconv_out_channels=None)
        cfg['head'] = dict(type='SingleSourceHead', source='merged_heatmaps', **plain)
    elif name == 'd':
        cfg['head']['mask'] = None
    return cfg


@pytest.mark.slow
@pytest.mark.parametrize('name', list('abcdef'))
def test_ablation_trains_and_predicts(name):
    network = build(ablation(name)).train()
    data = prepare(network)
    total(network(**data, mode='loss')).backward()
    unused = [n for n, parameter in network.named_parameters() if parameter.grad is None]
    assert not unused
    assert keypoints(network.eval(), data).shape == (2, NUM_JOINTS, 2)


@pytest.mark.parametrize(
    ('overrides', 'message'),
    [
        (dict(neck=None), 'needs a neck, got neck=None'),
        (dict(frame_head=None), 'need a frame_head'),
        (
            dict(frame_head=None, frame_head_loss_weight=0.0, test_cfg=dict(use_frame_head=True)),
            'need a frame_head',
        ),
        (dict(test_cfg=dict(flip_tst=True)), "nothing reads, write 'flip_test'"),
    ],
)
def test_contradicting_configs_are_errors(overrides, message):
    with pytest.raises(ValueError, match=message):
        build(tiny_cfg(**overrides))


def test_a_head_of_the_user_may_read_settings_of_its_own():
    assert build(tiny_cfg(test_cfg=dict(blur=3))).test_cfg == {'blur': 3}


def big_cfg(arch: str, grid: tuple[int, int] = (16, 12)) -> dict:
    dims, _, heads = ARCHITECTURES[arch]
    rows, columns = grid
    codec = codec_cfg((16 * columns, 16 * rows), (4 * columns, 4 * rows))
    return stdpose_cfg(17, codec, dims, heads, deconv=(256, 256), arch=arch)


@pytest.mark.slow
@pytest.mark.filterwarnings('ignore:.*copying from a non-meta parameter')
@pytest.mark.parametrize(
    ('arch', 'checkpoint', 'grid'),
    [
        ('small', original_vitpose_checkpoint, (16, 12)),
        ('base', vitpose_checkpoint, (24, 18)),
        ('large', original_vitpose_checkpoint, (24, 18)),
        ('huge', vitpose_checkpoint, (16, 12)),
    ],
)
def test_vitpose_checkpoint_fills_backbone_and_frame_head(arch, checkpoint, grid):
    with torch.device('meta'):
        network = build(big_cfg(arch, grid))
        state = {name: torch.empty(shape) for name, shape in checkpoint(arch).items()}
    result = network.load_state_dict(state, strict=False)
    assert not result.unexpected_keys
    assert {name.split('.')[0] for name in result.missing_keys} == {'neck', 'head'}
    # The head of a model of single frames fills the frame head alone.
    assert 'head.final_layer.weight' in result.missing_keys


def light_cfg(arch: str) -> dict:
    """The light form of ``big_cfg``."""
    cfg = big_cfg(arch)
    dims, _, heads = ARCHITECTURES[arch]
    simple = dict(upsample=4, deconv_out_channels=None, deconv_kernel_sizes=None)
    cfg['neck']['tff'] = dict(type='KeyFrameFusion', embed_dims=dims, num_heads=heads)
    return {**cfg, 'frame_head': {**cfg['frame_head'], **simple}, 'head': {**cfg['head'], **simple}}


@pytest.mark.filterwarnings('ignore:.*copying from a non-meta parameter')
@pytest.mark.parametrize(
    'checkpoint', [simple_vitpose_checkpoint, original_simple_vitpose_checkpoint]
)
def test_checkpoint_with_the_simple_decoder_fills_the_light_form(checkpoint):
    cfg = light_cfg('small')
    with torch.device('meta'):
        network = build(cfg)
        state = {name: torch.empty(shape) for name, shape in checkpoint('small').items()}
    result = network.load_state_dict(state, strict=False)
    assert not result.unexpected_keys
    assert {name.split('.')[0] for name in result.missing_keys} == {'neck', 'head'}
    cfg['backbone']['arch'] = dict(
        embed_dims=384, num_layers=1, num_heads=12, feedforward_channels=1536
    )
    network = build(cfg)
    weights = {
        name: torch.randn(shape)
        for name, shape in checkpoint('small').items()
        if 'final_layer' in name
    }
    expected = dict(weights)
    network.load_state_dict(weights, strict=False)
    for name, value in network.frame_head.final_layer.state_dict().items():
        (stored,) = (value for key, value in expected.items() if key.endswith(name))
        torch.testing.assert_close(value, stored)


class TestLoading:
    def test_per_frame_ablation_fills_the_frame_head(self):
        baseline, network = build(ablation('a')), build(tiny_cfg())
        result = network.load_state_dict(baseline.state_dict(), strict=False)
        assert not result.unexpected_keys
        assert {name.split('.')[0] for name in result.missing_keys} == {'neck', 'head'}
        build(ablation('a'), seed=1).load_state_dict(baseline.state_dict(), strict=True)


@pytest.mark.slow
def test_shared_crops_give_the_losses_of_the_windows_one_by_one():
    """The same windows, once with their crops encoded once, once each with its own three."""
    network = build(appearance_cfg()).eval()
    shared = prepare(network, segment_batch(2, num_keys=3))
    with torch.no_grad():
        together = network.loss(shared['inputs'], shared['data_samples'])
        windows = shared['inputs'][:, [[0, 1, 4], [0, 2, 4], [0, 3, 4]]].flatten(0, 1)
        samples = [w for sample in shared['data_samples'] for w in split_windows(sample)]
        apart = network.loss(windows, samples)
    torch.testing.assert_close(together['loss_kpt'], apart['loss_kpt'])


def test_frame_head_learns_from_every_frame_of_a_sample_once():
    network = build(tiny_cfg(use_prior=True)).eval()
    data = prepare(network, segment_batch(1, num_keys=3))
    frames = []
    network.frame_head.loss_module.register_forward_pre_hook(
        lambda _, args: frames.append([len(value) for value in args])
    )
    with torch.no_grad():
        network.loss(data['inputs'], data['data_samples'])
    assert frames == [[5, 5, 5]]


@pytest.mark.slow
def test_a_compiled_model_has_the_same_losses():
    """MMEngine compiles the training step for ``compile=True``."""
    cfg = tiny_cfg()
    cfg['backbone']['arch'] = dict(
        embed_dims=128, num_layers=1, num_heads=4, feedforward_channels=128
    )
    for part in (cfg['neck']['tff'], cfg['head']):
        part['num_blocks'] = 1
    network = build(cfg)
    batch = window_batch(1)

    def step() -> torch.Tensor:
        return total(network(**prepare(network, batch), mode='loss'))

    expected = step()
    torch._dynamo.reset()
    torch.testing.assert_close(torch.compile(step, backend='eager')(), expected)
