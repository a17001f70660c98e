"""Convert pose labels from one file format to another.

stdpose convert task.xml labels.json --to coco
stdpose convert annotations/val val_coco.json --to coco
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stdpose_mm.choices import READ_FORMATS, WRITE_FORMATS
from stdpose_mm.cli.arguments import OneLineParser, run_command
from stdpose_mm.errors import InputError
from stdpose_mm.io.outputs import DEFAULT_FORMAT, Output, choose_format, guard_outputs

if TYPE_CHECKING:
    from stdpose_mm.structures import VideoLabels

MANY_VIDEOS_FORMAT = 'coco'
"""The one format to write that holds several videos."""


def main(arguments: Sequence[str] | None = None, prog: str = 'convert_labels.py') -> int:
    """Run the command line and return the exit code."""
    return run_command(make_parser(prog), convert, arguments)


def make_parser(prog: str) -> argparse.ArgumentParser:
    """Build the parser of the command line."""
    parser = OneLineParser(prog, __doc__)
    parser.add_argument(
        'input',
        metavar='IN',
        help='label file (.json, .json.gz, .xml, zip of CVAT, .slp, .csv of DeepLabCut); for --to '
        'coco also a folder of .json and .json.gz files, or a .txt file with one path a line',
    )
    parser.add_argument('output', metavar='OUT', help='label file to write')
    parser.add_argument(
        '--from',
        dest='source',
        choices=READ_FORMATS,
        help='format of IN (default: found out from its content)',
    )
    parser.add_argument(
        '--to',
        dest='target',
        choices=WRITE_FORMATS,
        help=f'format of OUT (by its suffix; {DEFAULT_FORMAT} for .json and without a suffix)',
    )
    parser.add_argument('--video', metavar='NAME', help='which video, if IN holds several')
    return parser


def convert(args: argparse.Namespace) -> None:
    """Convert one label file, or all files of a folder or list into one of COCO.

    Raises:
        InputError: If a file cannot be read or written, or the options do not fit it.
    """
    guard_outputs([Output('OUT', args.output)], {}, {'IN': args.input})
    target = args.target or choose_format(args.output, name='OUT')
    several = Path(args.input).is_dir() or Path(args.input).suffix == '.txt'
    if several and (target != MANY_VIDEOS_FORMAT or args.video is not None):
        wrong = '--video' if args.video is not None else f'--to {target}'
        raise InputError(
            f'{args.input} stands for many label files, which {wrong} cannot be used with: '
            f'convert one of the files, or all of them with --to {MANY_VIDEOS_FORMAT}'
        )
    choose_format(args.output, target, 'OUT', '--to')
    from stdpose_mm.io.labels import read_all_labels, read_labels, write_coco, write_labels

    if several:
        write_coco(read_all_files(args.input, args.source), args.output)
    elif target == MANY_VIDEOS_FORMAT and args.video is None:
        write_coco(read_all_labels(args.input, args.source), args.output)
    else:
        labels = read_labels(args.input, args.source, args.video)
        write_labels(labels, args.output, target)


def read_all_files(path: str, source: str | None) -> list[VideoLabels]:
    """Read the videos of all label files in a folder or list, in the order of the files.

    Raises:
        InputError: If a file cannot be read, or two videos have the same name.
    """
    from stdpose_mm.io.labels import find_label_files, read_all_labels

    files = find_label_files(path)
    videos = [labels for file in files for labels in read_all_labels(file, source)]
    for name, count in Counter(labels.name for labels in videos).items():
        if count > 1:
            raise InputError(f'{path} holds {count} videos named {name!r}, expected each name once')
    return videos
