"""What the commands that start an MMEngine runner have in common."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config, DictAction

from stdpose_mm.engine.config_files import read_config
from stdpose_mm.errors import InputError

CHECKPOINT_STARTS = (b'PK', b'\x80')
"""First bytes of what ``torch.save`` writes: a zip file, before PyTorch 1.6 a pickle."""


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


def load_config(args: argparse.Namespace) -> Config:
    """Read ``args.config`` with the options of :func:`add_runner_arguments`.

    The work folder is, in this order, that of the command line, that of the config, and
    ``work_dirs/<name of the config>``.

    Raises:
        InputError: See :func:`read_config`; also if there is no model in the config, or the work
            folder is a file.
    """
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg = read_config(args.config, args.cfg_options)
    if 'model' not in cfg:
        raise InputError(f'config {args.config} has no model, expected one as those in configs/')
    cfg.launcher = args.launcher
    stem = Path(args.config).stem
    cfg.work_dir = args.work_dir or cfg.get('work_dir') or str(Path('work_dirs') / stem)
    if Path(cfg.work_dir).is_file():
        raise InputError(f'the work folder {cfg.work_dir} is a file, give a folder as --work-dir')
    return cfg


def require_checkpoint(path: str) -> None:
    """Raise :class:`InputError` unless ``path`` is a checkpoint file or an address (``https://``).

    Only the first bytes are looked at: what stands for a file that was never fetched (a web page,
    a Git LFS pointer) shall not be found out after the data are read.
    """
    if '://' in path:
        return
    if not Path(path).is_file():
        raise InputError(f'checkpoint {path} does not exist, expected a .pth file')
    with open(path, 'rb') as file:
        start = file.read(2)
    if not start.startswith(CHECKPOINT_STARTS):
        raise InputError(f'{path} is no checkpoint, expected a file written by torch.save')
