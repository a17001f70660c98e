r"""Train and test the configs of a study with several seeds, and compare them.

    python -m research.tools.study research/configs/studies/table4_components_synthetic.py \
        --seeds 0 1 2

Every entry of the study is trained with each seed, without validation, and its last checkpoint is
tested. The output folder gets ``table.md``, ``plot.png``, and ``study.json`` with all measurements;
``runs/<entry>/seed<k>`` has the logs and checkpoints. If the command is started again, it
continues; entries, seeds and tests may be added. See research/docs/studies.md.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from research.study.commands import Launcher
from research.study.study import Study, StudyTest, read_study
from research.study.study_report import plot_study, study_fields, study_report
from research.study.study_runs import RunSettings, read_timing, run_study
from stdpose_mm.cli.argument_types import positive, seed
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.parser import argument, option
from stdpose_mm.cli.runner_options import ConfigOptions, parse_config_options
from stdpose_mm.errors import InputError
from stdpose_mm.io import write_json, write_text
from stdpose_mm.io.output_guards import Output, guard_outputs


@dataclass(kw_only=True)
class StudyOptions(ConfigOptions):
    """Options of ``study.py``.

    Args:
        study: Study file, see research/configs/studies.
        seeds: Random seeds (default: the study's, mostly 0 1 2).
        out_dir: Folder to write to (work_dirs/<name of the study>).
        entries: Run only these entries.
        steps: Train all entries for N steps.
        seconds: Train every entry for as many steps as fit into S seconds; each is timed first.
        jobs: Number of runs at the same time.
        launcher: Start every run in several processes, with torchrun or Slurm.
        gpus: Processes per run.
        partition: Partition of the Slurm cluster.
        amp: Train in mixed precision, as in train.py.
        auto_scale_lr: Scale learning rates by the batch size, as in train.py.
        also_test: Test every checkpoint again with these config entries overridden; may be
            repeated.
    """

    study: str = argument('STUDY')
    seeds: list[int] | None = option(nargs='+', type=seed, metavar='N')
    out_dir: Path | None = option(
        writes=True,
        is_folder=True,
        files=('study.json', 'table.md', 'plot.png', 'runs/*/*.json'),
        metavar='DIR',
    )
    entries: list[str] | None = option(nargs='+', metavar='NAME')
    steps: int | None = option(type=positive, metavar='N')
    seconds: int | None = option(type=positive, metavar='S')
    jobs: int = option(1, type=positive, metavar='N')
    launcher: str = option('none', choices=['none', 'pytorch', 'slurm'])
    gpus: int = option(1, type=positive, metavar='N')
    partition: str | None = option(metavar='NAME')
    amp: bool = option(False)
    auto_scale_lr: bool = option(False)
    also_test: list[list[str]] = option(
        [], nargs='+', action='append', metavar=('NAME', 'KEY=VALUE')
    )


def run_study_file(args: StudyOptions) -> None:
    """Do all unfinished runs, print the tables and write the measurements.

    Raises:
        InputError: If an option or a file cannot be used, or a run fails.
    """
    # An exception also ends the processes that were started here.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    if args.steps is not None and args.seconds is not None:
        raise InputError('--steps and --seconds exclude each other, give one of them')
    out_dir = args.out_dir or Path('work_dirs') / Path(args.study).stem
    guard_outputs([Output('--out-dir', out_dir, is_folder=True)], {'STUDY': args.study})

    study = apply_arguments(read_study(args.study), args)
    options = parse_config_options(args.cfg_options)
    train_options = [
        *['--amp'] * args.amp,
        *['--auto-scale-lr'] * args.auto_scale_lr,
    ]
    settings = RunSettings(Launcher(args.launcher, args.gpus, args.partition), train_options)
    results = run_study(study, out_dir, options, args.jobs, announce, settings)
    report = study_report(study, results)
    fields = {
        **study_fields(study, results),
        'cfg_options': options,
        **settings.record,
        'timing': read_timing(out_dir),
    }
    write_json(out_dir / 'study.json', fields, indent=2)
    plot_study(out_dir / 'plot.png', study, results)
    write_text(out_dir / 'table.md', f'{report}\n')
    print(report)


def apply_arguments(study: Study, args: StudyOptions) -> Study:
    """Apply the options of the command line to a study.

    Raises:
        InputError: If an option does not fit the study.
    """
    if args.entries:
        study = study.select(args.entries)
    changes: dict[str, Any] = {}
    if args.seeds:
        changes['seeds'] = tuple(dict.fromkeys(args.seeds))
    if args.steps is not None:
        budget = 'steps' if study.budget == 'seconds' else study.budget
        changes |= {'budget': budget, 'steps': args.steps, 'seconds': None}
    if args.seconds is not None:
        changes |= {'budget': 'seconds', 'steps': None, 'seconds': args.seconds}
    if args.also_test:
        more = [
            StudyTest(name, parse_config_options(options))
            for name, options in read_tests(args.also_test).items()
        ]
        changes['tests'] = (*study.tests, *more)
    return replace(study, **changes)


def read_tests(given: Sequence[Sequence[str]]) -> dict[str, list[str]]:
    """Return name -> options of ``--also-test``.

    Raises:
        InputError: If a test has no options, or two tests have the same name.
    """
    tests: dict[str, list[str]] = {}
    for name, *options in given:
        if not options or not all('=' in option for option in options):
            raise InputError(
                f'--also-test {name} needs KEY=VALUE after it, got {options or "none"}'
            )
        if name in tests:
            raise InputError(f'--also-test {name} is given twice, give one another name')
        tests[name] = options
    return tests


def announce(what: str) -> None:
    """Print the command that begins."""
    print(what, file=sys.stderr, flush=True)


main = Command(StudyOptions, run_study_file, __doc__, 'study.py')

if __name__ == '__main__':
    sys.exit(main())
