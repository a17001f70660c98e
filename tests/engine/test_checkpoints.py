"""Which checkpoint a resumed run goes on from, and what a killed one leaves."""

from __future__ import annotations

import os
import time

import pytest
import torch
from mmengine.config import Config
from torch import nn

from stdpose_mm.engine.runner import CheckedRunner, last_checkpoint


@pytest.mark.parametrize('record', [None, '', 'iter_30.pth'], ids=['none', 'empty', 'removed'])
def test_without_a_record_that_holds_the_checkpoint_of_the_highest_step_is_taken(tmp_path, record):
    for name in ('iter_9.pth', 'iter_20.pth', 'best_AP_iter_40.pth'):
        (tmp_path / name).write_bytes(b'')
    if record is not None:
        (tmp_path / 'last_checkpoint').write_text(record and str(tmp_path / record))
    assert last_checkpoint(str(tmp_path)) == str(tmp_path / 'iter_20.pth')


def test_the_recorded_checkpoint_is_taken_where_the_folder_is_now(tmp_path):
    for name in ('iter_9.pth', 'iter_20.pth'):
        (tmp_path / name).write_bytes(b'')
    (tmp_path / 'last_checkpoint').write_text('/elsewhere/iter_9.pth')
    assert last_checkpoint(str(tmp_path)) == str(tmp_path / 'iter_9.pth')


def test_without_checkpoints_there_is_none(tmp_path):
    assert last_checkpoint(str(tmp_path)) is None
    assert last_checkpoint(str(tmp_path / 'nowhere')) is None


class Network(nn.Module):
    """A model whose loss is its only weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def train_step(self, data, optim_wrapper) -> dict[str, torch.Tensor]:
        return {'loss': self.weight}


def test_what_a_run_killed_while_saving_left_is_removed_by_the_next(tmp_path):
    abandoned, of_another_run = (tmp_path / f'.{n}.partial.iter_{n}.pth' for n in (0, 3))
    for file, age in ((abandoned, 60), (of_another_run, -60)):
        file.write_bytes(b'half')
        os.utime(file, times=(time.time() - age,) * 2)
    runner = CheckedRunner(
        Network(),
        str(tmp_path),
        train_dataloader=dict(
            dataset=[0], sampler=dict(type='DefaultSampler'), batch_size=1, num_workers=0
        ),
        train_cfg=dict(by_epoch=False, max_iters=1),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=1)),
        cfg=Config(),
        default_scope='mmpose',
        experiment_name='killed',
    )
    runner.train()
    # pathlib also finds hidden files.
    names = sorted(file.name for file in tmp_path.glob('*.pth'))
    assert names == [of_another_run.name, 'iter_1.pth']
