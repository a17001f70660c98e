"""Training and testing the entries of a study; finished runs are not repeated."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.utils import import_modules_from_strings
from mmpose.registry import MODELS

from research.training.schedules import set_iterations
from stdpose_mm.checkpoint_files import read_checkpoint_file
from stdpose_mm.engine.config_files import config_mistakes, read_config
from stdpose_mm.engine.runner import last_checkpoint
from stdpose_mm.errors import InputError
from stdpose_mm.io import write_json, write_text

from .commands import Command, Launcher, locked, run_commands
from .study import Options, Study, StudyEntry, StudyTest, file_name, read_entry_config

HELD_OUT_PREFIXES = ('val/loss', 'val/explained')
"""Prefixes of the losses and explained shares that ``HeldOutLossHook`` logs."""

TIMING_STEPS = 60
TIMING_SETTLE = 20
"""Number of first steps of a timing run that do not count, as loaders and kernels warm up."""

TIMING_FILE = 'timing.json'


@dataclass(frozen=True)
class Training:
    """Record of a finished training.

    Args:
        checkpoint: File name of its last checkpoint in the run's folder.
        steps: Number of training steps.
        seconds: Time of these steps, including loading of data, but not start-up, evaluation of
            held-out losses and writing of checkpoints. ``None`` if the config has no IterTimerHook.
        memory_mb: Peak memory of tensors on the GPU; ``None`` without a GPU.
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
    """A training and its metrics: test -> metric -> value, ``None`` if undefined."""

    training: Training
    metrics: dict[str, dict[str, float | None]]


@dataclass(frozen=True)
class EntryResult:
    """Results of one entry.

    Args:
        entry: The entry.
        tests: Its tests.
        parameters: Number of parameters of the whole model, including modules that only training
            uses; ``None`` for an entry that is not trained here.
        runs: Seed -> result; empty for an entry that is not trained here.
    """

    entry: StudyEntry
    tests: Sequence[StudyTest]
    parameters: int | None
    runs: dict[int, RunResult]


@dataclass(frozen=True)
class RunSettings:
    """Settings that all training runs of a study share, besides their configs.

    Args:
        launcher: How commands are started.
        train_options: Options of ``tools/train.py``, such as ``--amp``.
    """

    launcher: Launcher = field(default_factory=Launcher)
    train_options: Sequence[str] = ()

    @property
    def record(self) -> dict[str, Any]:
        """Return the settings that affect the results, to be stored with the configs."""
        return {'processes': self.launcher.processes, 'train_options': list(self.train_options)}


@dataclass(frozen=True)
class TrainedEntry:
    """Run of an entry with one seed in a folder.

    Args:
        entry: The entry.
        tests: Its tests.
        config: Config file to train.
        max_iters: Required number of steps; ``None`` if the config counts epochs.
        seed: Random seed.
        folder: Folder of all files.
        settings: Settings of the training.
        sources: The runs with the same seed that the entry needs, by name.
    """

    entry: StudyEntry
    tests: Sequence[StudyTest]
    config: Path
    max_iters: int | None
    seed: int
    folder: Path
    settings: RunSettings
    sources: Mapping[str, TrainedEntry]

    @property
    def training_file(self) -> Path:
        return self.folder / 'training.json'

    @property
    def checkpoint(self) -> Path:
        """Return the last checkpoint of the finished training."""
        return self.folder / json.loads(self.training_file.read_text())['checkpoint']

    def metrics_file(self, test: StudyTest) -> Path:
        """Return the file of a test's metrics."""
        return self.folder / (
            f'metrics_{file_name(test.name)}.json' if test.name else 'metrics.json'
        )

    def commands(self) -> Iterator[Command]:
        """Yield the remaining commands; request each when the last one has succeeded.

        The last checkpoint is tested, never the one with the best score on these data.

        Raises:
            InputError: If there is no checkpoint of the last training step.
        """
        name = f'{self.entry.name} with seed {self.seed}'
        launcher = self.settings.launcher
        if not self.training_file.is_file():
            options = ['--seed', str(self.seed), '--resume', '--no-validate']
            options += self.settings.train_options
            if self.entry.pseudo_labels is not None:
                yield self._make_pseudo_labels(name)
            yield self._command(
                f'training of {name}',
                launcher.train(name, self._write_config(), self.folder, options),
                'train.log',
            )
            write_json(self.training_file, asdict(self._read_training()), indent=2)
        for test in self.tests:
            out = self.metrics_file(test)
            if out.is_file():
                continue
            options = ['--work-dir', str(self.folder / 'test'), '--out', str(out)]
            if test.cfg_options:
                options += ['--cfg-options', *option_words(test.cfg_options)]
            yield self._command(
                f'test{test.name and " " + test.name} of {name}',
                launcher.test(name, self.config, self.checkpoint, options),
                'test.log',
            )

    def result(self) -> RunResult:
        """Read the result of a finished run."""
        training = Training(**json.loads(self.training_file.read_text()))
        metrics = {
            test.name: json.loads(self.metrics_file(test).read_text()) for test in self.tests
        }
        return RunResult(training, metrics)

    def _command(self, name: str, arguments: tuple[str, ...], log: str) -> Command:
        return Command(name, arguments, self.folder / log, self.settings.launcher.environment())

    def _write_config(self) -> Path:
        """Write a config with what this seed adds, if anything; return the config to train."""
        lines = [f"_base_ = '../{self.config.name}'"]
        if self.entry.pseudo_labels is not None:
            labels = str(self._pseudo_folder.resolve() / 'annotations')
            lines.append(f'train_dataloader = dict(dataset=dict(ann_file={labels!r}))')
        if self.entry.load_from is not None:
            start = str(self.sources[self.entry.load_from].checkpoint.resolve())
            lines.append(f'load_from = {start!r}')
        if self.entry.teacher is not None:
            source = self.sources[self.entry.teacher]
            teacher = {
                'type': 'HeatmapTeacherHook',
                'config': str(source.config.resolve()),
                'checkpoint': str(source.checkpoint.resolve()),
            }
            lines.append(f"custom_hooks = [*_base_.get('custom_hooks', []), {teacher!r}]")
        if len(lines) == 1:
            return self.config
        # MMEngine writes config.py there, so the name must be another one.
        path = self.folder / 'start.py'
        write_text(path, '\n'.join(lines) + '\n')
        return path

    @property
    def _pseudo_folder(self) -> Path:
        return self.folder / 'pseudo'

    def _make_pseudo_labels(self, name: str) -> Command:
        labels = self.entry.pseudo_labels
        assert labels is not None
        source = self.sources[labels.of]
        # The machine that submits a job to Slurm need not have the GPUs that the job gets.
        has_gpu = self.settings.launcher.kind == 'slurm' or torch.cuda.is_available()
        arguments = {
            'out': self._pseudo_folder,
            'config': source.config,
            'checkpoint': source.checkpoint,
            'device': 'cuda' if has_gpu else 'cpu',
            **labels.arguments,
        }
        options = [labels.labels]
        for key, value in arguments.items():
            options += [f'--{key.replace("_", "-")}', str(value)]
        return self._command(
            f'pseudo-labels of {name}',
            self.settings.launcher.share_videos(name, 'misc/make_pseudo_labels', options),
            'pseudo_labels.log',
        )

    def _read_training(self) -> Training:
        path = last_checkpoint(str(self.folder))
        if path is None:
            raise InputError(f'{self.folder} holds no checkpoint, add a CheckpointHook')
        state = read_checkpoint_file(path, mmap=True)
        steps = state['meta']['iter']
        if self.max_iters not in (None, steps):
            raise InputError(
                f'{path} is of step {steps}, expected one of the last step {self.max_iters}, set '
                'default_hooks.checkpoint.save_last=True'
            )
        # The checkpoint has the times of all steps, even of those before an interruption.
        times = step_times(state)
        records = read_scalars(self.folder)
        memory = [record['memory'] for record in records if 'memory' in record]
        losses = held_out_losses(records)
        return Training(
            checkpoint=Path(path).name,
            steps=steps,
            seconds=None if times is None else sum(times),
            memory_mb=max(memory, default=None),
            losses_before=losses.get(0, {}),
            losses_after=losses.get(steps, {}),
        )


def run_study(
    study: Study,
    out_dir: Path,
    options: Options | None = None,
    jobs: int = 1,
    report: Callable[[str], None] = print,
    settings: RunSettings | None = None,
) -> list[EntryResult]:
    """Train every entry with every seed by ``tools/train.py`` and test it by ``tools/test.py``.

    There is no validation. A run goes to ``out_dir/runs/<entry>/seed<k>``; finished parts are not
    repeated, and a stopped run continues from its last checkpoint. Each config is stored as
    ``out_dir/runs/<entry>/config.py``, with its options and what the entry takes from others, and
    trained from there, so that later changes of the original have no effect.

    Args:
        study: The study.
        out_dir: Folder for all files.
        options: Entries to override in every config, after those of the study.
        jobs: Number of processes at a time.
        report: Function that is called with a line when a command begins.
        settings: Settings of all runs.

    Returns:
        A result for each entry that is tested or published, in their order.

    Raises:
        InputError: If a config cannot be used, budgets are unequal, the folder is in use, or holds
            runs of that name with another config or with other inputs from other entries, or a run
            fails. Finished parts are kept.
    """
    settings = settings or RunSettings()
    cfgs = {entry.name: read_entry_config(study, entry, options) for entry in study.trained}
    # Errors in the options of tests must appear before all training.
    for entry in study.tested:
        for test in study.tests_of(entry):
            read_entry_config(study, entry, {**(options or {}), **test.cfg_options})
    for entry in study.trained:
        cfg = cfgs[entry.name]
        if study.steps is not None or study.budget == 'seconds':
            try:
                set_iterations(cfg, study.steps or TIMING_STEPS)
            except InputError as error:
                raise InputError(f'{entry.name}: {error}') from error
        for hook in cfg.get('custom_hooks') or []:
            # A study trains without validation, so the hook needs data of its own.
            if hook['type'] == 'HeldOutLossHook' and not hook.get('dataloader'):
                hook['dataloader'] = cfg.get('val_dataloader')
        cfg.study_settings = {**settings.record, **_taken_from_others(entry)}
    if study.budget == 'steps':
        require_equal_budgets({entry.name: cfgs[entry.name] for entry in study.tested})
    parameters = {name: count_parameters(cfg, f'of {name}') for name, cfg in cfgs.items()}
    with locked(out_dir) as lock:
        if study.seconds is not None:
            for name, steps in fit_seconds(
                cfgs, study.seconds, out_dir, report, lock, settings
            ).items():
                set_iterations(cfgs[name], steps)
        runs: dict[int, dict[str, TrainedEntry]] = {seed: {} for seed in study.seeds}
        for entry in study.trained:
            folder = out_dir / 'runs' / file_name(entry.name)
            cfg, tests = cfgs[entry.name], study.tests_of(entry)
            store_config(cfg, folder / 'config.py')
            _store_tests(tests, folder / 'tests.json')
            max_iters = (cfg.get('train_cfg') or {}).get('max_iters')
            for seed, of_seed in runs.items():
                of_seed[entry.name] = TrainedEntry(
                    entry=entry,
                    tests=tests,
                    config=folder / 'config.py',
                    max_iters=max_iters,
                    seed=seed,
                    folder=folder / f'seed{seed}',
                    settings=settings,
                    sources={name: of_seed[name] for name in entry.needs},
                )
        # The order is seed by seed, so that tables of the first seeds are complete early.
        chains = [chain for of_seed in runs.values() for chain in _chains(of_seed)]
        run_commands([_commands(chain) for chain in chains], jobs, report, lock)
    return [
        EntryResult(
            entry,
            study.tests_of(entry),
            parameters.get(entry.name),
            {seed: of_seed[entry.name].result() for seed, of_seed in runs.items()}
            if entry.config is not None
            else {},
        )
        for entry in study.entries
        if entry.tested
    ]


def _taken_from_others(entry: StudyEntry) -> dict[str, Any]:
    """Return what an entry takes from others, to be stored with its config."""
    fields = asdict(entry)
    names = ('load_from', 'teacher', 'pseudo_labels')
    return {name: fields[name] for name in names if fields[name] is not None}


def _chains(runs: Mapping[str, TrainedEntry]) -> list[list[TrainedEntry]]:
    """Group the runs of a seed so that runs that need each other are run one by one."""
    chains: list[list[TrainedEntry]] = []
    for run in runs.values():
        joined = [chain for chain in chains if any(one.entry.name in run.sources for one in chain)]
        chains = [chain for chain in chains if chain not in joined]
        chains.append([*(one for chain in joined for one in chain), run])
    return chains


def _commands(chain: Sequence[TrainedEntry]) -> Iterator[Command]:
    for run in chain:
        yield from run.commands()


def option_words(options: Options) -> list[str]:
    """Write options in the form that ``--cfg-options`` takes."""
    return [f'{key}={_word(value)}' for key, value in options.items()]


def _word(value: Any) -> str:
    if isinstance(value, tuple | list):
        left, right = '()' if isinstance(value, tuple) else '[]'
        return left + ','.join(map(_word, value)) + right
    return str(value)


# Budgets


def require_equal_budgets(cfgs: Mapping[str, Config]) -> None:
    """Raise :class:`InputError` unless all configs have equal schedules and batch sizes.

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
            f'the entries have unequal budgets ({text}), give --steps or --seconds, set '
            "train_dataloader.batch_size for all of them, or set budget='own' in the study"
        )


def fit_seconds(
    cfgs: Mapping[str, Config],
    seconds: float,
    out_dir: Path,
    report: Callable[[str], None],
    lock: TextIO,
    settings: RunSettings,
) -> dict[str, int]:
    """Find how many steps of each config fit into a time, by a short training of each in turn.

    The times are kept in ``out_dir/timing.json``, so that a study that is continued takes the same
    numbers of steps.

    Args:
        cfgs: Name -> config, with ``TIMING_STEPS`` steps.
        seconds: Time of each training.
        out_dir: Folder of the study.
        report: Function that is called with a line when a timing run begins.
        lock: See :func:`~research.study.commands.run_commands`.
        settings: Settings of all runs.

    Returns:
        Name -> number of steps.

    Raises:
        InputError: If the file is for another time, a run fails or measures no time, or not even
            one step fits.
    """
    file = out_dir / TIMING_FILE
    timing: dict[str, Any] = {'seconds': seconds, 'entries': {}}
    if file.is_file():
        timing = json.loads(file.read_text())
    if timing['seconds'] != seconds:
        raise InputError(
            f'{out_dir} holds runs of {timing["seconds"]:g} s, got --seconds {seconds:g}, give '
            'another --out-dir'
        )
    for name, cfg in cfgs.items():
        if name in timing['entries']:
            continue
        each = _seconds_per_step(
            name, cfg, out_dir / 'timing' / file_name(name), report, lock, settings
        )
        steps = int(seconds / each)
        if steps < 1:
            raise InputError(
                f'a step of {name} takes {each:.3g} s, give more than that as --seconds'
            )
        timing['entries'][name] = {'seconds_per_step': each, 'steps': steps}
        write_json(file, timing, indent=2)
    return {name: timing['entries'][name]['steps'] for name in cfgs}


def read_timing(out_dir: Path) -> dict[str, Any]:
    """Read the times from :func:`fit_seconds`: entry -> ``seconds_per_step``, ``steps``."""
    file = out_dir / TIMING_FILE
    return json.loads(file.read_text())['entries'] if file.is_file() else {}


def _seconds_per_step(
    name: str,
    cfg: Config,
    folder: Path,
    report: Callable[[str], None],
    lock: TextIO,
    settings: RunSettings,
) -> float:
    write_text(folder / 'config.py', cfg.pretty_text)
    options = ['--seed', '0', '--no-validate', *settings.train_options]
    arguments = settings.launcher.train(f'timing of {name}', folder / 'config.py', folder, options)
    environment = settings.launcher.environment()
    command = Command(f'timing of {name}', arguments, folder / 'train.log', environment)
    run_commands([iter([command])], 1, report, lock)
    checkpoint = last_checkpoint(str(folder))
    state = checkpoint and read_checkpoint_file(checkpoint)
    times = step_times(state) if state else None
    if not times or len(times) <= TIMING_SETTLE:
        raise InputError(
            f'the timing of {name} stored no times of steps, add IterTimerHook and CheckpointHook'
        )
    for left in folder.glob('*.pth'):
        left.unlink()
    counted = times[TIMING_SETTLE:]
    return sum(counted) / len(counted)


def step_times(state: Mapping[str, Any]) -> list[float] | None:
    """Read the seconds of every training step from a checkpoint; ``None`` if it has none."""
    times = state['message_hub']['log_scalars'].get('train/time')
    return None if times is None else [float(value) for value in times.data[0]]


def count_parameters(cfg: Config, path: str) -> int:
    """Build the model of a config and count its parameters.

    Raises:
        InputError: If the config has no model, or its entries do not fit the classes.
    """
    if 'model' not in cfg:
        raise InputError(f'config {path} has no model, expected one like those in configs/')
    init_default_scope(cfg.get('default_scope', 'mmpose'))
    with config_mistakes(path):
        # Options of a study may name more modules than the file, whose own are already imported.
        import_modules_from_strings(cfg.get('custom_imports', {}).get('imports', []))
        with torch.device('meta'):
            model = MODELS.build(cfg.model)
    return sum(parameter.numel() for parameter in model.parameters())


# Files of a folder


def store_config(cfg: Config, path: Path) -> None:
    """Write the config, unless the same config is already there.

    Raises:
        InputError: If another config is there.
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


def _store_tests(tests: Sequence[StudyTest], path: Path) -> None:
    """Add the options of tests to those of earlier tests.

    Raises:
        InputError: If an earlier test with the same name had other options.
    """
    stored = json.loads(path.read_text()) if path.is_file() else {}
    # JSON turns tuples into lists.
    now = json.loads(json.dumps({test.name: dict(test.cfg_options) for test in tests}))
    for name, options in now.items():
        if stored.get(name, options) != options:
            raise InputError(
                f'{path.parent} holds results of another test {name!r} ({stored[name]}, now '
                f'{options}), give it another name or give another --out-dir'
            )
    if set(now) - set(stored):
        write_json(path, stored | now, indent=2)


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
    """Read the records that MMEngine's runs have logged in a work folder, in their order."""
    records = []
    for file in sorted(work_dir.glob('*/vis_data/scalars.json')):
        for line in file.read_text().splitlines():
            # The last line of a killed run may be incomplete.
            try:
                records.append(json.loads(line))
            except ValueError:
                continue
    return records


def held_out_losses(records: Sequence[Mapping[str, Any]]) -> dict[int, dict[str, float | None]]:
    """Select the held-out losses: step -> loss -> value, ``None`` if it is not finite.

    The last record of a step counts, as steps are repeated after an interruption.
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
