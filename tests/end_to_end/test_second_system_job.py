"""The second system by the commands a user types: train, resume, test, infer, propagate, export.

The model is narrowed so that this takes seconds. Every command is a process of its own, a warm one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_main_job import (
    INTERVAL,
    NUM_FRAMES,
    keep_given_frames,
    people,
)

from support.paths import ROOT
from support.warm_commands import run

pytestmark = pytest.mark.slow

BASE = ROOT / 'configs' / 'semantic_motion_tiny_propagation_synthetic.py'
MAX_ITERS, CHECKPOINT_INTERVAL = 12, 4
PARTS = ('loss_kpt', 'loss_context_tubes', 'loss_context_frames', 'loss_masked_kpt')

CONFIG = """
_base_ = '{base}'
size = dict(embed_dims=16, num_heads=2)
head = dict(in_channels=16, deconv_out_channels=(8, 8))
model = dict(
    backbone=dict(
        arch=dict(
            _delete_=True, embed_dims=16, num_layers=1, num_heads=2, feedforward_channels=32
        )
    ),
    neck=dict(
        context_decoder=size, pose_decoder=head, pose_embed=dict(embed_dims=16), **size
    ),
    head=dict(fusion=size, **head),
)
root = '{data}'
train_dataloader = dict(batch_size=4, dataset=dict(data_root=root))
val_dataloader = dict(dataset=dict(data_root=root))
val_evaluator = dict(ann_file=root + '/annotations/train')
# Tested on the held-out training video too, so that both can be compared.
held_out = dict(held_out_share=0.1, held_out='only')
test_dataloader = dict(dataset=dict(data_root=root, ann_file='annotations/train', **held_out))
test_evaluator = dict(ann_file=root + '/annotations/train', **held_out)
train_cfg = dict(max_iters={max_iters}, val_interval={max_iters})
default_hooks = dict(
    logger=dict(interval=1), checkpoint=dict(interval={interval}, max_keep_ckpts=-1)
)
"""


@dataclass(frozen=True)
class Job:
    """Where the commands left their results."""

    config: Path
    data: Path
    training: Path
    labels: Path
    dense: Path
    boxes: Path
    onnx: Path
    printed: dict[str, str]

    @property
    def checkpoint(self) -> Path:
        """The last one."""
        return self.training / f'iter_{MAX_ITERS}.pth'

    @property
    def pictures(self) -> Path:
        """Those of the held-out video."""
        return self.data / 'images' / 'val' / self.labels.stem


@pytest.fixture(scope='module')
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """The commands one after the other, on three training videos, the last of them held out, and
    a test video.
    """
    folder = tmp_path_factory.mktemp('second')
    data, config = folder / 'data', folder / 'second.py'
    run(
        'tools/dataset_converters/make_synthetic_posetrack.py',
        *(data, '--train-videos', 3, '--val-videos', 1, '--frames', NUM_FRAMES, '--workers', 1),
        *('--width', 128, '--height', 96, '--people', 2, 2),
        cwd=folder,
    )
    config.write_text(
        CONFIG.format(base=BASE, data=data, max_iters=MAX_ITERS, interval=CHECKPOINT_INTERVAL)
    )
    (truth,) = (data / 'annotations' / 'val').iterdir()
    job = Job(
        config=config,
        data=data,
        training=folder / 'training',
        labels=folder / 'labels' / truth.name,
        dense=folder / 'dense.json',
        boxes=truth,
        onnx=folder / 'onnx',
        printed={},
    )
    keep_given_frames(truth, job.labels)
    model = ('--config', config, '--checkpoint', job.checkpoint)
    for name, script, arguments in (
        ('train', 'tools/train.py', (config, '--work-dir', job.training, '--seed', 3)),
        (
            'propagate',
            'tools/propagate.py',
            (job.pictures, job.labels, '--out', job.dense, '--method', 'semantic-motion', *model),
        ),
        ('export', 'tools/export_onnx.py', (config, job.checkpoint, job.onnx)),
    ):
        job.printed[name] = run(script, *arguments, cwd=folder).stdout
    return job


def records(work_dir: Path) -> list[dict[str, Any]]:
    files = sorted(work_dir.glob('*/vis_data/scalars.json'))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_every_part_of_the_loss_is_logged(job: Job) -> None:
    steps = [record for record in records(job.training) if 'loss' in record]
    assert [record['step'] for record in steps] == list(range(1, MAX_ITERS + 1))
    for record in steps:
        assert all(np.isfinite(record[part]) and record[part] > 0 for part in PARTS)


def test_labels_are_propagated_to_everyone_in_every_frame(job: Job) -> None:
    dense, given = people(job.dense), people(job.labels)
    tracks = {track for _, track in given}
    assert set(dense) == {(frame, track) for frame in range(NUM_FRAMES) for track in tracks}
    for place, person in dense.items():
        assert person['source'] == ('given' if place[0] % INTERVAL == 0 else 'propagated')
        if place in given:
            assert person['keypoints'] == given[place]['keypoints']
    assert 'method: semantic-motion (' in job.printed['propagate']


def test_poses_are_the_same_by_pytorch_and_by_the_exported_network(
    job: Job, tmp_path: Path
) -> None:
    assert 'largest difference from PyTorch, whole: ' in job.printed['export']
    found = []
    for weights in (job.checkpoint, job.onnx):
        out = tmp_path / f'{weights.name}.json'
        run(
            'tools/infer.py',
            *(job.pictures, '--config', job.config, '--checkpoint', weights),
            *('--boxes', job.boxes, '--out', out),
            cwd=tmp_path,
        )
        found.append(people(out))
    by_pytorch, exported = found
    assert len(by_pytorch) == 2 * NUM_FRAMES
    assert set(exported) == set(by_pytorch)
    for place, person in by_pytorch.items():
        one, other = (np.array(p['keypoints']).reshape(-1, 3) for p in (person, exported[place]))
        np.testing.assert_allclose(other, one, atol=0.1)
