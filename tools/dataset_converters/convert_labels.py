"""Convert the pose labels of a video from one file format to another.

Example:
    python tools/dataset_converters/convert_labels.py task.xml labels.json --to coco
"""

from __future__ import annotations

import argparse
import sys

from stdpose_mm.errors import InputError
from stdpose_mm.io import (
    READ_FORMATS,
    WRITE_FORMATS,
    read_all_labels,
    read_labels,
    write_coco,
    write_labels,
)


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('input', help='label file to read (.json, .json.gz, .xml, CVAT .zip)')
    parser.add_argument('output', help='label file to write')
    parser.add_argument(
        '--from',
        dest='source',
        choices=READ_FORMATS,
        help='format of the input (default: found out from its content)',
    )
    parser.add_argument('--to', dest='target', choices=WRITE_FORMATS, default='posetrack18')
    parser.add_argument('--video', help='the video to take from a COCO file that holds several')
    return parser.parse_args()


def main() -> int:
    """Run; 0 on success, 2 for wrong input."""
    args = parse_args()
    try:
        if args.target == 'coco' and args.video is None:
            write_coco(read_all_labels(args.input, args.source), args.output)
        else:
            labels = read_labels(args.input, args.source, args.video)
            write_labels(labels, args.output, args.target)
    except InputError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main())
