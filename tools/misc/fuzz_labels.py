"""Mutate label files of every format, and command lines, and report what they break.

    python tools/misc/fuzz_labels.py --cases 20000 --commands 4000 --evaluations 2000 --seed 1
    python tools/misc/fuzz_labels.py --minutes 5 --seed 2
    python tools/misc/fuzz_labels.py --again 'library 1:123'

A file is read or refused in one sentence, what was read is written and read again, matched or
propagated; a command ends with code 0 or 2 and writes its outputs, or nothing. All else is a
finding: a traceback, a hang (10 seconds), a crash, memory that grows, a file touched that is no
output, a file that cannot be read back. Each is written to OUT with its seed and the smallest input
that shows it. For developers: the mutations are in tests/fuzzing.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from stdpose_mm.cli.argument_types import positive, seed, whole
from stdpose_mm.cli.one_line_parser import EXIT_INPUT_ERROR, OneLineParser

# The samples come from the tests' own.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'tests'))

EXIT_FOUND = 1


def make_parser() -> OneLineParser:
    """Build the parser of the command line."""
    parser = OneLineParser('fuzz_labels.py', __doc__)
    parser.add_argument('--cases', type=whole, default=2000, help='of the library (%(default)s)')
    parser.add_argument('--commands', type=whole, default=400, help='command lines (%(default)s)')
    parser.add_argument(
        '--evaluations', type=whole, default=200, help='evaluations of random poses (%(default)s)'
    )
    parser.add_argument('--seed', type=seed, default=0, help='(%(default)s)')
    parser.add_argument('--minutes', type=positive, help='stop after this many minutes')
    parser.add_argument(
        '--limit',
        type=positive,
        default=10,
        help='seconds of a processor that a case may take (%(default)s)',
    )
    parser.add_argument('--again', metavar='CASE', help='run one case, as a finding names it')
    parser.add_output(
        '--out',
        is_folder=True,
        default=Path('work_dirs/fuzz'),
        help='for findings (%(default)s)',
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0 if nothing was found, else 1."""
    args = make_parser().parse_args(arguments)
    from fuzzing.cases import RUN, Case, warm_up
    from fuzzing.runner import distinct, run_cases, write_finding

    # What libraries log is part of no promise, and there is much of it.
    logging.disable(logging.CRITICAL)
    if args.again is not None:
        kind, _, text = args.again.partition(' ')
        if kind not in RUN:
            print('fuzz_labels.py: --again must be like "library 0:1"', file=sys.stderr)
            return EXIT_INPUT_ERROR
        print(RUN[kind](text))
        return 0
    warm_up()
    counts = {'library': args.cases, 'commands': args.commands, 'evaluations': args.evaluations}
    until = None if args.minutes is None else time.monotonic() + 60 * args.minutes
    found = 0
    for kind, count in counts.items():
        cases = [Case(kind, f'{args.seed}:{number}') for number in range(count)]
        if not cases:
            continue
        tally = run_cases(cases, args.limit, until=until)
        outcomes = ', '.join(
            f'{number} {outcome}' for (_, outcome), number in sorted(tally.outcomes.items())
        )
        print(
            f'{kind}: {sum(tally.outcomes.values())} cases in {tally.seconds:.0f} s: {outcomes}; '
            f'slowest {tally.slowest[0]:.1f} s ({tally.slowest[1]}), largest growth '
            f'{tally.largest[0] / 2**20:.0f} MiB ({tally.largest[1]})',
            flush=True,
        )
        for finding, number in distinct(tally.findings):
            found += 1
            folder = args.out / f'{kind}_{finding.case.seed.replace(":", "_")}'
            print(f'  {number} x {finding.kind}: {finding.what} ({kind} {finding.case.seed})')
            write_finding(finding, folder, args.limit)
            print(f'    {folder / "finding.json"}', flush=True)
    return EXIT_FOUND if found else 0


if __name__ == '__main__':
    sys.exit(main())
