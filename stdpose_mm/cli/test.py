"""Test a checkpoint: print the metrics and, with --out, write them to a file."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stdpose_mm.cli.evaluate import without_nan
from stdpose_mm.cli.one_line_parser import OneLineParser
from stdpose_mm.cli.run_command import run_command
from stdpose_mm.cli.runner_arguments import add_runner_arguments, load_config, require_checkpoint
from stdpose_mm.errors import InputError
from stdpose_mm.io import write_json
from stdpose_mm.io.outputs import JSON_SUFFIXES

if TYPE_CHECKING:
    from mmengine.config import Config

DUMP_SUFFIXES = ('.pkl', '.pickle')
FLIPS = ('both', 'on', 'off')


def main(arguments: Sequence[str] | None = None, prog: str = 'test.py') -> int:
    """Run the command line and return the exit code."""
    return run_command(make_parser(prog), test, arguments)


def make_parser(prog: str) -> OneLineParser:
    """Build the parser of the command line."""
    parser = OneLineParser(prog, __doc__)
    parser.add_argument('config', metavar='CONFIG', help='config file')
    parser.add_argument('checkpoint', metavar='CHECKPOINT', help='.pth file or address')
    add_runner_arguments(parser)
    parser.add_argument(
        '--flip',
        choices=FLIPS,
        help='test with flipping (average each crop with its mirror image), without, or both; '
        "metrics of the setting that is not the config's own begin with flip/ or no_flip/ "
        '(default: both for a config with flip_test, otherwise off)',
    )
    parser.add_output(
        '--out',
        what='metrics',
        suffixes=JSON_SUFFIXES,
        metavar='JSON',
        help='file to write the metrics to',
    )
    parser.add_output(
        '--dump',
        what='predictions',
        suffixes=DUMP_SUFFIXES,
        metavar='PKL',
        help='file to write the predictions to',
    )
    parser.add_output(
        '--show-dir',
        what='pictures',
        is_folder=True,
        metavar='DIR',
        help="new or empty folder for pictures of all predictions, by the config's visualization "
        'hook; drawn once, for the setting of --flip that is tested last',
    )
    return parser


def test(args: argparse.Namespace) -> None:
    """Test as the command line says.

    Raises:
        InputError: If a file given does not exist or cannot be used.
    """
    cfg = load_config(args)
    from mmengine.dist import is_main_process

    from stdpose_mm.engine.config_files import (
        config_mistakes,
        require_label_files,
    )
    from stdpose_mm.engine.training_processes import training_processes

    require_checkpoint(args.checkpoint)
    cfg.load_from = args.checkpoint
    own_flip = bool((cfg.model.get('test_cfg') or {}).get('flip_test', False))
    flips = choose_flips(args.flip, own_flip)
    if True in flips and not cfg.model.get('test_cfg'):
        raise InputError(
            f'--flip {args.flip} was given, but the model of {args.config} has no test_cfg, '
            'expected a pose estimator'
        )
    if args.show_dir is not None:
        draw_predictions(cfg, args.show_dir)
    dump: Path | None = args.dump
    partial = None
    if dump is not None:
        dump.parent.mkdir(parents=True, exist_ok=True)
        partial = dump.with_name(f'.partial.{dump.name}')
        add_evaluator(cfg, {'type': 'DumpResults', 'out_file_path': str(partial)})

    with training_processes(cfg), config_mistakes(args.config):
        require_label_files(cfg, 'test')
        metrics = measure(cfg, flips, own_flip)
        is_first = is_main_process()
    if not is_first:
        return
    if dump is not None and partial is not None:
        os.replace(partial, dump)
    plain = without_nan({name: float(value) for name, value in metrics.items()})
    if args.out is not None:
        write_json(args.out, plain, indent=2)
    print(json.dumps(plain, indent=2))


def measure(cfg: Config, flips: Sequence[bool], own_flip: bool) -> dict[str, float]:
    """Test the model of a config with each setting of ``flip_test``.

    Args:
        cfg: Config of the runner.
        flips: The settings, in turn.
        own_flip: That of the config, whose metrics come first and keep their names; those of
            the other begin with 'flip/' or 'no_flip/'.

    Returns:
        Name -> metric.
    """
    from mmengine.model import is_model_wrapper
    from mmpose.engine.hooks import PoseVisualizationHook

    from stdpose_mm.engine.whole_model_runner import WholeModelRunner

    runner = WholeModelRunner.from_cfg(cfg)
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    metrics: dict[str, float] = {}
    drawing = [h for h in runner.hooks if isinstance(h, PoseVisualizationHook) and h.enable]
    for flip in flips:
        for hook in drawing:
            hook.enable = flip == flips[-1]
        if list(flips) != [own_flip]:
            model.test_cfg = {**model.test_cfg, 'flip_test': flip}
        prefix = '' if flip == own_flip else 'flip/' if flip else 'no_flip/'
        found = {f'{prefix}{name}': value for name, value in runner.test().items()}
        metrics = found | metrics
    return metrics


def choose_flips(option: str | None, own: bool) -> list[bool]:
    """List the settings of ``flip_test`` to test with, that of the config last.

    Files that the last test leaves, such as dumped predictions and pictures, then follow the
    config's setting.

    Args:
        option: ``--flip``; ``None`` means both where the config flips, else neither.
        own: The config's own setting.
    """
    if option is None:
        option = 'both' if own else 'off'
    return [not own, own] if option == 'both' else [option == 'on']


def draw_predictions(cfg: Config, folder: Path) -> None:
    """Let a test draw all predictions into a folder.

    MMPose's hook numbers the pictures of a frame by the files that are there, so that those of
    another test would be taken for other people.

    Args:
        cfg: The config, whose visualization hook is enabled; without one, it gets ours.
        folder: A new or an empty folder.

    Raises:
        InputError: If there are files in the folder.
    """
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f'--show-dir {folder} holds files already, give a new or an empty folder')
    hooks = cfg.get('default_hooks') or {}
    # MMPose takes a relative path as one below the work folder.
    drawing = {'enable': True, 'out_dir': str(folder.absolute())}
    hook = {'type': 'WindowVisualizationHook', **(hooks.get('visualization') or {}), **drawing}
    cfg.default_hooks = {**hooks, 'visualization': hook}
    if not cfg.get('visualizer'):
        cfg.visualizer = {'type': 'PoseLocalVisualizer'}


def add_evaluator(cfg: Config, evaluator: dict[str, Any]) -> None:
    """Add one more metric to the evaluation of a test."""
    present = cfg.test_evaluator
    cfg.test_evaluator = [*(present if isinstance(present, list | tuple) else [present]), evaluator]
