r"""Train and test the configs of a study with several seeds, and compare them.

    python -m research.tools.study research/configs/studies/table4_components_synthetic.py \
        --seeds 0 1 2

Every entry of the study is trained with each seed, without validation, and its last checkpoint is
tested. The output folder gets ``table.md``, ``plot.png``, and ``study.json`` with everything that
was measured; ``runs/<entry>/seed<k>`` has the logs and checkpoints. Started again, the command goes
on where it was; entries, seeds and tests may be added. See research/docs/studies.md.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stdpose_mm.cli.argument_types import positive, seed
from stdpose_mm.cli.command import run_command
from stdpose_mm.cli.parser import CliParser
from stdpose_mm.cli.runner_options import ConfigOptions, parse_config_options
from stdpose_mm.errors import InputError, require_packages
from stdpose_mm.io import write_json, write_text
from stdpose_mm.io.outputs import Output, guard_outputs

if TYPE_CHECKING:
    from research.study.study import Study


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    # So that the processes started here are ended, too.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    return run_command(make_parser(), run_study_file, arguments)


def make_parser() -> CliParser:
    """Build the parser of the command line."""
    parser = CliParser('study.py', __doc__)
    parser.add_argument('study', metavar='STUDY', help='study file, see configs/studies')
    parser.add_argument(
        '--seeds',
        nargs='+',
        type=seed,
        metavar='N',
        help='seeds (default: those of the study, mostly 0 1 2)',
    )
    parser.add_output(
        '--out-dir',
        is_folder=True,
        files=('study.json', 'table.md', 'plot.png', 'runs/*/*.json'),
        metavar='DIR',
        help='folder to write to (work_dirs/<name of the study>)',
    )
    parser.add_argument('--entries', nargs='+', metavar='NAME', help='run these entries only')
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument('--steps', type=positive, metavar='N', help='train all entries for N steps')
    budget.add_argument(
        '--seconds',
        type=positive,
        metavar='S',
        help='train every entry for as many steps as fit into S seconds, measured for each '
        'beforehand',
    )
    parser.add_argument(
        '--jobs', type=positive, default=1, metavar='N', help='runs at the same time (%(default)s)'
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm'],
        default='none',
        help='start every run in several processes, with torchrun or Slurm',
    )
    parser.add_argument(
        '--gpus', type=positive, default=1, metavar='N', help='processes per run (%(default)s)'
    )
    parser.add_argument('--partition', metavar='NAME', help='partition of the Slurm cluster')
    parser.add_argument(
        '--amp', action='store_true', help='train in mixed precision, as in train.py'
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale learning rates by the batch size, as in train.py',
    )
    parser.add_argument(
        '--also-test',
        nargs='+',
        action='append',
        default=[],
        metavar=('NAME', 'KEY=VALUE'),
        help='test every checkpoint again with these config entries overridden; may be repeated',
    )
    parser.add_options(ConfigOptions)
    return parser


def run_study_file(args: argparse.Namespace) -> None:
    """Do all unfinished runs, print the tables and write the measurements.

    Raises:
        InputError: If an option or a file cannot be used, or a run fails.
    """
    out_dir = args.out_dir or Path('work_dirs') / Path(args.study).stem
    guard_outputs([Output('--out-dir', out_dir, is_folder=True)], {'STUDY': args.study})
    require_packages('training', 'torch', 'mmpose')
    from research.study.commands import Launcher
    from research.study.study import read_study
    from research.study.study_report import plot_study, study_fields, study_report
    from research.study.study_runs import RunSettings, read_timing, run_study

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


def apply_arguments(study: Study, args: argparse.Namespace) -> Study:
    """Apply the options of the command line to a study.

    Raises:
        InputError: If an option does not fit the study.
    """
    from research.study.study import StudyTest

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
        InputError: If a test has no options, or the name of another.
    """
    tests: dict[str, list[str]] = {}
    for name, *options in given:
        if not options or not all('=' in option for option in options):
            raise InputError(
                f'--also-test {name} needs KEY=VALUE after it, got {options or "none"}'
            )
        if name in tests:
            raise InputError(f'--also-test {name} is there twice, name one otherwise')
        tests[name] = options
    return tests


def announce(what: str) -> None:
    """Print what begins."""
    print(what, file=sys.stderr, flush=True)


if __name__ == '__main__':
    sys.exit(main())
