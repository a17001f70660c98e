"""Options shared by the commands that start an MMEngine runner."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stdpose_mm.checkpoint_files import require_checkpoint_file
from stdpose_mm.errors import InputError, require_packages
from stdpose_mm.io.disk.atomic import require_writable_folder

from .parser import argument, option

if TYPE_CHECKING:
    from mmengine.config import Config


def _key_and_value(text: str) -> str:
    """Refuse a value of ``--cfg-options`` that is not a ``key=value`` pair."""
    if '=' not in text:
        raise argparse.ArgumentTypeError(
            f'got {text!r}, expected key=value pairs such as model.neck.depth=2'
        )
    return text


@dataclass(frozen=True, kw_only=True)
class ConfigOptions:
    """Changes to a config.

    Args:
        cfg_options: Override entries of the config; write a list as key="[a,b]", a tuple as
            key="[(a,b)]".
    """

    cfg_options: list[str] = option(
        [], nargs='+', action='extend', type=_key_and_value, metavar='KEY=VALUE'
    )


def parse_config_options(pairs: Sequence[str]) -> dict[str, Any]:
    """Parse ``key=value`` texts as MMEngine's ``DictAction`` does.

    Raises:
        InputError: If the brackets of a value do not match.
    """
    from mmengine.config import DictAction

    namespace = argparse.Namespace(parsed={})
    try:
        DictAction((), 'parsed')(argparse.ArgumentParser(), namespace, pairs)
    except AssertionError as error:
        raise InputError(f'--cfg-options {" ".join(pairs)}: {error}, close every bracket') from None
    return namespace.parsed


@dataclass(frozen=True, kw_only=True)
class RunnerOptions(ConfigOptions):
    """Options that training and testing share.

    Args:
        config: Config file, or the name of one of this package.
        work_dir: Folder for logs, checkpoints and results.
        launcher: How the processes were started; pytorch means torchrun.
        local_rank: Set by torch.distributed.launch, in either spelling.
    """

    config: str = argument('CONFIG')
    work_dir: str | None = option(writes=True, is_folder=True)
    launcher: str = option('none', choices=['none', 'pytorch', 'slurm', 'mpi'])
    local_rank: int = option(0, '--local_rank', '--local-rank', help=argparse.SUPPRESS)

    def load_config(self) -> Config:
        """Read the config and apply the options.

        The work folder is, in this order of precedence, the one of the command line, the one of the
        config, or ``work_dirs/<name of the config>``.

        Raises:
            InputError: See :func:`~stdpose_mm.engine.config_files.read_config`; also if the config
                has no model, the work folder is a file, or a package is not installed.
        """
        require_packages('a pose network', 'torch', 'mmpose')
        from stdpose_mm.engine.config_files import read_config

        os.environ.setdefault('LOCAL_RANK', str(self.local_rank))
        cfg = read_config(self.config, parse_config_options(self.cfg_options))
        if 'model' not in cfg:
            raise InputError(f'config {self.config} has no model, expected one as in configs/')
        cfg.launcher = self.launcher
        file = Path(cfg.filename)
        cfg.work_dir = self.work_dir or cfg.get('work_dir') or str(Path('work_dirs', file.stem))
        require_writable_folder(cfg.work_dir)
        written = Path(cfg.work_dir) / file.name
        if written.exists() and written.samefile(file):
            # MMEngine would overwrite the given config with the config that includes all options;
            # without a file name it writes to a file named after the time.
            object.__setattr__(cfg, '_filename', None)
        return cfg


def require_checkpoint(path: str) -> None:
    """Raise :class:`InputError` unless ``path`` is a checkpoint file or an address (``https://``).

    Only the first bytes of a file are checked.
    """
    if '://' not in path:
        require_checkpoint_file(path)
