r"""Show which parts of a window model have an effect, in its predictions and in training.

    python -m research.tools.probe_parts CONFIG [CHECKPOINT] [--batches N] [--out FILE.json]

The windows are evenly spaced in the config's validation data. Each part is neutralised in turn (a
branch zeroed, a mask made uniform, labels withheld, ...), which shows its effect on the final
heatmaps, the decoded joints and their accuracy. Gradients of a training step are measured for each
loss. A part is called dead if no heatmap changes without it, or if its gradient is below Adam's
eps; it is called weak if its gradient is less than 1 % of the one with which it is compared.
Without a checkpoint the weights are those at the start of training, without ``load_from``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.utils import import_modules_from_strings
from mmpose.registry import MODELS
from torch import nn

from research.part_probe import StepSettings, format_report, probe_parts, report_fields
from research.study.held_out_data import generators_from, show_labels
from stdpose_mm.cli.argument_types import positive, seed
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.parser import argument, option
from stdpose_mm.cli.runner_options import (
    ConfigOptions,
    parse_config_options,
    require_checkpoint,
)
from stdpose_mm.constants import JSON_SUFFIXES
from stdpose_mm.engine.config_files import config_mistakes, read_config
from stdpose_mm.errors import InputError, one_line
from stdpose_mm.inference.window_model import read_checkpoint
from stdpose_mm.io import write_json


@dataclass(kw_only=True)
class ProbePartsOptions(ConfigOptions):
    """Options of ``probe_parts.py``.

    Args:
        config: Config file of a window model.
        checkpoint: .pth file of a training run.
        batches: Number of batches of windows.
        batch_size: Windows in a batch (default: as in training).
        seed: Seed of the weights, and of the random masks in training.
        out: JSON file for the figures.
    """

    config: str = argument('CONFIG')
    checkpoint: str | None = argument('CHECKPOINT', nargs='?')
    batches: int = option(4, type=positive, metavar='N')
    batch_size: int | None = option(type=positive, metavar='N')
    seed: int = option(0, type=seed)
    out: Path | None = option(writes=True, what='figures', suffixes=JSON_SUFFIXES, metavar='JSON')


def probe(args: ProbePartsOptions) -> None:
    """Measure, print and write.

    Raises:
        InputError: If an option or a file cannot be used.
    """
    if args.checkpoint is not None:
        require_checkpoint(args.checkpoint)

    cfg = read_config(args.config, parse_config_options(args.cfg_options))
    import_modules_from_strings(**cfg.get('custom_imports', {'imports': ['stdpose_mm']}))
    init_default_scope(cfg.get('default_scope', 'mmpose'))
    # Building a model and a dataset would log a line for every parameter.
    MMLogger.get_instance('probe_parts').setLevel('WARNING')
    with config_mistakes(args.config):
        model = build_model(cfg, args.config, args.checkpoint, args.seed)
        batches = read_batches(cfg, args.config, args.batches, args.batch_size)
        optimizer = cfg.get('optim_wrapper', {})
    settings = StepSettings(
        adam_eps=optimizer.get('optimizer', {}).get('eps', StepSettings.adam_eps),
        max_norm=(optimizer.get('clip_grad') or {}).get('max_norm'),
        seed=args.seed,
    )
    report = probe_parts(model, batches, settings)
    if args.out is not None:
        given = {'config': str(args.config), 'checkpoint': args.checkpoint, 'seed': args.seed}
        write_json(args.out, given | report_fields(report), indent=2)
    print(format_report(report))


def build_model(cfg: Config, config: str, checkpoint: str | None, number: int) -> nn.Module:
    """Build the model of a config, with the weights of a checkpoint if there is one.

    Raises:
        InputError: If the config has no model, or the weights do not fit the model.
    """
    if 'model' not in cfg:
        raise InputError(f'config {config} has no model, expected one like those in configs/')
    with generators_from(number):
        model: Any = MODELS.build(cfg.model)
        model.init_weights()
    if checkpoint is not None:
        weights, _ = read_checkpoint(checkpoint)
        try:
            model.load_state_dict(weights)
        except RuntimeError as error:
            raise InputError(
                f'checkpoint {checkpoint} does not fit the model of the config '
                f'({one_line(error)}), give the config that it was trained with'
            ) from error
    return model


def read_batches(
    cfg: Config, config: str, number: int, batch_size: int | None
) -> Iterator[dict[str, Any]]:
    """Read evenly spaced windows of the validation data, with all labels.

    Raises:
        InputError: If the config has no validation data.
    """
    if 'dataset' not in (cfg.get('val_dataloader') or {}):
        raise InputError(
            f'config {config} has no val_dataloader, add one: the probe needs held-out windows'
        )
    loader = dict(cfg.val_dataloader)
    size = batch_size or (cfg.get('train_dataloader') or loader)['batch_size']
    loader['dataset'] = show_labels(loader['dataset'])
    loader.update(
        batch_size=size,
        num_workers=0,
        persistent_workers=False,
        sampler={'type': 'EvenlySpacedSampler', 'max_samples': number * size},
    )
    return iter(Runner.build_dataloader(loader))


main = Command(ProbePartsOptions, probe, __doc__, 'probe_parts.py')

if __name__ == '__main__':
    raise SystemExit(main())
