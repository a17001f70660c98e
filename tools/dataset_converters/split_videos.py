"""Split labelled videos into training and held-out videos, without dividing a group.

    python tools/dataset_converters/split_videos.py LABELS OUT --group-by source_group

Clips of one film or camera look alike, so a group never stands on both sides. Writes
``OUT/train.txt`` and ``OUT/val.txt``, which datasets and metrics take as ``ann_file``.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from stdpose_mm.cli.argument_types import seed
from stdpose_mm.cli.parser import CliParser
from stdpose_mm.cli.command import run_command
from stdpose_mm.errors import InputError
from stdpose_mm.text import counted


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    return run_command(make_parser(), split, arguments)


def make_parser() -> CliParser:
    """Build the parser of the command line."""
    parser = CliParser('split_videos.py', __doc__)
    parser.add_argument('labels', metavar='LABELS', help='folder with one label file per video')
    parser.add_output(
        'out',
        is_folder=True,
        files=('train.txt', 'val.txt'),
        metavar='OUT',
        help='folder for train.txt and val.txt',
    )
    parser.add_argument(
        '--group-by',
        metavar='FIELD',
        help="field of the label files' info that names the group (default: each video its own)",
    )
    parser.add_argument(
        '--group-letters',
        type=int,
        metavar='N',
        help='merge groups whose names agree in the first N letters',
    )
    parser.add_argument(
        '--val-share', type=float, default=1 / 3, help='share of the videos to hold out (1/3)'
    )
    parser.add_argument('--seed', type=seed, default=0)
    return parser


def split(args: argparse.Namespace) -> None:
    """Write both lists and print how many videos and groups each holds."""
    if not 0 < args.val_share < 1:
        raise InputError(f'--val-share must be between 0 and 1, got {args.val_share}')
    if args.group_letters is not None and args.group_letters < 1:
        raise InputError(f'--group-letters must be at least 1, got {args.group_letters}')
    import numpy as np

    from stdpose_mm.io.labels import find_label_files, write_label_list

    files = find_label_files(args.labels)
    groups: dict[str, list[str]] = defaultdict(list)
    for file in files:
        groups[group_of(file, args.group_by)[: args.group_letters]].append(file)
    names = sorted(groups)
    if len(names) < 2:
        raise InputError(
            f'{args.labels} holds {counted(len(names), "group")} of videos, expected at least 2 '
            'to split'
        )
    np.random.default_rng(args.seed).shuffle(names)
    sizes = np.cumsum([len(groups[name]) for name in names])
    # As many whole groups as come nearest to the share, and at least one on either side.
    held_out = 1 + int(np.abs(sizes[:-1] - args.val_share * len(files)).argmin())
    for split_name, chosen in (('train', names[held_out:]), ('val', names[:held_out])):
        members = sorted(file for name in chosen for file in groups[name])
        write_label_list(args.out / f'{split_name}.txt', members)
        print(
            f'{args.out / split_name}.txt: {counted(len(members), "video")} of '
            f'{counted(len(chosen), "group")}'
        )


def group_of(file: str, field: str | None) -> str:
    """Return the group that a label file names in its info, or the file's own name."""
    if field is None:
        return Path(file).name
    from stdpose_mm.io.labels import read_posetrack18

    info = read_posetrack18(file).extra.get('info')
    if not isinstance(info, dict) or not isinstance(info.get(field), str):
        raise InputError(f'{file} has no text in info.{field}, give another field as --group-by')
    return info[field]


if __name__ == '__main__':
    raise SystemExit(main())
