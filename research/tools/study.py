r"""Train and test the configs of a study with several seeds, and tabulate their metrics.

    python -m research.tools.study research/configs/studies/table4_components_synthetic.py \
        --seeds 0 1 2

Every entry is trained by ``tools/train.py`` with each seed, on all training videos and without
validation, and the last checkpoint is tested by ``tools/test.py``: the best checkpoint on the test
data would favour what is tested more often. ``<entry>/seed<k>`` in the output folder has the
checkpoints and metrics. If the command is started again, it continues. Commands for other seeds or
entries may run at the same time and share the folder; a last one for all of them makes the table.
See research/docs/studies.md.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from research import ROOT
from research.training.schedules import set_iterations
from stdpose_mm.cli.argument_types import positive, seed
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.parser import argument, option
from stdpose_mm.cli.runner_options import ConfigOptions, parse_config_options
from stdpose_mm.engine.config_files import read_config
from stdpose_mm.engine.runner import last_checkpoint
from stdpose_mm.errors import InputError
from stdpose_mm.io import write_json, write_text
from stdpose_mm.io.disk.file_names import file_name
from stdpose_mm.io.disk.output_guards import Output, guard_outputs


@dataclass(frozen=True, kw_only=True)
class StudyOptions(ConfigOptions):
    """Options of ``study.py``.

    Args:
        study: Study file, see research/configs/studies.
        seeds: Random seeds.
        out_dir: Folder to write to (work_dirs/<name of the study>).
        entries: Run only these entries.
        steps: Train all entries for N steps.
    """

    study: str = argument('STUDY')
    seeds: list[int] = option((0, 1, 2), nargs='+', type=seed, metavar='N')
    out_dir: Path | None = option(
        writes=True, is_folder=True, files=('table.md', 'metrics.json'), metavar='DIR'
    )
    entries: list[str] | None = option(nargs='+', metavar='NAME')
    steps: int | None = option(type=positive, metavar='N')


def run_study(args: StudyOptions) -> None:
    """Do all unfinished runs, and print and write the table.

    Raises:
        InputError: If an option or a file cannot be used, or a run fails.
    """
    study = read_config(args.study)
    out_dir = args.out_dir or Path('work_dirs') / Path(args.study).stem
    guard_outputs([Output('--out-dir', out_dir, is_folder=True)], {'STUDY': args.study})
    names = [entry.name for entry in study.entries]
    for name in args.entries or ():
        if name not in names:
            raise InputError(f'{args.study} has no entry {name!r}, choose {", ".join(names)}')
    entries = [entry for entry in study.entries if entry.name in (args.entries or names)]
    tests = study.get('tests') or [dict(name='')]
    # Errors in configs must appear before all training.
    budgets = {
        entry.name: store_configs(args, entry, tests, out_dir / file_name(entry.name))
        for entry in entries
    }
    metrics: dict[str, dict[str, list[dict[str, float | None]]]] = {}
    for number in args.seeds:
        for entry in entries:
            folder = out_dir / file_name(entry.name) / f'seed{number}'
            of_entry = metrics.setdefault(entry.name, {})
            files = run_entry(folder, [test['name'] for test in tests], number)
            for test, file in files.items():
                of_entry.setdefault(test, []).append(json.loads(file.read_text()))
    report = table(study, budgets, metrics)
    seeds = f'Mean ± standard deviation over the seeds {", ".join(map(str, args.seeds))}.'
    write_json(out_dir / 'metrics.json', metrics, indent=2)
    write_text(out_dir / 'table.md', f'# {study.title}\n\n{report}\n\n{seeds}\n')
    print(report)


def store_configs(args: StudyOptions, entry: Any, tests: Iterable[Any], folder: Path) -> str:
    """Write the config of an entry for its training and for each test; return its budget.

    Raises:
        InputError: If an option does not fit, or the folder is of runs with another config.
    """
    path = entry.config if Path(entry.config).is_file() else ROOT / entry.config
    options = {**entry.get('cfg_options', {}), **parse_config_options(args.cfg_options)}
    cfg = read_config(path, options)
    if args.steps is not None:
        set_iterations(cfg, args.steps)
    tested = {'config': cfg}
    for test in tests:
        changed = {**options, **test.get('cfg_options', {})}
        tested[f'test_{file_name(test["name"])}'] = read_config(path, changed)
    for name, config in tested.items():
        file = folder / f'{name}.py'
        if file.is_file() and file.read_text() != config.pretty_text:
            raise InputError(
                f'{file} is of runs with another config, give another --out-dir or remove {folder}'
            )
        write_text(file, config.pretty_text)
    length = cfg.train_cfg.get('max_iters') or f'{cfg.train_cfg.max_epochs} epochs'
    return f'{length} of {cfg.train_dataloader.batch_size}'


def run_entry(folder: Path, tests: Sequence[str], number: int) -> dict[str, Path]:
    """Train an entry with a seed and test it, unless this is done.

    Args:
        folder: Folder of the run, in that of its configs.
        tests: Names of the tests.
        number: The seed.

    Returns:
        Test -> file of its metrics.
    """
    files = {test: folder / f'metrics_{file_name(test)}.json' for test in tests}
    missing = [test for test, file in files.items() if not file.is_file()]
    if missing:
        options = ['--work-dir', folder, '--seed', number, '--resume', '--no-validate']
        run_tool('train.py', [folder.parent / 'config.py', *options], folder)
    for test in missing:
        config = folder.parent / f'test_{file_name(test)}.py'
        options = ['--work-dir', folder / 'test', '--out', files[test]]
        run_tool('test.py', [config, last_checkpoint(str(folder)), *options], folder)
    return files


def run_tool(name: str, options: Sequence[Any], folder: Path) -> None:
    """Run a tool of the repository, with its output in a log file of the folder.

    Raises:
        InputError: If it fails.
    """
    log = folder / f'{Path(name).stem}.log'
    log.parent.mkdir(parents=True, exist_ok=True)
    words = [ROOT / 'tools' / name, *options]
    print(f'{name} in {folder}', file=sys.stderr, flush=True)
    # Configs may import modules of research.
    search_path = os.pathsep.join([str(ROOT), os.environ.get('PYTHONPATH', '')])
    with log.open('ab') as file:
        code = subprocess.run(
            [sys.executable, *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, 'PYTHONPATH': search_path},
        ).returncode
    if code:
        raise InputError(f'{name} failed with exit code {code}, see {log}')


def table(study: Config, budgets: dict[str, str], metrics: dict[str, Any]) -> str:
    """Tabulate the metrics of a study in Markdown, with differences to its reference.

    Args:
        study: The study.
        budgets: Entry -> steps and batch size of its training.
        metrics: Entry -> test -> metrics of each seed.
    """
    reference = metrics.get(study.get('reference'))
    columns = [
        title for name in study.metrics for title in (name, *['difference'] * bool(reference))
    ]
    lines = [['entry', 'test', 'steps', *columns], ['---'] * 3 + ['---:'] * len(columns)]
    for entry, of_entry in metrics.items():
        for test, of_test in of_entry.items():
            cells = []
            for name in study.metrics:
                values = [value_of(of_seed, name) for of_seed in of_test]
                cells.append(spread(values, '.2f'))
                if reference:
                    others = [value_of(of_seed, name) for of_seed in reference[test]]
                    pairs = zip(values, others, strict=True)
                    changes = [
                        None if value is None or other is None else value - other
                        for value, other in pairs
                    ]
                    cells.append('' if of_entry is reference else spread(changes, '+.2f'))
            lines.append([entry, test, budgets[entry], *cells])
    return '\n'.join(f'| {" | ".join(cells)} |' for cells in lines)


def value_of(metrics: dict[str, float | None], name: str) -> float | None:
    """Read a metric; without given labels, that of all frames has the plain name."""
    return metrics.get(name, metrics.get(name.removesuffix('_all')))


def spread(values: Sequence[float | None], style: str) -> str:
    """Format the mean of the defined values, their standard deviation (n - 1), and their range."""
    known = [value for value in values if value is not None]
    if not known:
        return '-'
    mean = f'{statistics.fmean(known):{style}}'
    if len(known) == 1:
        return mean
    limits = f'[{min(known):{style}}, {max(known):{style}}]'
    return f'{mean} ± {statistics.stdev(known):.2f} {limits}'


main = Command(StudyOptions, run_study, __doc__, 'study.py')

if __name__ == '__main__':
    sys.exit(main())
