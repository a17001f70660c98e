"""Convert pose labels from one file format to another.

python tools/dataset_converters/convert_labels.py task.xml labels.json --to coco
"""

from __future__ import annotations

import sys

from stdpose_mm.command_line import OneLineParser, exit_code
from stdpose_mm.io import (
    READ_FORMATS,
    WRITE_FORMATS,
    read_all_labels,
    read_labels,
    write_coco,
    write_labels,
)


def main() -> int:
    """Run the command line; returns the exit code."""
    parser = OneLineParser(description='Convert pose labels from one file format to another.')
    parser.add_argument(
        'input',
        metavar='IN',
        help='label file (.json, .json.gz, .xml, zip of CVAT, .slp, .csv of DeepLabCut)',
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
        default='posetrack18',
        help='format of OUT (%(default)s)',
    )
    parser.add_argument('--video', metavar='NAME', help='which video, if IN holds several')
    args = parser.parse_args()

    def convert() -> None:
        if args.target == 'coco' and args.video is None:
            # The one format that holds several videos.
            write_coco(read_all_labels(args.input, args.source), args.output)
        else:
            labels = read_labels(args.input, args.source, args.video)
            write_labels(labels, args.output, args.target)

    return exit_code(parser, convert)


if __name__ == '__main__':
    sys.exit(main())
