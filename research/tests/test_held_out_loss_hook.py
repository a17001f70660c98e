"""Held-out losses: their values, and that nothing else changes."""

from __future__ import annotations

import json
import multiprocessing
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmcv.transforms import BaseTransform
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmpose.registry import DATASETS, MODELS, TRANSFORMS
from torch import nn

from research.study import HeldOutLossHook
from research.study.held_out_data import EvenlySpacedSampler
from research.study.held_out_loss_hook import mean_losses
from stdpose_mm.errors import InputError
from support.toy_training import ITERS_PER_EPOCH, train

pytestmark = pytest.mark.slow

HELD_OUT = (1.0, 2.0, 4.0)
BATCH_SIZE, SLOWNESS = 2, 0.5


@DATASETS.register_module()
class NumberDataset(BaseDataset):
    def __init__(self, numbers: tuple[float, ...], **kwargs: Any) -> None:
        self.numbers = numbers
        super().__init__(**kwargs)

    def load_data_list(self) -> list[dict]:
        assert not self.test_mode, 'labels would be hidden'
        return [{'inputs': torch.tensor(number)} for number in self.numbers]


@TRANSFORMS.register_module()
class Slow(BaseTransform):
    def transform(self, results: dict) -> dict:
        time.sleep(SLOWNESS)
        return results


@MODELS.register_module()
class DistanceModel(BaseModel):
    """|x - w|, which a step of rate 0.5 brings down by 0.5; the other losses have no gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.0))

    def forward(self, inputs, mode='tensor', **kwargs):
        values = torch.stack(inputs)
        noise = random.random() + np.random.rand() + torch.rand(()).item()
        return {
            'loss_distance': (values - self.weight).abs().mean(),
            'loss_eval': torch.tensor(0.0 if self.training else 1.0),
            'loss_noise': torch.tensor(noise),
        }


def train_distance(
    work_dir: Path, *, max_iters: int = 3, seed: int = 0, num_workers: int = 0, **hook: Any
) -> list[dict[str, float]]:
    """Train with the hook; returns what ``scalars.json`` holds."""
    held_out_data = dict(
        batch_size=BATCH_SIZE,
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
        sampler=dict(type='DefaultSampler', shuffle=True),
        dataset=dict(type='NumberDataset', numbers=HELD_OUT, test_mode=True),
    )
    cfg = Config(
        dict(
            model=dict(type='DistanceModel'),
            work_dir=str(work_dir),
            train_dataloader=dict(
                batch_size=1,
                num_workers=0,
                sampler=dict(type='InfiniteSampler'),
                dataset=dict(type='NumberDataset', numbers=(10.0,)),
            ),
            train_cfg=dict(by_epoch=False, max_iters=max_iters),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.5)),
            default_hooks=dict(logger=dict(type='LoggerHook', interval=1)),
            custom_hooks=[dict(type='HeldOutLossHook', **{'dataloader': held_out_data, **hook})],
            log_processor=dict(by_epoch=False, window_size=1),
            randomness=dict(seed=seed),
            default_scope='mmpose',
            experiment_name=f'distance_{time.time_ns()}',
            log_level='WARNING',
        )
    )
    Runner.from_cfg(cfg).train()
    return scalars(work_dir)


def scalars(work_dir: Path) -> list[dict[str, Any]]:
    files = sorted(work_dir.glob('*/vis_data/scalars.json'))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def held_out(records: list[dict[str, Any]], name: str) -> dict[int, float]:
    return {record['step']: record[name] for record in records if name in record}


# Values


def test_values_before_during_and_after_training(tmp_path: Path) -> None:
    distance = held_out(train_distance(tmp_path, interval=2), 'val/loss_distance')
    # w is 0, 1 and 1.5: the mean of |1 - w|, |2 - w| and |4 - w|, though the last batch is smaller.
    assert distance == pytest.approx({0: 7 / 3, 2: 4 / 3, 3: 3.5 / 3})


def test_labels_of_data_sets_in_a_data_set_are_shown_too(tmp_path: Path) -> None:
    parts = [dict(type='NumberDataset', numbers=(n,), test_mode=True) for n in HELD_OUT]
    dataloader = dict(
        batch_size=BATCH_SIZE, num_workers=0, dataset=dict(type='ConcatDataset', datasets=parts)
    )
    records = train_distance(tmp_path, interval=9, dataloader=dataloader)
    assert held_out(records, 'val/loss_distance')[0] == pytest.approx(7 / 3)


def test_the_last_step_is_evaluated_once(tmp_path: Path) -> None:
    records = train_distance(tmp_path, interval=1, max_iters=2)
    assert [record['step'] for record in records if 'val/loss' in record] == [0, 1, 2]


def test_the_sum_is_logged_and_the_model_is_in_evaluation_mode(tmp_path: Path) -> None:
    record = train_distance(tmp_path, interval=9)[0]
    assert record['val/loss_eval'] == 1
    parts = ('val/loss_distance', 'val/loss_eval', 'val/loss_noise')
    assert record['val/loss'] == pytest.approx(sum(record[name] for name in parts))


def test_every_evaluation_of_every_run_draws_the_same(tmp_path: Path) -> None:
    first = held_out(train_distance(tmp_path / 'a', interval=2, seed=1), 'val/loss_noise')
    second = held_out(
        train_distance(tmp_path / 'b', interval=1, seed=2, num_workers=1), 'val/loss_noise'
    )
    assert len(set(first.values()) | set(second.values())) == 1


def test_some_batches_are_taken_from_the_whole_length(tmp_path: Path) -> None:
    numbers = tuple(float(number) for number in range(10))
    dataloader = dict(
        batch_size=BATCH_SIZE,
        num_workers=0,
        sampler=dict(type='DefaultSampler'),
        dataset=dict(type='NumberDataset', numbers=numbers),
    )
    records = train_distance(tmp_path, interval=9, max_batches=2, dataloader=dataloader)
    # 0, 2, 5 and 7 of 0..9.
    assert held_out(records, 'val/loss_distance')[0] == pytest.approx(14 / 4)


def test_all_samples_are_drawn_where_fewer_are_there_than_asked_for() -> None:
    assert list(EvenlySpacedSampler(range(3), max_samples=8)) == [0, 1, 2]


def evaluate(rank: int, folder: Path, numbers: tuple[float, ...]) -> None:
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder / "meet"}', rank=rank, world_size=2
    )
    losses = mean_losses(DistanceModel(), number_loader(numbers))
    (folder / f'{rank}.json').write_text(json.dumps(losses))
    torch.distributed.destroy_process_group()


def number_loader(numbers: tuple[float, ...]) -> Any:
    return Runner.build_dataloader(
        dict(
            batch_size=BATCH_SIZE,
            num_workers=0,
            sampler=dict(type=EvenlySpacedSampler),
            dataset=NumberDataset(numbers),
        )
    )


@pytest.mark.parametrize('numbers', [HELD_OUT, HELD_OUT[:1]])
def test_processes_share_the_samples(tmp_path: Path, numbers: tuple[float, ...]) -> None:
    context = multiprocessing.get_context('fork')
    processes = [
        context.Process(target=evaluate, args=(rank, tmp_path, numbers)) for rank in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=60)
        process.kill()
    assert [process.exitcode for process in processes] == [0, 0]
    for rank in range(2):
        losses = json.loads((tmp_path / f'{rank}.json').read_text())
        assert losses['loss_distance'] == pytest.approx(np.mean(numbers))


# Nothing else changes


def held_out_hook(interval: int) -> dict[str, Any]:
    """Of the toy training; its data draw random numbers in the training process."""
    dataset = dict(type='ToyDataset', pipeline=[dict(type='ToyAugment')])
    return dict(
        type='HeldOutLossHook',
        interval=interval,
        dataloader=dict(
            batch_size=4, num_workers=0, sampler=dict(type='DefaultSampler'), dataset=dataset
        ),
    )


@pytest.mark.parametrize('by_epoch', [True, False])
@pytest.mark.parametrize('seeded', [True, False])
def test_training_is_the_same_with_and_without(
    tmp_path: Path, by_epoch: bool, seeded: bool
) -> None:
    options = {
        'by_epoch': by_epoch,
        'length': 2 if by_epoch else 2 * ITERS_PER_EPOCH,
        'save_every_iters': 2 * ITERS_PER_EPOCH,
        'with_hook': seeded,
        'seeded_data': seeded,
    }
    without = train(tmp_path / 'without', **options)
    with_losses = train(tmp_path / 'with', **options, hooks=[held_out_hook(3)])
    assert len(without) == 2 * ITERS_PER_EPOCH
    assert with_losses == without
    name = f'iter_{2 * ITERS_PER_EPOCH}.pth'
    states = [
        torch.load(tmp_path / folder / name, weights_only=False) for folder in ('without', 'with')
    ]
    for key, value in states[0]['state_dict'].items():
        assert torch.equal(value, states[1]['state_dict'][key]), key


def test_modules_stay_in_their_own_modes() -> None:
    model = DistanceModel()
    model.frozen = nn.Dropout().eval()
    mean_losses(model, number_loader(HELD_OUT))
    assert (model.training, model.frozen.training) == (True, False)


def test_the_time_of_a_step_does_not_count_evaluations(tmp_path: Path) -> None:
    dataset = dict(type='NumberDataset', numbers=(1.0,), pipeline=[dict(type='Slow')])
    dataloader = dict(
        batch_size=1, num_workers=0, sampler=dict(type='DefaultSampler'), dataset=dataset
    )
    records = train_distance(tmp_path, interval=1, dataloader=dataloader)
    times = [record['time'] for record in records if 'time' in record]
    assert len(times) == 3
    assert 0 <= min(times) <= max(times) < 0.8 * SLOWNESS


def test_a_resumed_run_does_not_evaluate_its_start(tmp_path: Path) -> None:
    options = {'by_epoch': False, 'length': 8, 'save_every_iters': 3, 'hooks': [held_out_hook(3)]}
    train(tmp_path / 'whole', **options)
    train(tmp_path / 'parts', **options, die_before=4)
    killed = held_out(scalars(tmp_path / 'parts'), 'val/loss')
    # Runs of one second share a folder.
    number = len(scalars(tmp_path / 'parts'))
    train(tmp_path / 'parts', **options, resume=True)
    resumed = held_out(scalars(tmp_path / 'parts')[number:], 'val/loss')
    assert (list(killed), list(resumed)) == ([0, 3], [6, 8])
    assert killed | resumed == held_out(scalars(tmp_path / 'whole'), 'val/loss')


# What was given


def test_numbers_but_whole_ones_from_one_are_refused() -> None:
    with pytest.raises(InputError, match='interval must be a whole number from 1, got 0'):
        HeldOutLossHook(interval=0)
    with pytest.raises(InputError, match=r'max_batches must be a whole number .*, got 2\.5'):
        HeldOutLossHook(interval=1, max_batches=2.5)


def test_a_run_without_held_out_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match='config has no val_dataloader'):
        train(tmp_path, length=1, hooks=[dict(type='HeldOutLossHook', interval=1)])
