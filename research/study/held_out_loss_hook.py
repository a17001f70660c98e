from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import torch
from mmengine.dist import all_gather_object, get_rank
from mmengine.hooks import Hook, IterTimerHook
from mmengine.model import BaseModel, is_model_wrapper
from mmengine.runner import Runner
from mmpose.registry import HOOKS
from torch.utils.data import DataLoader

from research.study.held_out_data import (
    EvenlySpacedSampler,
    generators_from,
    kept_modes,
    show_labels,
)
from stdpose_mm.engine.seeding import derive_seed
from stdpose_mm.errors import InputError, require_whole

SEED = 0
"""Seed of the random draws for held-out losses, the same in every run and step."""


@HOOKS.register_module()
class HeldOutLossHook(Hook):
    """Log the training losses on held-out data before the first step, in between and at the end.

    They show what no metric shows, such as the reconstruction loss on clips outside the training
    set. The model is in evaluation mode, in the precision of validation (no autocast), without
    gradients. Its random draws, such as masks, are the same at every evaluation and in every run.
    Training continues bit for bit as without an evaluation, and its logged time per step excludes
    the evaluation.

    The losses come from the model's ``parse_losses``, so ``loss`` is their sum. Each is logged
    as ``val/<name>`` with the number of training steps: in a line of the log, in
    ``vis_data/scalars.json`` and in the other visualizer backends. It is the mean over the batches
    of all processes, weighted by their samples. A run that resumes does not evaluate its start
    again.

    The data are the validation data, with their boxes and without augmentation, jitter or dropout,
    but the dataset is not in test mode, which would hide the labels of frames that are not given:
    some losses need them as targets. The model sees no further labels.

    Args:
        interval: Number of steps (not epochs) between evaluations.
        dataloader: Config of the held-out data; by default the config's ``val_dataloader``, which
            ``--no-validate`` removes; a study, which trains without validation, sets it here. Its
            sampler is not used, its workers live for one evaluation, and detected boxes need data
            of their own.
        max_batches: Number of batches, evenly spaced over the data, that all processes together
            evaluate (approximately); None for all.

    Raises:
        InputError: If a number is not whole or is below 1, or, at the start of training, if there
            are no data.
    """

    # It runs before the checkpoint is saved, so that a resumed run does not repeat these losses.
    priority = 'LOW'

    def __init__(
        self,
        interval: int,
        dataloader: Mapping[str, Any] | None = None,
        max_batches: int | None = None,
    ) -> None:
        require_whole('interval', interval, 1)
        if max_batches is not None:
            require_whole('max_batches', max_batches, 1)
        self.interval = interval
        self.dataloader = dataloader
        self.max_batches = max_batches
        self._loader: DataLoader | None = None
        self._evaluated_step: int | None = None

    def before_train(self, runner: Runner) -> None:
        """Evaluate the initial model of a run, unless the run is resumed."""
        if runner.iter == 0:
            self._evaluate(runner, 0)
        else:
            self._evaluated_step = runner.iter

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Evaluate every ``interval`` steps."""
        if not self.every_n_train_iters(runner, self.interval):
            return
        start = time.time()
        self._evaluate(runner, runner.iter + 1)
        for hook in runner.hooks:
            if isinstance(hook, IterTimerHook):
                hook.t += time.time() - start

    def after_train(self, runner: Runner) -> None:
        """Evaluate the trained model."""
        if self._evaluated_step != runner.iter:
            self._evaluate(runner, runner.iter)

    def _evaluate(self, runner: Runner, step: int) -> None:
        self._evaluated_step = step
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        with generators_from(derive_seed(SEED, get_rank())):
            if self._loader is None:
                self._loader = self._build_loader(runner)
            losses = mean_losses(model, self._loader)
        text = '  '.join(f'{name}: {value:.6g}' for name, value in losses.items())
        runner.logger.info(f'Held-out losses after {step} steps:  {text}')
        runner.visualizer.add_scalars(
            {f'val/{name}': value for name, value in losses.items()},
            step=step,
            file_path=f'{runner.timestamp}.json',
        )

    def _build_loader(self, runner: Runner) -> DataLoader:
        source = self.dataloader or runner.cfg.get('val_dataloader')
        if not isinstance(source, Mapping):
            raise InputError(
                'HeldOutLossHook needs held-out data, but the config has no val_dataloader; add '
                "one, or set the hook's own dataloader"
            )
        cfg = dict(source)
        sampler: dict[str, Any] = {'type': EvenlySpacedSampler}
        if self.max_batches is not None:
            sampler['max_samples'] = self.max_batches * cfg['batch_size']
        cfg['dataset'] = show_labels(cfg['dataset'])
        # Workers that wait for the next evaluation would waste memory.
        cfg.update(sampler=sampler, persistent_workers=False, drop_last=False)
        return runner.build_dataloader(cfg, seed=SEED)


@torch.no_grad()
def mean_losses(model: BaseModel, loader: DataLoader) -> dict[str, float]:
    """Average each loss of a model over a loader's samples and all processes.

    Args:
        model: The model in any mode; its modes stay unchanged.
        loader: Loader of batches for the model's data preprocessor, whose ``inputs`` have a length.
    """
    sums: defaultdict[str, float] = defaultdict(float)
    number = 0
    with kept_modes(model):
        model.eval()
        for index, batch in enumerate(loader):
            size = len(batch['inputs'])
            with generators_from(derive_seed(SEED, get_rank(), index)):
                losses = model(**model.data_preprocessor(batch, training=False), mode='loss')
            for name, value in model.parse_losses(losses)[1].items():
                sums[name] += float(value) * size
            number += size
    # A process without batches does not know the names of the losses.
    shares = all_gather_object((dict(sums), number))
    total = sum(share[1] for share in shares)
    names = dict.fromkeys(name for share in shares for name in share[0])
    return {name: sum(share[0].get(name, 0.0) for share in shares) / total for name in names}
