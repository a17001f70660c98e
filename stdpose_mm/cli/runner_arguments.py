"""Options shared by the commands that start an MMEngine runner."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stdpose_mm.checkpoint_files import require_checkpoint_file
from stdpose_mm.cli.one_line_parser import OneLineParser
from stdpose_mm.errors import InputError, require_packages
from stdpose_mm.io.atomic import require_writable_folder
from stdpose_mm.io.file_kinds import require_config

if TYPE_CHECKING:
    from mmengine.config import Config


def add_config_options(parser: argparse.ArgumentParser, help: str) -> None:
    """Add ``--cfg-options``, a list of strings for :func:`parse_config_options`."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action='extend',
        type=_key_and_value,
        default=[],
        metavar='KEY=VALUE',
        help=help,
    )


def _key_and_value(text: str) -> str:
    if '=' not in text:
        raise argparse.ArgumentTypeError(
            f'got {text!r}, expected key=value pairs such as model.neck.depth=2'
        )
    return text


def parse_config_options(pairs: Sequence[str]) -> dict[str, Any]:
    """Parse ``key=value`` strings as MMEngine's ``DictAction`` does.

    Raises:
        InputError: If the brackets of a value do not match.
    """
    from mmengine.config import DictAction

    options = argparse.Namespace(parsed={})
    try:
        DictAction((), 'parsed')(argparse.ArgumentParser(), options, pairs)
    except AssertionError as error:
        raise InputError(f'--cfg-options {" ".join(pairs)}: {error}, close every bracket') from None
    return options.parsed


def add_runner_arguments(parser: OneLineParser) -> None:
    """Add the options that training and testing share."""
    parser.add_output(
        '--work-dir',
        type=str,
        is_folder=True,
        help='folder for logs, checkpoints and results',
    )
    add_config_options(
        parser, 'override entries of the config; a list is key="[a,b]", a tuple key="[(a,b)]"'
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='how the processes were started; pytorch means torchrun (%(default)s)',
    )
    # torch.distributed.launch passes this option in either spelling.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def load_config(args: argparse.Namespace) -> Config:
    """Read ``args.config`` with the options of :func:`add_runner_arguments`.

    The work folder is, in this order, that of the command line, that of the config, and
    ``work_dirs/<name of the config>``.

    Raises:
        InputError: See :func:`~stdpose_mm.engine.config_files.read_config`; also if there is no
            model in the config, the work folder is a file, or a package is not installed.
    """
    require_packages('a pose network', 'torch', 'mmpose')
    require_config(args.config)
    from stdpose_mm.engine.config_files import read_config

    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg = read_config(args.config, parse_config_options(args.cfg_options))
    if 'model' not in cfg:
        raise InputError(f'config {args.config} has no model, expected one as those in configs/')
    cfg.launcher = args.launcher
    stem = Path(args.config).stem
    cfg.work_dir = args.work_dir or cfg.get('work_dir') or str(Path('work_dirs') / stem)
    if Path(cfg.work_dir).is_file():
        raise InputError(f'the work folder {cfg.work_dir} is a file, give a folder as --work-dir')
    require_writable_folder(cfg.work_dir)
    written = Path(cfg.work_dir) / Path(args.config).name
    if written.exists() and written.samefile(args.config):
        # MMEngine would overwrite the given config with the one that includes all options; without
        # a file name it writes a file named after the time.
        object.__setattr__(cfg, '_filename', None)
    return cfg


def require_checkpoint(path: str) -> None:
    """Raise :class:`InputError` unless ``path`` is a checkpoint file or an address (``https://``).

    Only the first bytes are looked at.
    """
    if '://' not in path:
        require_checkpoint_file(path)
