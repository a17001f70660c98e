"""Test a checkpoint: print the metrics and, with --out, write them to a file."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stdpose_mm.constants import JSON_SUFFIXES
from stdpose_mm.errors import InputError
from stdpose_mm.io import write_json
from stdpose_mm.processes import is_first_process

from .command import Command
from .evaluate import without_nan
from .parser import argument, option
from .runner_options import RunnerOptions, require_checkpoint

if TYPE_CHECKING:
    from mmengine.config import Config


@dataclass(frozen=True, kw_only=True)
class TestOptions(RunnerOptions):
    """Options of ``stdpose test``.

    Args:
        checkpoint: .pth file or URL.
        flip: Test with flipping (average each crop with its mirror image), without, or both.
            Metrics of the setting that differs from the config begin with flip/ or no_flip/
            (default: both for a config with flip_test, otherwise off).
        out: File to write the metrics to.
        dump: File to write the predictions to.
        show_dir: New or empty folder for pictures of all predictions, drawn by the config's
            visualization hook for the setting of --flip that is tested last.
    """

    checkpoint: str = argument('CHECKPOINT')
    flip: str | None = option(choices=('both', 'on', 'off'))
    out: Path | None = option(writes=True, what='metrics', suffixes=JSON_SUFFIXES, metavar='JSON')
    dump: Path | None = option(
        writes=True, what='predictions', suffixes=('.pkl', '.pickle'), metavar='PKL'
    )
    show_dir: Path | None = option(writes=True, what='pictures', is_folder=True, metavar='DIR')


def test(options: TestOptions) -> None:
    """Test as the command line says.

    Raises:
        InputError: If a file given does not exist or cannot be used.
    """
    cfg = options.load_config()
    from stdpose_mm.checkpoint_files import safe_mmengine_reader
    from stdpose_mm.engine.config_files import config_mistakes
    from stdpose_mm.engine.runner import training_processes

    require_checkpoint(options.checkpoint)
    cfg.load_from = options.checkpoint
    own_flip = bool((cfg.model.get('test_cfg') or {}).get('flip_test', False))
    flips = choose_flips(options.flip, own_flip)
    if True in flips and not cfg.model.get('test_cfg'):
        raise InputError(
            f'--flip {options.flip} was given, but the model of {options.config} has no test_cfg, '
            'expected a pose estimator'
        )
    if options.show_dir is not None:
        draw_predictions(cfg, options.show_dir)
    dump = options.dump
    if dump is not None:
        dump.parent.mkdir(parents=True, exist_ok=True)
        partial = dump.with_name(f'.partial.{dump.name}')
        written = {'type': 'DumpResults', 'out_file_path': str(partial)}
        evaluator = cfg.test_evaluator
        cfg.test_evaluator = [
            *(evaluator if isinstance(evaluator, list | tuple) else [evaluator]),
            written,
        ]

    with safe_mmengine_reader(), training_processes(cfg), config_mistakes(options.config):
        metrics = measure(cfg, flips, own_flip)
        is_first = is_first_process()
    if not is_first:
        return
    if dump is not None:
        os.replace(partial, dump)
    plain = without_nan({name: float(value) for name, value in metrics.items()})
    if options.out is not None:
        write_json(options.out, plain, indent=2)
    print(json.dumps(plain, indent=2))


def measure(cfg: Config, flips: Sequence[bool], own_flip: bool) -> dict[str, float]:
    """Test the model of a config with each setting of ``flip_test``.

    Args:
        cfg: Config of the runner.
        flips: The settings, in turn.
        own_flip: The setting of the config, whose metrics come first and keep their names; names of
            the other metrics begin with 'flip/' or 'no_flip/'.

    Returns:
        Name -> metric.
    """
    from mmengine.model import is_model_wrapper
    from mmpose.engine.hooks import PoseVisualizationHook

    from stdpose_mm.engine.runner import CheckedRunner

    runner = CheckedRunner.from_cfg(cfg)
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    metrics: dict[str, float] = {}
    drawing = [h for h in runner.hooks if isinstance(h, PoseVisualizationHook) and h.enable]
    for flip in flips:
        for hook in drawing:
            hook.enable = flip == flips[-1]
        if list(flips) != [own_flip]:
            model.test_cfg = {**model.test_cfg, 'flip_test': flip}
        prefix = '' if flip == own_flip else 'flip/' if flip else 'no_flip/'
        metrics = {f'{prefix}{name}': value for name, value in runner.test().items()} | metrics
    return metrics


def choose_flips(option: str | None, evaluator_flips: bool) -> list[bool]:
    """List the settings of ``flip_test`` to test with, the one of the config last.

    Files that the last test leaves, such as dumped predictions and pictures, then have the setting
    of the config.

    Args:
        option: ``--flip``; ``None`` means both if the config flips, else no flipping.
        evaluator_flips: The config's own setting.
    """
    if option is None:
        option = 'both' if evaluator_flips else 'off'
    return [not evaluator_flips, evaluator_flips] if option == 'both' else [option == 'on']


def draw_predictions(cfg: Config, folder: Path) -> None:
    """Make a test draw all predictions into a folder.

    MMPose's hook numbers the pictures of a frame by the files in the folder; pictures of another
    test would be counted as other people.

    Args:
        cfg: The config, whose visualization hook is enabled; it gets ours if it has none.
        folder: A new or an empty folder.

    Raises:
        InputError: If there are files in the folder.
    """
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f'--show-dir {folder} holds files already, give a new or an empty folder')
    hooks = cfg.get('default_hooks') or {}
    # MMPose resolves a relative path against the work folder.
    drawing = {'enable': True, 'out_dir': str(folder.absolute())}
    hook = {'type': 'WindowVisualizationHook', **(hooks.get('visualization') or {}), **drawing}
    cfg.default_hooks = {**hooks, 'visualization': hook}
    if not cfg.get('visualizer'):
        cfg.visualizer = {'type': 'PoseLocalVisualizer'}


main = Command(TestOptions, test, __doc__, 'test.py')
