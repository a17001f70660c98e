"""Convert PoseTrack17 label files (annolist JSON) to PoseTrack18 JSON, one file per video.

python tools/dataset_converters/posetrack17_to_posetrack18.py annolists/val annotations/val
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from stdpose_mm.cli.parser import CliParser
from stdpose_mm.cli.command import run_command
from stdpose_mm.errors import InputError
from stdpose_mm.io.file_names import distinct_file_names
from stdpose_mm.text import counted


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    return run_command(make_parser(), lambda args: convert(args.in_dir, args.out_dir), arguments)


def make_parser() -> CliParser:
    """Build the parser of the command line."""
    parser = CliParser(
        'posetrack17_to_posetrack18.py', 'Convert PoseTrack17 label files to PoseTrack18.'
    )
    parser.add_labels('in_dir', type=Path, metavar='IN_DIR', help='folder with annolist JSON files')
    parser.add_output(
        'out_dir',
        is_folder=True,
        files=('*.json',),
        metavar='OUT_DIR',
        help='folder to write PoseTrack18 JSON files to',
    )
    return parser


def convert(in_dir: Path, out_dir: Path) -> None:
    """Convert every ``*.json`` of ``in_dir``; nothing is written if one is invalid."""
    from stdpose_mm.io.labels import read_posetrack17, write_posetrack18
    from stdpose_mm.io.labels.posetrack17 import posetrack18_name

    paths = sorted(in_dir.glob('*.json'))
    if not paths:
        raise InputError(f'{in_dir} holds no *.json file, expected PoseTrack17 label files')
    videos = [read_posetrack17(path) for path in paths]
    listed = {labels.name: posetrack18_name(labels.name) for labels in videos}
    names = distinct_file_names([known or name for name, known in listed.items()], 'video')
    for labels in videos:
        name = listed[labels.name]
        if name is None:
            name = labels.name
            print(f'{name}: in no sequence list, written without _train or _test', file=sys.stderr)
        write_posetrack18(labels, out_dir / f'{names[name]}.json', official=True)
    print(f'{out_dir}: {counted(len(videos), "file")}')


if __name__ == '__main__':
    sys.exit(main())
