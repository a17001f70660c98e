"""Runs of MMEngine that check their checkpoints and print what one reads."""

from __future__ import annotations

import gc
import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed
from mmengine.config import Config
from mmengine.dist import master_only
from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner, find_latest_checkpoint
from mmengine.visualization import Visualizer
from torch import nn

from stdpose_mm.errors import InputError, one_line
from stdpose_mm.io.disk.atomic import atomic_path, remove_partial

_WRONG = (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""Errors that MMEngine raises for a checkpoint of another layout or model."""

_LISTS = ('\n---', 'Config:', 'Hooks will be executed', 'paramwise_options')
"""Beginnings of MMEngine's messages of hundreds of lines."""


class CheckedRunner(Runner):
    """MMEngine's runner, but it refuses a checkpoint that does not fit the run, and prints less.

    MMEngine only logs missing weights and continues with random ones, and with a new optimizer if
    the checkpoint has none. The weights that a training starts from (``load_from``) need not fill
    the whole model, see :class:`~stdpose_mm.engine.hooks.CheckpointReportHook`.

    Environment, config, hooks and settings of parameters are in the log file, and with the log
    level DEBUG also in the terminal.
    """

    _load_from: str | None
    _needs_all_weights = False
    _training_since = 0.0

    def build_logger(self, log_level: int | str = 'INFO', *args: Any, **kwargs: Any) -> MMLogger:
        """Build the logger of this run."""
        logger = super().build_logger(log_level, *args, **kwargs)
        if log_level not in ('DEBUG', logging.DEBUG):
            logger.handlers[0].addFilter(_is_for_terminal)
            logger.info(f'environment, config, hooks and parameters: {logger.log_file}')
        return logger

    def build_visualizer(self, visualizer: Visualizer | dict | None = None) -> Visualizer:
        """Build the visualizer of this run; one of the same name would log to an earlier run."""
        if isinstance(visualizer, dict):
            visualizer = {**visualizer, 'name': self.experiment_name}
        return super().build_visualizer(visualizer)

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Wrap the model for several processes, whose buffers have the layout of its weights."""
        for parameter in model.parameters() if self.distributed else ():
            if parameter.shape[2:] == (1, 1):
                # In bfloat16, PyTorch gives the gradient the strides of another memory format.
                parameter.register_hook(lambda grad: grad.flatten(1)[..., None, None])
        return super().wrap_model(model_wrapper_cfg, model)

    def scale_lr(self, optim_wrapper: OptimWrapper, auto_scale_lr: dict | None = None) -> None:
        """Scale the learning rate to the batch size, unless a checkpoint will replace it."""
        if not self._resume or self._load_from is None:
            super().scale_lr(optim_wrapper, auto_scale_lr)
        elif auto_scale_lr and auto_scale_lr.get('enable'):
            self.logger.warning(
                f'the learning rate is not scaled: it continues as in {self._load_from}'
            )

    def train(self) -> nn.Module:
        """Train, or continue from the last existing checkpoint in the work folder."""
        self._training_since = time.time()
        self._needs_all_weights = bool(self._resume)
        if self._resume and self._load_from is None:
            self._load_from = last_checkpoint(self.work_dir)
        if not self._resume and (old := sorted(Path(self.work_dir).glob('best_*.pth'))):
            self.logger.warning(
                f'{self.work_dir} holds {old[0].name} of an earlier run, which may stay beside the '
                'best checkpoint of this run, give another --work-dir, or continue from the '
                'earlier run with --resume'
            )
        return super().train()

    def test(self) -> dict[str, float]:
        """Test a checkpoint of this model."""
        self._needs_all_weights = True
        return super().test()

    def resume(self, filename: str, *args: Any, **kwargs: Any) -> None:
        """Restore the complete state of a run with this config.

        Raises:
            InputError: If the file cannot be read or does not belong to such a run.
        """
        with _refusing(
            f'checkpoint {filename} cannot be resumed',
            'give one of a run with this config, or its weights alone as load_from',
        ):
            super().resume(filename, *args, **kwargs)

    def load_checkpoint(
        self,
        filename: str,
        map_location: str | Callable = 'cpu',
        strict: bool = False,
        revise_keys: Any = ((r'^module.', ''),),
    ) -> Any:
        """Load the weights; in a test and in a resumed run they must be complete.

        Raises:
            InputError: If they cannot be read or do not belong to the model.
        """
        done = 'resumed' if self._resume else 'loaded into the model'
        with _refusing(f'checkpoint {filename} cannot be {done}', 'give one of this model'):
            strict = strict or self._needs_all_weights
            checkpoint = super().load_checkpoint(filename, map_location, strict, list(revise_keys))
            if self._resume and 'optimizer' not in checkpoint:
                raise LookupError('it holds no optimizer')
        return checkpoint

    @master_only
    def save_checkpoint(self, out_dir: str, filename: str, *args: Any, **kwargs: Any) -> None:
        """Write a checkpoint completely or not at all; see MMEngine for the arguments.

        What a run in this folder left when it was killed while saving is removed.

        Raises:
            InputError: If it cannot be written.
        """
        if '://' in out_dir:
            super().save_checkpoint(out_dir, filename, *args, **kwargs)
            return
        with atomic_path(Path(out_dir, filename)) as temporary:
            super().save_checkpoint(str(temporary.parent), temporary.name, *args, **kwargs)
        remove_partial(out_dir, self._training_since)


def _is_for_terminal(record: logging.LogRecord) -> bool:
    return record.levelno != logging.INFO or not record.getMessage().startswith(_LISTS)


@contextmanager
def _refusing(what: str, advice: str) -> Iterator[None]:
    """Turn errors about a checkpoint that does not fit into an InputError."""
    try:
        yield
    except InputError:
        raise
    except _WRONG as error:
        raise InputError(f'{what} ({one_line(error)}), {advice}') from error


def last_checkpoint(work_dir: str) -> str | None:
    """Find the last checkpoint of the runs in a work folder; None if there is none yet.

    A killed run may leave no record, an empty one, or the record of a checkpoint that was removed
    to make room for the next one. The existing checkpoint of the highest step is returned then.
    """
    if not Path(work_dir).is_dir():
        return None
    recorded = find_latest_checkpoint(work_dir) or ''
    # The recorded path is absolute; if the folder was moved, the file lies beside the record.
    moved = Path(work_dir) / Path(recorded).name
    if moved.is_file():
        return str(moved)
    if Path(recorded).is_file() or '://' in recorded:
        return recorded
    by_step = {
        int(step[1]): str(path)
        for path in Path(work_dir).iterdir()
        if (step := re.fullmatch(r'(?:iter|epoch)_([0-9]+)\.pth', path.name))
    }
    return by_step[max(by_step)] if by_step else None


@contextmanager
def training_processes(cfg: Config) -> Iterator[None]:
    """Join the processes of a launcher for a training or a test, and separate them afterwards.

    MMEngine joins processes that each have a GPU, and would choose a GPU on CPUs, too, so processes
    on CPUs are joined here. MMEngine keeps an existing process group and wraps the model as
    configured.

    All references to the runner and its model must be gone when the block ends: PyTorch stops the
    threads of a group with its last reference, and a thread that outlives the interpreter aborts
    the process. After an error nothing is stopped, since this could wait for the other processes.

    Args:
        cfg: Config of the runner. On CPUs it gets a ``model_wrapper_cfg`` unless it has one.
            Without a launcher nothing is done.

    Raises:
        InputError: If there is no GPU and a launcher other than 'pytorch' started the processes.
    """
    launcher = cfg.get('launcher') or 'none'
    if launcher == 'none':
        yield
        return
    if not torch.cuda.is_available():
        if launcher != 'pytorch':
            raise InputError(
                f'--launcher {launcher} needs GPUs and there is none, start the processes with '
                'tools/dist_train.sh or tools/dist_test.sh'
            )
        if not torch.distributed.is_initialized():
            torch.distributed.init_process_group('gloo')
        cfg.model_wrapper_cfg = cfg.get('model_wrapper_cfg') or dict(
            type='MMDistributedDataParallel',
            device_ids=None,
            broadcast_buffers=False,
            find_unused_parameters=cfg.get('find_unused_parameters', False),
        )
    yield
    # Runners and their hooks refer to each other.
    gc.collect()
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
