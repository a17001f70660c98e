"""What the commands that start an MMEngine runner have in common."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config, DictAction

from stdpose_mm.errors import InputError


class ConfigOptionsAction(DictAction):
    """``DictAction`` that reports what cannot be parsed as a usage error."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[str] | None,
        option_string: str | None = None,
    ) -> None:
        try:
            super().__call__(parser, namespace, values, option_string)
        except (ValueError, AssertionError):
            raise argparse.ArgumentError(
                self, f'got {values}, expected key=value pairs such as model.neck.depth=2'
            ) from None


def add_runner_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that training and testing share."""
    parser.add_argument('--work-dir', help='folder for logs, checkpoints and results')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=ConfigOptionsAction,
        default={},
        metavar='KEY=VALUE',
        help='override entries of the config; a list is key="[a,b]", a tuple key="[(a,b)]"',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='job launcher',
    )
    # torch.distributed.launch passes it in the one or the other spelling.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def read_config(path: str | Path, options: Mapping[str, Any] | None = None) -> Config:
    """Read a config file and merge ``--cfg-options`` into it.

    Raises:
        InputError: If there is no such config, or it or an option cannot be read.
    """
    if not Path(path).is_file():
        raise InputError(
            f'config {path} does not exist, expected a Python file such as those in configs/'
        )
    try:
        cfg = Config.fromfile(path)
    except (OSError, SyntaxError, KeyError) as error:
        raise InputError(f'config {path} cannot be read: {error}') from error
    try:
        cfg.merge_from_dict(dict(options or {}))
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f'--cfg-options {options} do not fit {path}: {error}') from error
    return cfg


def load_config(args: argparse.Namespace) -> Config:
    """Read ``args.config`` with the options of :func:`add_runner_arguments`.

    The work folder is, in this order, that of the command line, that of the config, and
    ``work_dirs/<name of the config>``.

    Raises:
        InputError: See :func:`read_config`.
    """
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg = read_config(args.config, args.cfg_options)
    cfg.launcher = args.launcher
    stem = Path(args.config).stem
    cfg.work_dir = args.work_dir or cfg.get('work_dir') or str(Path('work_dirs') / stem)
    return cfg


def require_checkpoint(path: str) -> None:
    """Raise :class:`InputError` unless ``path`` is a file or an address such as ``https://``."""
    if '://' not in path and not Path(path).is_file():
        raise InputError(f'checkpoint {path} does not exist, expected a .pth file')
