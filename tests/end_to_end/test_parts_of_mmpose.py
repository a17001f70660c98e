"""The tiny STDPose with parts of MMPose, by config alone: from backbone to sampler and hook."""

from __future__ import annotations

import copy
from pathlib import Path

import cv2
import mmpose
import numpy as np
import pytest
from mmengine.config import Config
from mmpose.apis import MMPoseInferencer, inference_topdown, init_model
from mmpose.datasets.datasets.utils import parse_pose_metainfo

from stdpose_mm.cli.test import main as run_test
from stdpose_mm.cli.train import main as run_train
from stdpose_mm.errors import InputWarning
from stdpose_mm.io.labels import write_labels
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels
from support.small_configs import read

pytestmark = pytest.mark.slow

SIDE, FRAMES = 64, 9
BOX = (8.0, 8.0, 48.0, 48.0)

MMPOSE = Path(mmpose.__file__).parent / '.mim' / 'configs'
BACKBONES = {
    'res50_8xb64': (dict(depth=18), 512, (2, 2), (16, 16, 16)),
    'hrnet-w32_8xb64': ({}, 32, (16, 16), None),
    'swin-t-p4-w7_8xb32': (
        dict(depths=(1, 1, 2, 1), embed_dims=24, num_heads=(1, 2, 4, 8)),
        *(192, (2, 2), (16, 16, 16)),
    ),
}
"""Part of a config's name -> what makes its backbone small, width D, size of the feature map, and
the upsampling layers that make 16x16 maps of it."""

CODECS = {
    'coco.py': dict(type='MSRAHeatmap', sigma=1),
    'ap10k.py': dict(type='UDPHeatmap', sigma=1),
    'coco_wholebody_hand.py': dict(type='MegviiHeatmap', kernel_size=5),
}


def write_video(root: Path, name: str, skeleton: Skeleton) -> None:
    """A moving subject on noise, with labels in every frame."""
    rng = np.random.default_rng(len(name))
    pose = rng.uniform(14, 44, (len(skeleton.keypoint_names), 2))
    frames, people = [], []
    for index in range(FRAMES):
        file = f'images/{name}/{index:06d}.png'
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / file), rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8))
        frames.append(VideoFrame(index, file_name=file, image_id=index + 1))
        flags = np.full(len(pose), 2)
        people.append(PersonLabel(index, pose + index, flags, track_id=0, bbox=np.array(BOX)))
    labels = VideoLabels(name, skeleton, tuple(frames), tuple(people))
    write_labels(labels, root / f'{name}.json', 'posetrack18')


def config_of(root: Path, backbone: str, metainfo_file: str) -> Config:
    """The tiny config with MMPose's backbone, codec, joints, combined dataset and metric."""
    metainfo = dict(from_file=str(MMPOSE / '_base_' / 'datasets' / metainfo_file))
    parsed = parse_pose_metainfo(metainfo)
    names = tuple(parsed['keypoint_id2name'].values())
    for name in ('first', 'second', 'tested'):
        write_video(root, name, Skeleton(names))

    cfg = copy.deepcopy(read('stdpose_tiny_propagation_synthetic.py'))
    sizes = dict(input_size=(SIDE, SIDE), heatmap_size=(16, 16))
    codec = dict(**CODECS[metainfo_file], **sizes)
    shallow, width, grid, deconv = BACKBONES[backbone]
    coco = MMPOSE / 'body_2d_keypoint' / 'topdown_heatmap' / 'coco'
    model = cfg.model
    model.backbone = Config.fromfile(coco / f'td-hm_{backbone}-210e_coco-256x192.py').model.backbone
    model.backbone.update(shallow, init_cfg=None)
    for stage in model.backbone.get('extra', {}).values():
        stage.update(num_modules=1, num_blocks=(1,) * stage.num_branches)
    head = dict(
        in_channels=width,
        out_channels=len(names),
        deconv_out_channels=deconv,
        deconv_kernel_sizes=None if deconv is None else (4,) * len(deconv),
    )
    # A dictionary would be merged with that of the base.
    model.frame_head.decoder = model.head.decoder = codec
    model.frame_head.update(head)
    model.head.update(head, feature_size=grid, patch_size=16 // grid[0], num_blocks=1)
    model.neck.tff.update(embed_dims=width, num_blocks=1)
    model.neck.tks.num_joints = model.head.mask.num_joints = len(names)
    for split in ('train', 'val', 'test'):
        loader = cfg[f'{split}_dataloader']
        loader.update(batch_size=2, num_workers=0, persistent_workers=False)
        for step in loader.dataset.pipeline:
            if step.type == 'GenerateWindowTarget':
                step.encoder = codec
            elif step.type == 'WindowTopdownAffine':
                step.update(input_size=(SIDE, SIDE), use_udp=codec['type'] == 'UDPHeatmap')
        loader.dataset.update(
            type='GenericWindowDataset', data_root=str(root), ann_file='tested.json', interval=4
        )
        loader.dataset.update(metainfo=metainfo, held_out_share=0.0)
        loader.dataset.pop('held_out', None)
    part = cfg.train_dataloader.dataset
    cfg.train_dataloader.dataset = dict(
        type='CombinedDataset',
        metainfo=metainfo,
        pipeline=part.pop('pipeline'),
        datasets=[{**part, 'ann_file': f'{name}.json'} for name in ('first', 'second')],
    )
    cfg.train_dataloader.sampler = dict(
        type='MultiSourceSampler', batch_size=2, source_ratio=[1, 1]
    )
    cfg.custom_hooks.append(dict(type='EMAHook', ema_type='ExpMomentumEMA'))
    cfg.test_evaluator = dict(type='PCKAccuracy', thr=0.5, norm_item='bbox')
    cfg.val_evaluator = cfg.val_dataloader = cfg.val_cfg = None
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=1)
    cfg.visualizer.vis_backends = [dict(type='LocalVisBackend')]
    cfg.default_hooks.checkpoint = dict(
        type='CheckpointHook', by_epoch=False, interval=1, save_optimizer=False
    )
    return cfg


@pytest.mark.parametrize(
    ('backbone', 'metainfo_file', 'num_joints'),
    [
        ('res50_8xb64', 'coco.py', 17),
        ('hrnet-w32_8xb64', 'ap10k.py', 17),
        ('swin-t-p4-w7_8xb32', 'coco_wholebody_hand.py', 21),
    ],
)
def test_trains_tests_and_predicts(backbone, metainfo_file, num_joints, tmp_path, capsys):
    config = str(tmp_path / 'config.py')
    parts = config_of(tmp_path, backbone, metainfo_file)
    # MMEngine keeps its visualizer by this name and the second of the start.
    parts.experiment_name = backbone
    parts.dump(config)
    run = ['--work-dir', str(tmp_path / 'run')]
    assert run_train([config, *run, '--auto-scale-lr']) == 0, capsys.readouterr().err
    weights = str(tmp_path / 'run' / 'iter_1.pth')
    metrics = tmp_path / 'metrics.json'
    assert run_test([config, weights, *run, '--out', str(metrics)]) == 0, capsys.readouterr().err
    assert '"PCK": ' in metrics.read_text()

    files = sorted((tmp_path / 'images' / 'tested').iterdir())
    pictures = [cv2.imread(str(file)) for file in files]
    inferencer = MMPoseInferencer(pose2d=config, pose2d_weights=weights, device='cpu')
    results = [*inferencer(pictures, bboxes=[[(8, 8, 56, 56)]] * FRAMES)]
    poses = np.array([result['predictions'][0][0]['keypoints'] for result in results])
    assert poses.shape == (FRAMES, num_joints, 2)
    assert np.isfinite(poses).all()

    model = init_model(config, weights, device='cpu')
    with pytest.warns(InputWarning, match='a single picture fills all frames'):
        (person,) = inference_topdown(model, pictures[0], [[8, 8, 56, 56]])
    still = [*inferencer(pictures[:1] * 3, bboxes=[[(8, 8, 56, 56)]] * 3)][1]
    # MMPose's UDPHeatmap throws joints of flat maps far away, where rounding shows.
    others = np.array(still['predictions'][0][0]['keypoints'])
    assert np.median(np.abs(person.pred_instances.keypoints[0] - others)) < 1e-3
