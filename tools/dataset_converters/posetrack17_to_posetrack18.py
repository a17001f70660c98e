"""Convert PoseTrack17 label files (annolist JSON) to PoseTrack18 JSON, one file per video.

python tools/dataset_converters/posetrack17_to_posetrack18.py annolists/val annotations/val
"""

from __future__ import annotations

import sys
from pathlib import Path

from stdpose_mm.cli.arguments import OneLineParser, run_command
from stdpose_mm.errors import InputError
from stdpose_mm.io.outputs import Output, guard_outputs
from stdpose_mm.wording import counted


def main() -> int:
    """Run the command line; returns the exit code."""
    parser = OneLineParser(
        'posetrack17_to_posetrack18.py', 'Convert PoseTrack17 label files to PoseTrack18.'
    )
    parser.add_argument(
        'in_dir', type=Path, metavar='IN_DIR', help='folder with annolist JSON files'
    )
    parser.add_argument(
        'out_dir', type=Path, metavar='OUT_DIR', help='folder to write PoseTrack18 JSON files to'
    )
    return run_command(parser, lambda args: convert(args.in_dir, args.out_dir), None)


def convert(in_dir: Path, out_dir: Path) -> None:
    """Convert every ``*.json`` of ``in_dir``; nothing is written if one of them is wrong."""
    guard_outputs([Output('OUT_DIR', out_dir, is_folder=True)], {'IN_DIR': in_dir})
    from stdpose_mm.io.labels import read_posetrack17, write_posetrack18
    from stdpose_mm.io.labels.posetrack17 import posetrack18_name

    paths = sorted(in_dir.glob('*.json'))
    if not paths:
        raise InputError(f'{in_dir} holds no *.json file, expected PoseTrack17 label files')
    videos = [read_posetrack17(path) for path in paths]
    for labels in videos:
        name = posetrack18_name(labels.name)
        if name is None:
            name = labels.name
            print(f'{name}: in no sequence list, written without _train or _test', file=sys.stderr)
        write_posetrack18(labels, out_dir / f'{name}.json', official=True)
    print(f'{out_dir}: {counted(len(videos), "file")}')


if __name__ == '__main__':
    sys.exit(main())
