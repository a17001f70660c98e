"""Write the model zoo page, docs/reference/model_zoo.md, from the configs.

    python tools/misc/write_model_zoo.py

Run it when a config, ``configs/metafile.yml``, a study or ``docs/results/model_zoo.yml`` has
changed.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from stdpose_mm.cli.one_line_parser import OneLineParser
from stdpose_mm.cli.run_command import run_command
from stdpose_mm.errors import require_packages
from stdpose_mm.io import write_text

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    return run_command(make_parser(), write, arguments)


def make_parser() -> OneLineParser:
    """Build the parser of the command line."""
    parser = OneLineParser('write_model_zoo.py', __doc__)
    parser.add_output(
        '--out',
        what='a page',
        suffixes=('.md',),
        default=ROOT / 'docs' / 'reference' / 'model_zoo.md',
        metavar='MD',
        help='file to write (docs/reference/model_zoo.md)',
    )
    return parser


def write(args: argparse.Namespace) -> None:
    """Write the page.

    Raises:
        InputError: If a config or a list of results cannot be used.
    """
    require_packages('write_model_zoo.py', 'torch', 'mmpose')
    from stdpose_mm.benchmarks.model_zoo import model_zoo_page

    write_text(args.out, model_zoo_page(ROOT))


if __name__ == '__main__':
    raise SystemExit(main())
