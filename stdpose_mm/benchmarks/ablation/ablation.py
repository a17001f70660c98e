"""Several configs, each trained with several seeds on the same budget, and tested."""

from __future__ import annotations

import fcntl
import json
import math
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from textwrap import shorten
from typing import Any, TextIO

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.registry import MODELS

from stdpose_mm.engine.checkpoints import last_checkpoint
from stdpose_mm.engine.config_files import config_mistakes, read_config
from stdpose_mm.engine.model_names import config_folder
from stdpose_mm.errors import InputError
from stdpose_mm.io import write_json, write_text

HELD_OUT_PREFIXES = ('val/loss', 'val/explained')
"""Prefixes of the losses and explained shares that ``HeldOutLossHook`` logs."""

POLL_SECONDS = 0.2
STOP_SECONDS = 10
"""Seconds that a process may take to end; the workers of a data loader may take 5 s to notice that
their process is gone.
"""


@dataclass(frozen=True)
class Training:
    """Record of a finished training.

    Args:
        checkpoint: File name of its last checkpoint, in the run's folder.
        steps: Number of training steps.
        seconds: Time in these steps, loading of data included, without start-up, evaluation of
            held-out losses and writing of checkpoints. ``None`` if the config has no IterTimerHook.
        memory_mb: Peak of the memory of tensors on the GPU; ``None`` without one.
        losses_before: Held-out loss -> value before the first step; empty without such losses.
        losses_after: The same after the last step.
    """

    checkpoint: str
    steps: int
    seconds: float | None
    memory_mb: float | None
    losses_before: dict[str, float | None]
    losses_after: dict[str, float | None]


@dataclass(frozen=True)
class RunResult:
    """A training and the test metrics of its last checkpoint; ``None`` for undefined metrics."""

    training: Training
    metrics: dict[str, float | None]


@dataclass(frozen=True)
class VariantResult:
    """Results of one config.

    Args:
        name: The config's file name without its suffix.
        config: Path of the config as it was given.
        parameters: Number of parameters of the whole model, with modules that only training uses.
        runs: Seed -> result.
    """

    name: str
    config: str
    parameters: int
    runs: dict[int, RunResult]


@dataclass(frozen=True)
class Command:
    """Command line of the training or a test of a run.

    Args:
        name: Description for messages.
        arguments: Command line.
        log: File of its output.
    """

    name: str
    arguments: tuple[str, ...]
    log: Path


@dataclass(frozen=True)
class TrainedVariant:
    """A config trained with one seed, and tested, in a folder.

    Args:
        variant: Name of the config.
        config: Config file to train.
        max_iters: Required number of steps; ``None`` if the config counts epochs.
        seed: Random seed.
        folder: Folder of all files.
        more_tests: Name -> ``--cfg-options`` of another test of the same checkpoint.
    """

    variant: str
    config: Path
    max_iters: int | None
    seed: int
    folder: Path
    more_tests: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def training_file(self) -> Path:
        return self.folder / 'training.json'

    def metrics_file(self, test: str = '') -> Path:
        """Return the file of a test's metrics; without a name that of the config's own test."""
        return self.folder / (f'metrics_{test}.json' if test else 'metrics.json')

    def commands(self) -> Iterator[Command]:
        """Yield the commands left to run, each to be requested when the last one has succeeded.

        The last checkpoint is tested, never the one that scored best on these data.

        Raises:
            InputError: If training left no checkpoint of its last step.
        """
        name = f'{self.variant} with seed {self.seed}'
        if not self.training_file.is_file():
            arguments = ('--seed', str(self.seed), '--resume', '--no-validate')
            yield Command(
                f'training of {name}',
                (*_tool('train.py', self.config, '--work-dir', self.folder), *arguments),
                self.folder / 'train.log',
            )
            write_json(self.training_file, asdict(self._read_training()), indent=2)
        checkpoint = self.folder / json.loads(self.training_file.read_text())['checkpoint']
        for test, options in {'': (), **self.more_tests}.items():
            out = self.metrics_file(test)
            if out.is_file():
                continue
            arguments = ('--work-dir', str(self.folder / 'test'), '--out', str(out))
            yield Command(
                f'test{test and " " + test} of {name}',
                (
                    *_tool('test.py', self.config, checkpoint),
                    *arguments,
                    *(('--cfg-options', *options) if options else ()),
                ),
                self.folder / 'test.log',
            )

    def result(self) -> RunResult:
        """Read a finished run; metrics of another test are prefixed by the name of the test."""
        training = Training(**json.loads(self.training_file.read_text()))
        metrics = json.loads(self.metrics_file().read_text())
        for test in self.more_tests:
            of_test = json.loads(self.metrics_file(test).read_text())
            metrics |= {f'{test}/{metric}': value for metric, value in of_test.items()}
        return RunResult(training, metrics)

    def _read_training(self) -> Training:
        path = last_checkpoint(str(self.folder))
        if path is None:
            raise InputError(f'{self.folder} holds no checkpoint, add a CheckpointHook')
        state = torch.load(path, map_location='cpu', mmap=True, weights_only=False)
        steps = state['meta']['iter']
        if self.max_iters not in (None, steps):
            raise InputError(
                f'{path} is of step {steps}, expected one of the last step {self.max_iters}, set '
                'default_hooks.checkpoint.save_last=True'
            )
        # Every step's time is in the checkpoint, those before an interruption too.
        times = state['message_hub']['log_scalars'].get('train/time')
        records = read_scalars(self.folder)
        memory = [record['memory'] for record in records if 'memory' in record]
        losses = held_out_losses(records)
        return Training(
            checkpoint=Path(path).name,
            steps=steps,
            seconds=float(times.data[0].sum()) if times is not None else None,
            memory_mb=max(memory, default=None),
            losses_before=losses.get(0, {}),
            losses_after=losses.get(steps, {}),
        )


def run_ablation(
    configs: Sequence[str],
    seeds: Sequence[int],
    out_dir: Path,
    options: Mapping[str, Any] | None = None,
    jobs: int = 1,
    report: Callable[[str], None] = print,
    more_tests: Mapping[str, Sequence[str]] | None = None,
) -> list[VariantResult]:
    """Train every config with every seed by ``tools/train.py`` and test it by ``tools/test.py``.

    All runs take equally many steps (or epochs) of equally many samples. They are trained without
    validation. A run goes to ``out_dir/runs/<config>/seed<k>``; what is finished there is not done
    again, and what was stopped goes on from its last checkpoint. Each config is stored with the
    options as ``out_dir/runs/<config>/config.py`` and trained from there, so that changing the
    original later changes nothing.

    Args:
        configs: Config files.
        seeds: Random seeds.
        out_dir: Folder of the whole ablation.
        options: ``--cfg-options``, the same for all.
        jobs: Number of processes at a time.
        report: Called with a line whenever a command begins.
        more_tests: Name -> ``--cfg-options`` (KEY=VALUE) of tests beside that of the config, such
            as one on other data. A test with a stored result of its name is not run again, even
            with other options.

    Returns:
        A result for each config, in the order given.

    Raises:
        InputError: If a config cannot be used, two have one name or unequal budgets, the folder
            holds runs of another config under that name or is in use, or a run fails. Nothing that
            is finished is lost then.
    """
    cfgs: dict[str, Config] = {}
    sources: dict[str, str] = {}
    for path in configs:
        name = Path(path).stem
        if name in cfgs:
            raise InputError(f'{sources[name]} and {path} have one name, rename one of them')
        cfgs[name], sources[name] = read_config(path, options), path
    require_equal_budgets(cfgs)
    parameters = {name: count_parameters(cfg, sources[name]) for name, cfg in cfgs.items()}
    with _locked(out_dir) as lock:
        runs: dict[str, dict[int, TrainedVariant]] = {}
        for name, cfg in cfgs.items():
            folder = out_dir / 'runs' / name
            store_config(cfg, folder / 'config.py')
            max_iters = (cfg.get('train_cfg') or {}).get('max_iters')
            runs[name] = {
                seed: TrainedVariant(
                    name,
                    folder / 'config.py',
                    max_iters,
                    seed,
                    folder / f'seed{seed}',
                    more_tests or {},
                )
                for seed in seeds
            }
        # Seed by seed, so that a table of fewer seeds is complete early.
        in_order = [runs[name][seed] for seed in seeds for name in runs]
        run_commands([run.commands() for run in in_order], jobs, report, lock)
    return [
        VariantResult(
            name,
            sources[name],
            parameters[name],
            {seed: run.result() for seed, run in of_seed.items()},
        )
        for name, of_seed in runs.items()
    ]


def require_equal_budgets(cfgs: Mapping[str, Config]) -> None:
    """Raise :class:`InputError` unless all configs train as long, on batches of one size.

    Args:
        cfgs: Name -> config.
    """
    budgets: dict[str, str] = {}
    for name, cfg in cfgs.items():
        loop, loader = cfg.get('train_cfg') or {}, cfg.get('train_dataloader') or {}
        length = [f'{loop[key]} {key}' for key in ('max_iters', 'max_epochs') if key in loop]
        budgets[name] = f'{" ".join(length)} of batch_size {loader.get("batch_size")}'
    if len(set(budgets.values())) > 1:
        text = '; '.join(f'{name}: {budget}' for name, budget in budgets.items())
        raise InputError(
            f'the configs have unequal budgets ({text}), set train_cfg and '
            'train_dataloader.batch_size for all of them by --cfg-options'
        )


def count_parameters(cfg: Config, path: str) -> int:
    """Build the model of a config and count its parameters.

    Raises:
        InputError: If there is no model in it, or its entries do not fit the classes.
    """
    if 'model' not in cfg:
        raise InputError(f'config {path} has no model, expected one as those in configs/')
    init_default_scope(cfg.get('default_scope', 'mmpose'))
    with config_mistakes(path):
        model = MODELS.build(cfg.model)
    return sum(parameter.numel() for parameter in model.parameters())


def store_config(cfg: Config, path: Path) -> None:
    """Write the config, unless the very same is there.

    Raises:
        InputError: If another one is.
    """
    if not path.is_file():
        write_text(path, cfg.pretty_text)
        return
    before, now = (_entries(config.to_dict()) for config in (read_config(path), cfg))
    changed = [key for key in [*now, *before] if before.get(key) != now.get(key)]
    if changed:
        key = changed[0]
        raise InputError(
            f'{path.parent} holds runs of another config ({key} was {before.get(key, "not set")}, '
            f'now is {now.get(key, "not set")}), give another --out-dir or remove that folder'
        )


def _entries(value: Any, key: str = '') -> dict[str, str]:
    """Flatten a config to one level: ``{'model.neck.depth': '2', ...}``."""
    if isinstance(value, Mapping) and value:
        items: Any = value.items()
    elif isinstance(value, list | tuple) and value:
        items = enumerate(value)
    else:
        return {key: repr(value)}
    entries = {}
    for name, item in items:
        entries.update(_entries(item, f'{key}.{name}' if key else str(name)))
    return entries


def read_scalars(work_dir: Path) -> list[dict[str, Any]]:
    """Read the records that the runs of MMEngine in a work folder logged, in their order."""
    records = []
    for file in sorted(work_dir.glob('*/vis_data/scalars.json')):
        for line in file.read_text().splitlines():
            # The last line of a run that was killed may be cut off.
            try:
                records.append(json.loads(line))
            except ValueError:
                continue
    return records


def held_out_losses(records: Sequence[Mapping[str, Any]]) -> dict[int, dict[str, float | None]]:
    """Select the held-out losses: step -> loss -> value, ``None`` if it is not finite.

    The last record of a step counts: one after an interruption is repeated.
    """
    losses = {}
    for record in records:
        values = {
            name.removeprefix('val/'): value if math.isfinite(value) else None
            for name, value in record.items()
            if name.startswith(HELD_OUT_PREFIXES)
        }
        if values:
            losses[record['step']] = values
    return losses


# Processes


def run_commands(
    runs: Sequence[Iterator[Command]], jobs: int, report: Callable[[str], None], lock: TextIO
) -> None:
    """Run sequences of commands, ``jobs`` of them at a time; the first failure ends all.

    Args:
        runs: Sequences of commands; the next one is requested when the last one has succeeded.
        jobs: Maximal number of processes.
        report: Called with a line whenever a command begins.
        lock: File that every process keeps open.

    Raises:
        InputError: If a command fails.
    """
    waiting = deque(runs)
    active: list[tuple[subprocess.Popen, Command, Iterator[Command]]] = []
    try:
        while waiting or active:
            for process, command, run in list(active):
                code = process.poll()
                if code is None:
                    continue
                active.remove((process, command, run))
                if code != 0:
                    raise InputError(_failure(command, code))
                waiting.appendleft(run)
            while waiting and len(active) < jobs:
                run = waiting.popleft()
                next_command = next(run, None)
                if next_command is not None:
                    report(next_command.name)
                    active.append((_start(next_command, lock), next_command, run))
            if active:
                time.sleep(POLL_SECONDS)
    finally:
        for process, *_ in active:
            process.terminate()
        for process, *_ in active:
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _start(command: Command, lock: TextIO) -> subprocess.Popen:
    command.log.parent.mkdir(parents=True, exist_ok=True)
    with open(command.log, 'ab') as log:
        return subprocess.Popen(
            command.arguments,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=(lock.fileno(),),
        )


def _failure(command: Command, code: int) -> str:
    how = f'exit code {code}' if code > 0 else f'ended by signal {-code}'
    lines = command.log.read_text(errors='replace').split('\n')
    last = next((line.strip() for line in reversed(lines) if line.strip()), 'it printed nothing')
    return (
        f'the {command.name} failed ({how}: {shorten(last, 200, placeholder=" ...")}), see '
        f'{command.log}'
    )


def _tool(script: str, *arguments: object) -> tuple[str, ...]:
    return (sys.executable, str(config_folder() / 'tools' / script), *map(str, arguments))


@contextmanager
def _locked(folder: Path) -> Iterator[TextIO]:
    """Lock a folder, also as long as a process that was started here still runs.

    Raises:
        InputError: If the folder is in use or cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / '.lock').open('w')
    except OSError as error:
        raise InputError(f'{folder} cannot be written: {error.strerror or error}') from error
    with file:
        give_up = time.monotonic() + STOP_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > give_up:
                    raise InputError(
                        f'{folder} is in use by another ablation, or by a run that one left '
                        'behind; wait for it or end it'
                    ) from None
            time.sleep(POLL_SECONDS)
        yield file
