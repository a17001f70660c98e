"""The second system by the commands a user types: generate, train, propagate.

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
MAX_ITERS = 3
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
train_dataloader = dict(batch_size=2, dataset=dict(data_root=root))
val_dataloader = dict(dataset=dict(data_root=root))
val_evaluator = dict(ann_file=root + '/annotations/train')
train_cfg = dict(max_iters={max_iters}, val_interval={max_iters})
default_hooks = dict(
    logger=dict(interval=1), checkpoint=dict(interval={max_iters})
)
"""


@dataclass(frozen=True)
class Job:
    """Where the commands left their results."""

    training: Path
    labels: Path
    dense: Path
    printed: str


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
    config.write_text(CONFIG.format(base=BASE, data=data, max_iters=MAX_ITERS))
    (truth,) = (data / 'annotations' / 'val').iterdir()
    training, dense = folder / 'training', folder / 'dense.json'
    labels = folder / 'labels' / truth.name
    keep_given_frames(truth, labels)
    run('tools/train.py', config, '--work-dir', training, '--seed', 3, cwd=folder)
    propagated = run(
        'tools/propagate.py',
        *(data / 'images' / 'val' / truth.stem, labels, '--out', dense),
        *('--method', 'semantic-motion', '--config', config),
        *('--checkpoint', training / f'iter_{MAX_ITERS}.pth'),
        cwd=folder,
    )
    return Job(training, labels, dense, propagated.stdout)


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
    assert 'method: semantic-motion (' in job.printed
