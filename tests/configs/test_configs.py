"""Every config: its dataset, pipelines, codec, model, optimizer and schedules fit together."""

from __future__ import annotations

import ast
import copy
import re
from functools import cache
from pathlib import Path
from typing import Any

import mmpose
import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import DATASETS, MODELS, PARAM_SCHEDULERS
from torch import nn

import stdpose_mm  # noqa: F401 - registers what the configs name
from stdpose_mm.models.structures import SpatioTemporalRepresentation
from stdpose_mm.structures import POSETRACK_SKELETON, Skeleton
from support.small_configs import ALIASES, NAMES, read, small_model_cfg, width_of
from support.window_results import window_results

PATTERN = re.compile(
    r'(stdpose|semantic_motion)_(tiny|small|base|large|huge)_'
    r'(propagation|estimation)_(posetrack(17|18|21|_pilot)|synthetic|jhmdb)(_\w+)?\.py'
)
PICTURE_SIZE = (320, 240)
PERSON = (100, 40, 220, 200)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings('ignore:.*copying from a non-meta parameter'),
]


WITH_FRAME_HEAD = [name for name in NAMES if read(name).model.get('frame_head')]
ABLATIONS = [name for name in NAMES if name.startswith('ablations/')]
LITERAL = [name for name in NAMES if name.startswith('literal/')]
LITERAL_MODELS = [name for name in LITERAL if name.endswith('_literal.py')]
LITERAL_FLAGSHIP = 'literal/stdpose_base_propagation_posetrack17_literal.py'
FINETUNED = 'stdpose_tiny_propagation_synthetic_finetune.py'
PRETRAINED = [name for name in NAMES if read(name).load_from and name != FINETUNED]
WITH_OWN_JOINTS = [
    name for name in NAMES if read(name).train_dataloader.dataset.type != 'GenericWindowDataset'
]


@pytest.fixture(params=NAMES)
def cfg(request: pytest.FixtureRequest) -> Config:
    """Every config; fewer where a test is parametrised indirectly."""
    init_default_scope('mmpose')
    return copy.deepcopy(read(request.param))


def lazy_dataset(dataset_cfg: ConfigDict, num_joints: int) -> Any:
    """The dataset of a config without its files, of which generic ones read the skeleton."""
    dataset_cfg = copy.deepcopy(dataset_cfg)
    if dataset_cfg.type == 'GenericWindowDataset':
        named = [name for name in POSETRACK_SKELETON.keypoint_names if 'ear' not in name]
        names = named if num_joints == 15 else POSETRACK_SKELETON.keypoint_names
        dataset_cfg.metainfo = Skeleton(tuple(names)).to_metainfo('generic')
    return DATASETS.build(dict(**dataset_cfg, lazy_init=True))


def window(metainfo: dict[str, Any], seed: int = 0, num_frames: int = 3) -> dict[str, Any]:
    """A sample as a dataset gives it, its pictures included; everything is given."""
    rng = np.random.default_rng(seed)
    num_joints = len(metainfo['flip_indices'])
    low, high = np.split(np.array(PERSON, np.float32), 2)
    poses = rng.uniform(low + 15, high - 15, (num_joints, 2)) + rng.normal(
        0, 4, (num_frames, num_joints, 2)
    )
    width, height = PICTURE_SIZE
    keys = ('dataset_name', 'flip_pairs', 'flip_indices', 'dataset_keypoint_weights')
    keys += ('upper_body_ids', 'lower_body_ids', 'skeleton_links')
    pictures = rng.integers(0, 256, (num_frames, height, width, 3), dtype=np.uint8)
    fields = {key: metainfo[key] for key in keys}
    return window_results(
        pictures, poses, PERSON, id=seed, track_id=seed, sample_idx=seed, **fields
    )


def batch(dataset: Any) -> dict[str, Any]:
    num_frames = dataset.selection.num_frames
    windows = [window(dataset.metainfo, seed, num_frames) for seed in range(2)]
    return pseudo_collate([dataset.pipeline(sample) for sample in windows])


def small_model(cfg: Config) -> Any:
    torch.manual_seed(0)
    np.random.seed(0)
    return MODELS.build(small_model_cfg(cfg))


# The tests


def test_is_found():
    assert len(NAMES) > 20


def test_name_says_model_size_task_and_data():
    for name in NAMES:
        model, size, task, *_ = PATTERN.fullmatch(Path(name).name).groups()
        cfg = read(name)
        assert (cfg.model.type == 'SemanticMotionPose') == (model == 'semantic_motion'), name
        assert (cfg.model.backbone.arch, cfg.test_dataloader.dataset.task) == (size, task), name


def test_short_name_is_the_same_config():
    for alias, name in ALIASES.items():
        assert read(alias).to_dict() == read(name).to_dict(), alias


@cache
def full_size_shape(model_cfg: str, width: int, height: int) -> torch.Size:
    """The shape of the heatmaps of a model; several configs have the same one."""
    with torch.device('meta'):
        model = MODELS.build(ast.literal_eval(model_cfg)).eval()
        crops = torch.empty(1, model.num_frames, 3, height, width)
    return model(crops, None, mode='tensor').shape


def test_full_size_model_builds_and_runs(cfg):
    expected = (1, cfg.model.head.out_channels, *reversed(cfg.codec.heatmap_size))
    assert full_size_shape(repr(cfg.model.to_dict()), *cfg.codec.input_size) == expected


@pytest.mark.parametrize(
    ('cfg', 'head_name'),
    [*((name, 'head') for name in NAMES), *((name, 'frame_head') for name in WITH_FRAME_HEAD)],
    indirect=['cfg'],
)
def test_decoding_undoes_encoding(cfg, head_name, monkeypatch):
    """Heatmaps that equal the target give the label, in pixels of the picture."""
    model = small_model(cfg).eval()
    model.test_cfg = dict(flip_test=False, use_frame_head=head_name == 'frame_head')
    dataset = lazy_dataset(cfg.test_dataloader.dataset, cfg.model.head.out_channels)
    packed = batch(dataset)
    target = torch.stack([sample.gt_fields.heatmaps for sample in packed['data_samples']])
    monkeypatch.setattr(getattr(model, head_name), 'forward', lambda feats: target)
    for seed, sample in enumerate(model.test_step(packed)):
        num_frames = dataset.selection.num_frames
        expected = window(dataset.metainfo, seed, num_frames)['keypoints']
        assert sample.gt_instance_labels.keypoint_weights.all()
        np.testing.assert_allclose(sample.pred_instances.keypoints, expected, atol=0.5)


@pytest.mark.parametrize('cfg', [name for name in NAMES if name not in LITERAL], indirect=True)
def test_labels_are_given_in_testing_and_in_training(cfg):
    num_joints = cfg.model.head.out_channels
    train = batch(lazy_dataset(cfg.train_dataloader.dataset, num_joints))['data_samples']
    test = batch(lazy_dataset(cfg.test_dataloader.dataset, num_joints))['data_samples']
    assert all(sample.gt_instance_labels.given_mask.all() for sample in test)
    given = [bool(sample.gt_instance_labels.given_mask.any()) for sample in train]
    assert given == [True, True]


@pytest.mark.parametrize('cfg', [name for name in NAMES if '/' not in name], indirect=True)
def test_only_weights_of_layers_decay(cfg):
    """Not positions, tokens that stand for hidden ones, biases and factors."""
    model = small_model(cfg)
    groups = build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups
    decayed = {id(value) for group in groups if group['weight_decay'] for value in group['params']}
    parameters = dict(model.named_parameters())
    assert {name for name, value in parameters.items() if id(value) in decayed} == {
        name for name, value in parameters.items() if name.endswith('.weight') and value.ndim > 1
    }


def test_schedules_build():
    init_default_scope('mmpose')
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    for name in NAMES:
        cfg = read(name)
        for scheduler in cfg.param_scheduler:
            PARAM_SCHEDULERS.build(dict(**scheduler), default_args=dict(optimizer=optimizer))
            length = cfg.train_cfg.get('max_epochs' if scheduler.by_epoch else 'max_iters')
            assert length is None or scheduler.end <= length, name


def test_learning_rate_is_for_the_batches_of_the_config():
    """In one process, or in those that docs/reference/configs.md states for the ViTs."""
    for name in NAMES:
        cfg = read(name)
        processes = 1 if cfg.model.backbone.arch == 'tiny' else 4
        batch_size = processes * cfg.train_dataloader.batch_size
        assert cfg.auto_scale_lr.base_batch_size == batch_size, name


def test_the_best_checkpoint_is_not_chosen_on_what_is_reported():
    """It is chosen on videos that are neither trained on nor tested on, if it is chosen at all."""
    for name in NAMES:
        cfg = read(name)
        if cfg.default_hooks.checkpoint.get('save_best') is None:
            continue
        train, val, test = (cfg[f'{part}_dataloader'].dataset for part in ('train', 'val', 'test'))
        assert val.ann_file != test.ann_file, name
        assert not {'held_out_share', 'held_out'} & set(test), name
        assert (val.held_out, train.get('held_out', 'exclude')) == ('only', 'exclude'), name
        assert 0 < val.held_out_share == train.held_out_share, name


def test_metrics_read_the_labels_of_their_datasets():
    for name in NAMES:
        cfg = read(name)
        for part in ('test',) if cfg.val_dataloader is None else ('val', 'test'):
            dataset, metric = cfg[f'{part}_dataloader'].dataset, cfg[f'{part}_evaluator']
            assert metric.ann_file == dataset.data_root + dataset.ann_file, name
            for key in ('held_out_share', 'held_out'):
                assert metric.get(key) == dataset.get(key), name


def test_windows_are_cropped_in_testing_as_in_training():
    # Propagation and inference follow the test set.
    for name in NAMES:
        cfg = read(name)
        loaders = (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader)
        crops = {loader.dataset.get('crops', 'window') for loader in loaders if loader}
        assert len(crops) == 1, name


def test_only_tiny_models_start_from_scratch():
    for name in NAMES:
        cfg = read(name)
        is_tiny = cfg.model.backbone.arch == 'tiny'
        assert (cfg.load_from is None) == (is_tiny and name != FINETUNED), name


@pytest.mark.parametrize('cfg', [FINETUNED], indirect=True)
def test_weights_of_the_demo_fill_the_whole_model(cfg):
    stored = torch.load(cfg.load_from, weights_only=True)['state_dict']
    MODELS.build(cfg.model).load_state_dict(stored, strict=True)
    # None of them is empty or broken, and rounding to half precision is all that was lost.
    assert all(torch.isfinite(value).all() for value in stored.values())
    assert {value.dtype for value in stored.values()} == {torch.float16, torch.int64}


def decoder_of(cfg: Config) -> ConfigDict:
    """The head that a checkpoint of single frames starts."""
    return cfg.model.get('frame_head') or cfg.model.head


def test_pretrained_weights_are_those_of_the_backbone():
    folder = Path(mmpose.__file__).parent / '.mim/configs/body_2d_keypoint/topdown_heatmap/coco'
    listed = (folder / 'vitpose_coco.yml').read_text()
    for name in PRETRAINED:
        cfg = read(name)
        assert re.search(rf'^  Weights: {re.escape(cfg.load_from)}$', listed, re.M), name
        form = '' if decoder_of(cfg).get('upsample') is None else '-simple'
        assert f'/td-hm_ViTPose-{cfg.model.backbone.arch}{form}_8xb64' in cfg.load_from, name


@pytest.mark.parametrize('cfg', PRETRAINED, indirect=True)
def test_pretrained_weights_fit_at_every_input_size(cfg):
    width = width_of(cfg)
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
        classic = {
            'deconv_layers.0.weight': torch.empty(width, 256, 4, 4),
            'final_layer.weight': torch.empty(17, 256, 1, 1),
        }
        simple = {'final_layer.weight': torch.empty(17, width, 3, 3)}
        decoder = classic if decoder_of(cfg).get('upsample') is None else simple
        if decoder_of(cfg).get('shuffle_channels') is not None:
            # No released checkpoint has the sub-pixel decoder: only the backbone is pretrained.
            assert cfg.model.frame_head_loss_weight > 0
            decoder = {}
        stored = {
            'backbone.pos_embed': torch.empty(1, 16 * 12, width),
            **{f'head.{name}': weight for name, weight in decoder.items()},
        }
    missing, unexpected = model.load_state_dict(stored, strict=False)
    assert not unexpected
    started = 'frame_head' if cfg.model.get('frame_head') else 'head'
    assert not {f'{started}.{name}' for name in decoder} & {*missing}


def test_metainfo_of_its_dataset_has_the_models_joints():
    init_default_scope('mmpose')
    for name in WITH_OWN_JOINTS:
        cfg = read(name)
        metainfo = parse_pose_metainfo(DATASETS.get(cfg.train_dataloader.dataset.type).METAINFO)
        assert metainfo['num_keypoints'] == cfg.model.head.out_channels, name


# What the ablations are about

PARTS = {
    'a': set(),
    'b': {'tff'},
    'c': {'tks', 'frame_head'},
    'd': {'tff', 'tks', 'frame_head', 'stda'},
    'e': {'tff', 'tks', 'frame_head', 'stda', 'mask'},
}


PAPER_ABLATIONS = [name for name in ABLATIONS if re.search(r'stdpose_\w+_[a-e]_', name)]


def test_every_row_of_the_papers_table_is_a_config():
    assert sorted(re.search(r'_([a-e])_', name).group(1) for name in PAPER_ABLATIONS) == [*PARTS]


@pytest.mark.parametrize('name', PAPER_ABLATIONS)
def test_ablation_has_the_papers_parts_and_no_prior(name):
    letter = re.search(r'_([a-e])_', name).group(1)
    model = read(name).model
    neck = model.neck or {}
    parts = {
        'tff': neck.get('tff'),
        'tks': neck.get('tks'),
        'frame_head': model.get('frame_head'),
        'stda': model.head.type == 'STDPoseSTDAHead',
        'mask': model.head.get('mask'),
        'mi': model.get('mi_loss'),
    }
    assert {name for name, part in parts.items() if part} == PARTS[letter]
    assert not (neck.get('tks') or {}).get('use_prior')


def test_ablations_differ_in_the_model_alone():
    for name in ABLATIONS:
        (base,) = (b for b in NAMES if name.startswith(f'ablations/{b.removesuffix(".py")}_'))
        whole, ablated = read(base).to_dict(), read(name).to_dict()
        changed = {key for key in whole.keys() | ablated if whole.get(key) != ablated.get(key)}
        # (a) has the true boxes of the other rows, and estimation is tested with detected ones.
        boxes = {'test_dataloader', 'test_evaluator'} if name.endswith('_a_backbone.py') else set()
        assert changed <= {'model'} | boxes, name


SEMANTIC_PARTS = {
    'no_masks': {'mutual learning'},
    'tubes': {'tubes', 'context', 'mutual learning'},
    'frames': {'frames', 'context', 'poses', 'mutual learning'},
    'concatenation': {'tubes', 'frames', 'context', 'poses'},
}


@pytest.mark.parametrize('ending', SEMANTIC_PARTS)
def test_semantic_motion_ablation_leaves_out_what_it_names(ending):
    ablated = read(f'ablations/semantic_motion_base_estimation_posetrack17_{ending}.py').model
    parts = {
        'tubes': ablated.neck.tube_ratio,
        'frames': ablated.neck.masked_frames,
        'context': ablated.neck.context_decoder,
        'poses': ablated.neck.pose_decoder,
        'mutual learning': ablated.head.fusion.type == 'STDPoseSpatialMotionMutualLearning',
    }
    assert {name for name, part in parts.items() if part} == SEMANTIC_PARTS[ending]


# The paper read literally


@pytest.mark.parametrize(
    ('key', 'literal', 'flagship'),
    [
        ('train_target.aux_label_prob', 0, 1),
        ('train_target.label_jitter', 0, 0.3),
        ('train_target.label_dropout', 0, 0.05),
        ('train_dataloader.dataset.crops', 'window', 'window'),
        ('test_dataloader.dataset.crops', 'window', 'window'),
        ('train_dataloader.dataset.random_offset', False, True),
        ('train_dataloader.dataset.held_out_share', 0, 0.1),
        ('model.frame_head_loss_weight', 0, 1),
        ('model.backbone.drop_path_rate', 0, 0.3),
        # Eq. 4 of a joint: the squared norm, of which KeypointMSELoss takes the mean.
        ('model.head.loss.loss_weight', 64 * 48, 1),
        ('model.head.mask.normalization', 'softmax', 'mean'),
        ('model.head.mask.slope', 1.5, 10),
        ('model.head.mask.threshold', 0.5, 0.5),
        ('model.mi_loss.estimator', 'literal', 'variational'),
        ('model.mi_loss.per_pixel', False, True),
        ('model.mi_loss.alpha', 0.1, 0.1),
        ('model.mi_loss.beta', 0.01, 0.01),
        ('optim_wrapper.optimizer.lr', 2e-4, 2e-4),
        ('optim_wrapper.paramwise_cfg.layer_decay_rate', 1, 0.75),
        ('optim_wrapper.clip_grad.max_norm', None, 1),
        ('param_scheduler.0.type', 'MultiStepLR', 'LinearLR'),
        ('param_scheduler.-1.milestones', [12, 16], [12, 16]),
        ('train_cfg.max_epochs', 20, 20),
        ('val_dataloader.dataset.held_out', None, 'only'),
    ],
)
def test_literal_config_beside_the_flagship(key, literal, flagship):
    """The table of docs/reference/method.md; what a config leaves out has its class's default."""
    defaults = dict(
        aux_label_prob=1, crops='window', loss_weight=1, estimator='variational', per_pixel=True,
        layer_decay_rate=1,
    )  # fmt: skip

    def value_of(name: str) -> Any:
        cfg = read(name)
        node: Any = {**cfg.to_dict(), 'train_target': cfg.train_dataloader.dataset.pipeline[-2]}
        for part in key.split('.'):
            if isinstance(node, list):
                node = node[int(part)]
            else:
                node = (node or {}).get(part, defaults.get(part))
        return node

    assert [value_of(name) for name in LITERAL_MODELS] == 6 * [literal]
    assert value_of('stdpose_base_propagation_posetrack17.py') == flagship


@pytest.mark.parametrize('cfg', LITERAL, indirect=True)
def test_literal_config_has_the_squared_norm_of_eq_4(cfg):
    """Two joints of one window are off by 0.5 in 3 and 5 pixels, a third one has no label."""
    loss = MODELS.build(cfg.model.head.loss)
    output, target = torch.zeros(2, 1, 3, *reversed(cfg.codec.heatmap_size))
    output[0, 0, 0, :3] = output[0, 1, 7, :5] = output[0, 2] = 0.5
    value = loss(output, target, torch.tensor([[1.0, 1.0, 0.0]]))
    # A mean over the joints, as in Eq. 11.
    assert float(value) == pytest.approx((3 + 5) * 0.25 / 3)


@pytest.mark.parametrize('uniform', [False, True], ids=['zero', 'uniform'])
@pytest.mark.parametrize(
    ('cfg', 'acts'),
    [('stdpose_base_propagation_posetrack17.py', True), (LITERAL_FLAGSHIP, False)],
    indirect=['cfg'],
    ids=['flagship', 'literal'],
)
def test_the_flagships_mask_changes_the_heatmaps(cfg, acts, uniform):
    """A pose moves by ten heatmap pixels per frame; the mask is left out, or the same everywhere.

    In the paper's form, this changes nothing beyond rounding.
    """
    head = small_model(cfg).eval().head
    rows, columns = torch.arange(64)[:, None], torch.arange(48)
    places = [[(10 + 6 * t + 2 * k, 10 + 8 * t + k) for k in range(17)] for t in range(3)]
    squares = [[(rows - y) ** 2 + (columns - x) ** 2 for y, x in frame] for frame in places]
    frames = torch.stack([torch.exp(-torch.stack(frame) / 8) for frame in squares])[None]
    feature = torch.randn(1, 16, 16, 12)
    window = SpatioTemporalRepresentation(feature, feature, frames, frames[:, 1])
    with torch.no_grad():
        mask = head.mask(frames)
        changed = mask.mean().expand_as(mask) if uniform else torch.zeros_like(mask)
        before = head(window)
        head.mask.forward = lambda frames: changed
        change = (head(window) - before).norm() / before.norm()
    assert change > 1e-3 if acts else change < 1e-5
