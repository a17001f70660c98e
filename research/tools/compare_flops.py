r"""Count the multiply-adds of a pose by part of the model, compared with MMPose's model.

    python -m research.tools.compare_flops configs/stdpose_vit_posetrack17.py
    python -m research.tools.compare_flops configs/stdpose_vit_posetrack17.py \
        --cfg-options model.head.num_blocks=1

For a person in every frame of a video: each frame is encoded once. Counted are matrix products,
convolutions and attention; nothing is computed, and no weights are needed. MMPose's model is the
same backbone with ViTPose's classic decoder.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from stdpose_mm.cli.command import run_command
from stdpose_mm.cli.parser import CliParser
from stdpose_mm.cli.runner_options import ConfigOptions, parse_config_options
from stdpose_mm.errors import require_packages
from stdpose_mm.io import write_json
from stdpose_mm.io.outputs import JSON_SUFFIXES


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    return run_command(make_parser(), run, arguments)


def make_parser() -> CliParser:
    """Build the parser of the command line."""
    parser = CliParser('compare_flops.py', __doc__)
    parser.add_argument('config', nargs='+', metavar='CONFIG', help='config files')
    parser.add_output(
        '--out', what='figures', suffixes=JSON_SUFFIXES, help='JSON file for the figures'
    )
    parser.add_options(ConfigOptions)
    return parser


def run(args: argparse.Namespace) -> None:
    """Count, print and write.

    Raises:
        InputError: If an option or a file cannot be used.
    """
    require_packages('a pose network', 'torch', 'mmpose')
    from research.speed.complexity import pose_work, work_table
    from stdpose_mm.engine.config_files import read_config

    options = parse_config_options(args.cfg_options)
    stems = [Path(config).stem for config in args.config]
    names = stems if len(set(stems)) == len(stems) else args.config
    cfgs = [read_config(config, options) for config in args.config]
    rows = pose_work(dict(zip(names, cfgs, strict=True)))
    print(work_table(rows))
    if args.out is not None:
        write_json(args.out, [asdict(row) for row in rows], indent=1)


if __name__ == '__main__':
    raise SystemExit(main())
