r"""Train configs with several seeds on the same budget, test and compare them.

    python tools/analysis_tools/run_ablation.py configs/stdpose_tiny_synthetic.py \
        configs/ablations/stdpose_tiny_propagation_synthetic_a_backbone.py \
        --seeds 0 1 2 --out-dir work_dirs/ablation --reference stdpose_tiny_synthetic

Every config is trained once with each seed, without validation, and its last checkpoint is tested.
``table.md`` in the output folder has mean and spread over the seeds, ``ablation.json`` everything
that was measured, ``runs/<config>/seed<k>`` the logs and checkpoints. Started again, the command
goes on where it was; configs and seeds may be added.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from stdpose_mm.cli.arguments import OneLineParser, positive, run_command, seed
from stdpose_mm.cli.runner_arguments import add_config_options, parse_config_options
from stdpose_mm.errors import InputError, require_packages
from stdpose_mm.io import write_json, write_text
from stdpose_mm.io.outputs import Output, guard_outputs


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    # So that the processes started here are ended, too.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    return run_command(make_parser(), ablate, arguments)


def make_parser() -> argparse.ArgumentParser:
    """The command line's arguments."""
    parser = OneLineParser('run_ablation.py', __doc__)
    parser.add_argument('configs', nargs='+', metavar='CONFIG', help='config files')
    parser.add_argument(
        '--seeds', nargs='+', type=seed, default=[0, 1, 2], metavar='N', help='default: 0 1 2'
    )
    parser.add_argument(
        '--out-dir', type=Path, required=True, metavar='DIR', help='where all of it goes'
    )
    parser.add_argument(
        '--jobs', type=positive, default=1, metavar='N', help='runs at a time (%(default)s)'
    )
    parser.add_argument(
        '--reference',
        metavar='NAME',
        help='config (its file name without .py) that the others are compared with, seed by seed',
    )
    parser.add_argument(
        '--metrics',
        nargs='+',
        metavar='NAME',
        help='metrics in the tables, such as posetrack/AP_all (default: AP and PCK@0.1)',
    )
    parser.add_argument(
        '--also-test',
        nargs='+',
        action='append',
        default=[],
        metavar=('NAME', 'KEY=VALUE'),
        help='test every checkpoint once more, with these entries of the config overridden; its '
        'metrics have the name before theirs; may be repeated',
    )
    add_config_options(parser, 'override entries of every config, as in train.py')
    return parser


def ablate(args: argparse.Namespace) -> None:
    """Do all runs that are not done, print the tables and write what was measured.

    Raises:
        InputError: If something that was given cannot be used, or a run fails.
    """
    guard_outputs([Output('--out-dir', args.out_dir, is_folder=True)], {'CONFIG': args.configs})
    tests = read_tests(args.also_test)
    require_packages('training', 'torch', 'mmpose')
    from stdpose_mm.benchmarks.ablation.ablation import run_ablation
    from stdpose_mm.benchmarks.ablation.ablation_report import (
        ablation_fields,
        ablation_report,
        choose_metrics,
        require_reference,
    )

    require_reference([Path(config).stem for config in args.configs], args.reference)
    seeds = list(dict.fromkeys(args.seeds))
    options = parse_config_options(args.cfg_options)
    results = run_ablation(args.configs, seeds, args.out_dir, options, args.jobs, announce, tests)
    fields = {'seeds': seeds, 'cfg_options': options, 'also_test': tests}
    write_json(
        args.out_dir / 'ablation.json', fields | ablation_fields(results, args.reference), indent=2
    )
    report = ablation_report(results, choose_metrics(results, args.metrics), args.reference)
    write_text(args.out_dir / 'table.md', f'{report}\n')
    print(report)


def read_tests(given: Sequence[Sequence[str]]) -> dict[str, list[str]]:
    """Name -> options of ``--also-test``.

    Raises:
        InputError: If a test has no options, an unusable name, or the name of another.
    """
    tests: dict[str, list[str]] = {}
    for name, *options in given:
        if not name.isidentifier():
            raise InputError(
                f'--also-test {name}: expected a name of letters, digits and _, then KEY=VALUE'
            )
        if not options or not all('=' in option for option in options):
            raise InputError(
                f'--also-test {name} needs KEY=VALUE after it, got {options or "none"}'
            )
        if name in tests:
            raise InputError(f'--also-test {name} is there twice, name one otherwise')
        tests[name] = options
    return tests


def announce(what: str) -> None:
    """Say what begins."""
    print(what, file=sys.stderr, flush=True)


if __name__ == '__main__':
    sys.exit(main())
