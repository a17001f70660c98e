"""Train a model from a config."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stdpose_mm.errors import InputError

from .argument_types import seed
from .command import Command
from .parser import option
from .runner_options import RunnerOptions, require_checkpoint

if TYPE_CHECKING:
    from mmengine.config import Config


@dataclass(frozen=True, kw_only=True)
class TrainOptions(RunnerOptions):
    """Options of ``stdpose train``.

    Args:
        resume: Resume from this checkpoint; without a value, from the last one in the work folder,
            or start from the beginning if there is none.
        amp: Mixed precision: float16 with loss scaling on a GPU, bfloat16 on a CPU.
        no_validate: Do not evaluate during training, and train on the videos held out for it too.
        auto_scale_lr: Scale the learning rate by the ratio of the batch size to the config's base
            batch size.
        seed: Seed of all random numbers.
        deterministic: Use only deterministic algorithms.
    """

    resume: str | None = option(nargs='?', const='auto', metavar='CHECKPOINT')
    amp: bool = option(False)
    no_validate: bool = option(False)
    auto_scale_lr: bool = option(False)
    seed: int | None = option(type=seed)
    deterministic: bool = option(False)


def train(options: TrainOptions) -> None:
    """Train as the command line says.

    Raises:
        InputError: If something that was given cannot be used.
    """
    cfg = options.load_config()
    from stdpose_mm.checkpoint_files import safe_mmengine_reader
    from stdpose_mm.engine.config_files import config_mistakes, require_schedule
    from stdpose_mm.engine.runner import CheckedRunner, training_processes

    apply_options(cfg, options)
    with safe_mmengine_reader(), training_processes(cfg), config_mistakes(options.config):
        require_schedule(cfg)
        CheckedRunner.from_cfg(cfg).train()


def apply_options(cfg: Config, options: TrainOptions) -> None:
    """Apply the options of the command line to the config.

    Raises:
        InputError: If an option does not fit the config, or a checkpoint does not exist.
    """
    if options.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        dataset = cfg.train_dataloader.dataset
        for data in (dataset, *dataset.get('datasets', [])):
            if 'held_out_share' in data:
                data.held_out_share = 0.0
    if options.amp:
        use_mixed_precision(cfg)
    if options.auto_scale_lr:
        if 'base_batch_size' not in (cfg.get('auto_scale_lr') or {}):
            raise InputError(
                '--auto-scale-lr needs auto_scale_lr = dict(base_batch_size=...) in '
                f'{options.config}'
            )
        cfg.auto_scale_lr.enable = True
    if options.seed is not None or options.deterministic:
        cfg.randomness = dict(cfg.get('randomness') or {})
        if options.seed is not None:
            cfg.randomness.seed = options.seed
        if options.deterministic:
            cfg.randomness.deterministic = True
            # cuBLAS reads this variable when it starts, and is not deterministic without it.
            os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')
    if options.resume is not None:
        from stdpose_mm.engine.runner import last_checkpoint

        checkpoint = last_checkpoint(cfg.work_dir) if options.resume == 'auto' else options.resume
        # The first start with `--resume` keeps the pretrained weights of the config.
        if checkpoint is not None:
            cfg.resume, cfg.load_from = True, checkpoint
    if cfg.get('load_from'):
        require_checkpoint(str(cfg.load_from))
        if not cfg.get('resume'):
            _require_other_folder(cfg.load_from, cfg.work_dir)
        # The hook refuses weights of another model, which MMEngine would only log.
        hooks = cfg.get('custom_hooks') or []
        name = 'STDPoseCheckpointReportHook'
        # Configs of earlier versions have the name of the class.
        if not any(name.endswith(str(hook['type'])) for hook in hooks):
            cfg.custom_hooks = [*hooks, {'type': name}]


def _require_other_folder(checkpoint: str, work_dir: str) -> None:
    """Refuse a new run whose checkpoints may overwrite the checkpoint that it starts from."""
    if Path(checkpoint).is_file() and Path(checkpoint).resolve().parent == Path(work_dir).resolve():
        raise InputError(
            f'the initial checkpoint {checkpoint} is in the work folder {work_dir}, where this run '
            'may overwrite it, give another --work-dir, or continue from it with --resume'
        )


def use_mixed_precision(cfg: Config) -> None:
    """Choose an optimizer wrapper that computes in mixed precision.

    Raises:
        InputError: If the config has an optimizer wrapper of another kind.
    """
    wrapper = cfg.optim_wrapper
    kind = wrapper.get('type', 'OptimWrapper')
    if kind not in ('OptimWrapper', 'AmpOptimWrapper', 'AutocastOptimWrapper'):
        raise InputError(
            f'--amp cannot be combined with the optimizer wrapper {kind} of the config, expected '
            'OptimWrapper, AmpOptimWrapper or AutocastOptimWrapper'
        )
    if kind != 'AutocastOptimWrapper':
        wrapper.type = 'AmpOptimWrapper'
        wrapper.setdefault('loss_scale', 'dynamic')
        # It knows what computes in mixed precision without a GPU.
        wrapper.setdefault('constructor', 'ViTOptimWrapperConstructor')


main = Command(TrainOptions, train, __doc__, 'train.py')
