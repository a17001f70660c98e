r"""Measure how far the tests are from failing on a processor that rounds in another way.

    python -m research.tools.measure_margins tests --environments avx2
    python -m research.tools.measure_margins @tests/processor_tests.txt --seeds 5

Runs the tests where PyTorch, oneDNN, MKL and OpenCV use other instructions or threads, and there
with each seed of PyTorch. Prints a row for each environment, the failed tests, and the comparisons
whose number varies, with the distance of its mean from the bound in standard deviations. Exits with
1 if a test fails or a distance is below ``--least``.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from research import ROOT
from stdpose_mm.cli.argument_types import positive
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.parser import argument, option

THREADS = ('OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'OPENBLAS_NUM_THREADS')

ENVIRONMENTS: dict[str, dict[str, str]] = {
    'default': {},
    # AVX-512 without bfloat16: many servers. oneDNN then emulates it.
    'avx512': {'ONEDNN_MAX_CPU_ISA': 'AVX512_CORE'},
    'avx2': {
        'ONEDNN_MAX_CPU_ISA': 'AVX2',
        'ATEN_CPU_CAPABILITY': 'avx2',
        'MKL_ENABLE_INSTRUCTIONS': 'AVX2',
    },
    'sse': {'ONEDNN_MAX_CPU_ISA': 'SSE41', 'ATEN_CPU_CAPABILITY': 'default'},
    'opencv': {'OPENCV_CPU_DISABLE': 'AVX512-SKX,AVX2'},
    # Waiting threads sleep, since there may be fewer processors.
    'threads': {**dict.fromkeys(THREADS, '3'), 'OMP_WAIT_POLICY': 'PASSIVE'},
}
"""Environments by name: variables beside one thread."""

_SEED_STEP = 1000


@dataclass(frozen=True, kw_only=True)
class MeasureMarginsOptions:
    """Options of ``measure_margins.py``.

    Args:
        tests: Files, folders or tests, or a list of them (``@FILE``).
        environments: Environments to run in.
        seeds: Number of seeds in each.
        least: Least distance from the bound in standard deviations.
        workers: Number of processes.
        out_dir: Folder for what is recorded.
    """

    tests: list[str] = argument('TEST', nargs='+')
    environments: list[str] = option(
        tuple(ENVIRONMENTS), nargs='+', choices=tuple(ENVIRONMENTS), metavar='NAME'
    )
    seeds: int = option(1, type=positive)
    least: float = option(5.0, type=float)
    workers: int = option(2, type=positive)
    out_dir: Path = option(Path('work_dirs/margins'), type=Path, metavar='DIR')


@dataclass(frozen=True)
class Margin:
    """Distance of the numbers of a check from its bound.

    Args:
        values: The numbers.
        bound: The bound; a mean, if it varies too.
        is_upper: Whether the numbers must be below it.
    """

    values: list[float]
    bound: float
    is_upper: bool

    @property
    def deviations(self) -> float:
        """Return the distance of the mean in standard deviations, negative beyond the bound."""
        distance = statistics.fmean(self.values) - self.bound
        return (-distance if self.is_upper else distance) / statistics.stdev(self.values)


def collect_margins(entries: list[dict]) -> dict[tuple[str, str], Margin]:
    """Gather the checks whose numbers vary.

    A check that a test makes several times in a row, such as in a loop, counts once for each time.

    Args:
        entries: What each run recorded, in its order: ``run``, ``test``, ``check``, ``value`` and
            ``bound``.
    """
    repetitions: dict[tuple[str, str, str], int] = defaultdict(int)
    values: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for entry in entries:
        run, test, check = entry['run'], entry['test'], entry['check']
        number = repetitions[run, test, check]
        repetitions[run, test, check] += 1
        values[test, f'{check} #{number}'].append((entry['value'], entry['bound']))
    margins = {}
    for place, pairs in values.items():
        numbers, bounds = map(list, zip(*pairs, strict=True))
        if len({*numbers}) > 1:
            margins[place] = Margin(numbers, statistics.fmean(bounds), '[<' in place[1])
    return margins


def run_tests(args: MeasureMarginsOptions, name: str, number: int) -> tuple[str, list[str]]:
    """Run the tests in an environment with a seed.

    Returns:
        Pytest's last line, and the tests that failed.
    """
    folder = args.out_dir / f'{name}_{number}'
    shutil.rmtree(folder, ignore_errors=True)
    environment = {
        **os.environ,
        **dict.fromkeys(THREADS, '1'),
        **ENVIRONMENTS[name],
        'RECORD_CHECKS': str(folder.absolute()),
        'SEED_OFFSET': str(number * _SEED_STEP),
        'CI': 'true',
    }
    command = [sys.executable, '-m', 'pytest', '-q', '-rfE', '-p', 'research.margins.record_checks']
    command += ['-o', 'enable_assertion_pass_hook=true', '-n', str(args.workers)]
    command += ['--dist', 'loadfile', '--no-loadscope-reorder', *args.tests]
    result = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    (folder / 'output.txt').write_text(result.stdout + result.stderr)
    lines = result.stdout.splitlines()
    failed = [line for line in lines if re.match(r'(FAILED|ERROR) ', line)]
    if result.returncode not in (0, 1):
        failed.append(f'pytest ended with {result.returncode}, see {folder / "output.txt"}')
    return lines[-1].strip('= ') if lines else '', failed


def read_entries(folder: Path) -> list[dict]:
    """Read what the processes of a run recorded."""
    return [
        {'run': folder.name, **json.loads(line)}
        for file in sorted(folder.glob('*.jsonl'))
        for line in file.read_text().splitlines()
    ]


def measure(args: MeasureMarginsOptions) -> int:
    """Run the tests and print the tables; return the exit code."""
    entries: list[dict] = []
    failures: dict[str, list[str]] = defaultdict(list)
    print('| environment | seed | result | minutes |\n|---|--:|---|--:|', flush=True)
    for name in args.environments:
        for number in range(args.seeds):
            started = time.monotonic()
            summary, failed = run_tests(args, name, number)
            minutes = (time.monotonic() - started) / 60
            print(f'| {name} | {number} | {summary} | {minutes:.1f} |', flush=True)
            for test in failed:
                failures[test].append(f'{name} {number}')
            entries += read_entries(args.out_dir / f'{name}_{number}')
    for test, runs in failures.items():
        print(f'\n{test}\n  in {", ".join(runs)}')
    margins = collect_margins(entries)
    print('\n| test | check | n | least | mean | most | bound | deviations |')
    print('|---|---|--:|--:|--:|--:|--:|--:|')
    for (test, check), margin in sorted(margins.items(), key=lambda item: item[1].deviations):
        figures = min(margin.values), statistics.fmean(margin.values), max(margin.values)
        cells = [f'{figure:.4g}' for figure in (*figures, margin.bound, margin.deviations)]
        print(f'| {test} | {check} | {len(margin.values)} | {" | ".join(cells)} |')
    is_near = any(margin.deviations < args.least for margin in margins.values())
    return int(bool(failures) or is_near)


def run(args: MeasureMarginsOptions) -> None:
    """Measure; exit with 1 if a test failed or is near its bound."""
    if measure(args):
        raise SystemExit(1)


main = Command(MeasureMarginsOptions, run, __doc__, 'measure_margins.py')

if __name__ == '__main__':
    sys.exit(main())
