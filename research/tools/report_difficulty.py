"""Measure how hard it is to propagate the labels of a generated data set.

    python -m research.tools.report_difficulty data/synthetic

It prints the figures of each split, and writes them to ``difficulty.json`` in the folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from research.comparison.difficulty import report_difficulty
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.parser import argument, option


@dataclass(kw_only=True)
class DifficultyOptions:
    """Options of ``report_difficulty.py``.

    Args:
        folder: A data set that ``make_synthetic_posetrack.py`` wrote.
        interval: T; every T-th frame is given.
    """

    folder: Path = argument('FOLDER', type=Path)
    interval: int = option(7, metavar='T')


def report(options: DifficultyOptions) -> None:
    """Print the difficulty of every split."""
    for split, figures in report_difficulty(options.folder, options.interval).items():
        print(f'{split}: {figures}')


main = Command(DifficultyOptions, report, __doc__, 'report_difficulty.py')

if __name__ == '__main__':
    raise SystemExit(main())
