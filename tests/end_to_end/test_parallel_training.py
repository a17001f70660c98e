"""Two processes train and test as one process does with batches of twice the size."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from stdpose_mm.cli.test import main as run_test
from stdpose_mm.cli.train import main as run_train
from support import warm_commands
from support.paths import CONFIGS
from support.tiny_models import CODEC, stdpose_cfg
from support.tiny_set import HEIGHT, NUM_FRAMES, WIDTH, video_json

pytestmark = pytest.mark.slow

NUM_ITERS, BATCH_SIZE = 5, 4

PARTS = """
import atexit
import json
import os
import time
from pathlib import Path

from mmengine.dist import get_rank, is_distributed
from mmengine.hooks import Hook
from mmpose.registry import HOOKS
from torch.nn.modules.batchnorm import _BatchNorm


@HOOKS.register_module(force=True)
class FreezeStatistics(Hook):
    def before_train_iter(self, runner, batch_idx, data_batch=None):
        for module in runner.model.modules():
            if isinstance(module, _BatchNorm):
                module.eval()


@HOOKS.register_module(force=True)
class WriteLosses(Hook):
    def __init__(self):
        self.steps = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        samples = data_batch['data_samples']
        seen = [[s.video_name, s.frame_index, s.track_id] for s in samples]
        losses = {name: value.item() for name, value in outputs.items() if 'loss' in name}
        self.steps.append({'seen': seen, 'losses': losses})

    def after_train(self, runner):
        path = Path(runner.work_dir) / f'steps{get_rank()}.json'
        path.write_text(json.dumps(self.steps))
        if is_distributed():
            atexit.register(write_threads, path.with_name(f'threads{get_rank()}'))


def write_threads(path):
    # A thread that has been joined is listed a moment longer.
    give_up = time.monotonic() + 30
    while (count := len(os.listdir('/proc/self/task'))) > 1 and time.monotonic() < give_up:
        time.sleep(0.01)
    path.write_text(str(count))
"""

CONFIG = """
import time

_base_ = '{configs}/_base_/default_runtime.py'
# MMEngine names a run to the second and shares state between runs of one name.
experiment_name = f'parallel_{{time.time_ns()}}'
custom_imports = dict(imports=['stdpose_mm', 'parallel_parts'])
codec = {codec}
model = {model}
crop = [
    dict(type='WindowTopdownAffine', input_size=codec['input_size'], use_udp=True),
    dict(type='GenerateWindowTarget', encoder=codec),
    dict(type='PackWindowInputs'),
]
load = [dict(type='LoadWindow'), dict(type='GetBBoxCenterScale', padding=1.25)]
augment = [dict(type='WindowRandomFlip'), dict(type='RandomBBoxTransform')]
dataset = dict(type='PoseTrack18WindowDataset', data_root='{data}', ann_file='annotations')
train_dataloader = dict(
    batch_size={batch_size},
    num_workers=0,
    sampler=dict(type='SeededInfiniteSampler'),
    dataset=dict(
        **dataset,
        interval=4,
        random_offset=True,
        pipeline=[dict(type='SeedSample'), *load, *augment, *crop],
    ),
)
# One window at a time: products of matrices of other sizes are rounded otherwise.
val_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(**dataset, interval=4, test_mode=True, pipeline=[*load, *crop]),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    type='VideoPCKMetric', ann_file='{data}/annotations', given_interval=4, boxes='interpolated'
)
test_evaluator = val_evaluator
train_cfg = dict(type='IterBasedTrainLoop', max_iters={num_iters}, val_interval={num_iters})
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.05, momentum=0.9), clip_grad=dict(max_norm=1.0)
)
default_hooks = dict(
    checkpoint=dict(by_epoch=False, interval=1, max_keep_ckpts=-1),
    logger=dict(log_metric_by_epoch=False),
)
log_processor = dict(by_epoch=False)
custom_hooks = [
    *_base_.custom_hooks, dict(type='FreezeStatistics'), dict(type='WriteLosses')
]
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(vis_backends=vis_backends)
log_level = 'ERROR'
"""


MODEL = stdpose_cfg(
    *(17, CODEC, 16),
    deconv=(8, 8),
    loss={'type': 'KeypointMSELoss', 'use_target_weight': True, 'loss_weight': 100.0},
    arch={'embed_dims': 16, 'num_layers': 1, 'num_heads': 2, 'feedforward_channels': 32},
)
MODEL['frame_head_loss_weight'] = 1.0


@dataclass(frozen=True)
class Runs:
    """Work folders of the same training in one process and in two, and the config of the former."""

    config: Path
    alone: Path
    together: Path

    @property
    def checkpoint(self) -> Path:
        return self.alone / f'iter_{NUM_ITERS}.pth'


def write_set(root: Path) -> None:
    """Two videos, the pictures of noise, so that no two crops are alike."""
    (root / 'annotations').mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number, name in enumerate(['a', 'b'], start=1):
        (root / 'images' / name).mkdir(parents=True)
        (root / 'annotations' / f'{name}.json').write_text(json.dumps(video_json(name, number)))
        for frame in range(NUM_FRAMES):
            picture = cv2.resize(rng.integers(0, 256, (12, 16, 3), np.uint8), (WIDTH, HEIGHT))
            cv2.imwrite(str(root / 'images' / name / f'{frame:06d}.jpg'), picture)


def write_config(folder: Path, name: str, batch_size: int) -> Path:
    path = folder / f'{name}.py'
    path.write_text(
        CONFIG.format(
            codec=CODEC,
            model=MODEL,
            configs=CONFIGS,
            data=folder / 'data',
            batch_size=batch_size,
            num_iters=NUM_ITERS,
        )
    )
    return path


def train_in_two(folder: Path, *options: object) -> warm_commands.Finished:
    """Train with two processes on the CPU, as ``tools/dist_train.sh`` starts them."""
    words = (folder / 'together.py', '--launcher', 'pytorch', '--work-dir', *options)
    return warm_commands.run('tools/train.py', *words, cwd=folder, processes=2)


@pytest.fixture(scope='module')
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp('parallel')
    write_set(folder / 'data')
    (folder / 'parallel_parts.py').write_text(PARTS)
    found = Runs(
        write_config(folder, 'alone', BATCH_SIZE), folder / 'run_alone', folder / 'run_together'
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        assert run_train([str(found.config), '--work-dir', str(found.alone)]) == 0
    write_config(folder, 'together', BATCH_SIZE // 2)
    train_in_two(folder, found.together)
    return found


def test_two_processes_resume_as_if_they_had_not_been_stopped(runs, tmp_path):
    stopped = runs.together / f'iter_{NUM_ITERS - 2}.pth'
    train_in_two(runs.config.parent, tmp_path, '--resume', stopped)
    assert [name.name for name in sorted(tmp_path.glob('iter_*.pth'))] == [
        f'iter_{step}.pth' for step in (NUM_ITERS - 1, NUM_ITERS)
    ]
    last = weights(runs.together, NUM_ITERS)
    torch.testing.assert_close(weights(tmp_path, NUM_ITERS), last, rtol=0, atol=0)
    assert (last - weights(runs.together, NUM_ITERS - 2)).abs().max() > 1e-4
    # Both processes went on with the windows and losses of their own, none began anew.
    for resumed, whole in zip(steps(tmp_path), steps(runs.together)[-2:], strict=True):
        assert resumed == whole


def test_gradients_have_the_layout_in_which_processes_exchange_them(runs, tmp_path):
    """PyTorch warns of gradients of 1x1 convolutions in bfloat16, which have another."""
    options = ('--amp', '--no-validate', '--cfg-options', 'train_cfg.max_iters=1')
    done = train_in_two(runs.config.parent, tmp_path, *options)
    assert (tmp_path / 'iter_1.pth').is_file()
    assert 'strides' not in done.stderr


def steps(work_dir: Path) -> list[list[dict[str, Any]]]:
    """What every process saw and lost, step by step: [steps][processes]."""
    of_processes = [json.loads(path.read_text()) for path in sorted(work_dir.glob('steps*.json'))]
    return [list(step) for step in zip(*of_processes, strict=True)]


def weights(work_dir: Path, step: int) -> torch.Tensor:
    """All weights of a step in a row."""
    state = torch.load(work_dir / f'iter_{step}.pth', weights_only=False)['state_dict']
    return torch.cat([value.double().flatten() for value in state.values()])


def metrics_of_training(work_dir: Path) -> dict[str, float]:
    (log,) = work_dir.glob('*/vis_data/scalars.json')
    records = [json.loads(line) for line in log.read_text().splitlines()]
    (validation,) = (record for record in records if 'video/PCK@0.1' in record)
    return {name: value for name, value in validation.items() if name.startswith('video/')}


def test_processes_share_the_windows_of_every_step(runs):
    together = steps(runs.together)
    assert len(together) == NUM_ITERS
    for (alone,), both in zip(steps(runs.alone), together, strict=True):
        assert len(both) == 2
        shared = [window for process in both for window in process['seen']]
        assert sorted(shared) == sorted(alone['seen'])


@pytest.mark.skipif(not Path('/proc/self/task').exists(), reason='the system does not list threads')
def test_no_thread_outlives_the_training(runs):
    """One that still drops tensors of the last exchange would abort the process as it ends."""
    left = [int((runs.together / f'threads{rank}').read_text()) for rank in range(2)]
    assert left == [1, 1]


def test_losses_of_every_step_are_those_of_one_process(runs):
    """The mean over both processes; the weights agree, so the next step's losses do too.

    Batch normalisation would spoil this: without ``sync_bn`` each process has the statistics of its
    own windows, and PyTorch's synchronised one needs a GPU. So its statistics are frozen here. The
    loss is a mean over windows and joints, which halves of equal size do not change.
    """
    for (alone,), both in zip(steps(runs.alone), steps(runs.together), strict=True):
        for name, value in alone['losses'].items():
            mean = np.mean([process['losses'][name] for process in both])
            assert mean == pytest.approx(value, rel=1e-4), name


def test_weights_after_training_are_those_of_one_process(runs):
    first, alone = weights(runs.alone, 1), weights(runs.alone, NUM_ITERS)
    together = weights(runs.together, NUM_ITERS)
    learnt = (alone - first).abs().max()
    assert learnt > 1e-3
    assert (together - alone).abs().max() < 1e-3 * learnt


def test_metrics_after_training_are_those_of_one_process(runs):
    alone, together = metrics_of_training(runs.alone), metrics_of_training(runs.together)
    assert together == pytest.approx(alone, rel=1e-3)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Compute in one thread, as processes of a launcher do: sums are rounded otherwise."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures('one_thread')
def test_metrics_of_one_checkpoint_are_exactly_those_of_one_process(runs, tmp_path, monkeypatch):
    folder = runs.config.parent
    monkeypatch.syspath_prepend(str(folder))
    model = (runs.config, runs.checkpoint)
    work_dir = ('--work-dir', tmp_path / 'test')
    alone, together = tmp_path / 'alone.json', tmp_path / 'together.json'
    assert run_test([str(part) for part in (*model, *work_dir, '--out', alone)]) == 0
    options = (*work_dir, '--out', together, '--launcher', 'pytorch')
    warm_commands.run('tools/test.py', *model, *options, cwd=folder, processes=2)
    assert json.loads(together.read_text()) == json.loads(alone.read_text())
