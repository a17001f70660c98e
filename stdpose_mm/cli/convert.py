"""Convert pose labels from one file format to another.

stdpose convert task.xml labels.json --to coco
stdpose convert annotations/val val_coco.json --to coco
stdpose convert labels.json cvat_label.json --to cvat-labels
stdpose convert labelme_folder/ labels.json
stdpose convert dense.json dense.csv --to tidy-csv --fps 30
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from stdpose_mm.cli.argument_types import fraction, frame_rate, picture_size
from stdpose_mm.cli.arguments import (
    add_cvat_input,
    add_cvat_output,
    add_frame_arguments,
    frame_options,
    require_cvat_output,
)
from stdpose_mm.cli.one_line_parser import OneLineParser
from stdpose_mm.cli.run_command import run_command
from stdpose_mm.constants import CVAT_LABELS, FORMATS_WITH_TIMES, READ_FORMATS, WRITE_FORMATS
from stdpose_mm.errors import InputError
from stdpose_mm.io.outputs import (
    DEFAULT_FORMAT,
    choose_format,
    guard_outputs,
    label_outputs,
    require_suffix,
)

if TYPE_CHECKING:
    from stdpose_mm.structures import VideoLabels

MANY_VIDEOS_FORMAT = 'coco'
"""The only output format that can hold several videos."""


def main(arguments: Sequence[str] | None = None, prog: str = 'convert_labels.py') -> int:
    """Run the command line and return the exit code."""
    return run_command(make_parser(prog), convert, arguments)


def make_parser(prog: str) -> OneLineParser:
    """Build the parser of the command line."""
    parser = OneLineParser(prog, __doc__)
    parser.add_labels(
        'input',
        metavar='IN',
        help='label file, or folder with one label file per picture of a video (YOLO-pose, '
        'LabelMe, OpenPose, MMPose); for --to coco also a folder with one label file per video, '
        'or a .txt file with one path per line',
    )
    parser.add_output('output', type=str, metavar='OUT', help='label file to write')
    parser.add_argument(
        '--from',
        dest='source',
        choices=READ_FORMATS,
        help='format of IN (default: recognised from its content)',
    )
    parser.add_argument(
        '--to',
        dest='target',
        choices=(*WRITE_FORMATS, CVAT_LABELS),
        help=f'format of OUT (default: by its suffix; {DEFAULT_FORMAT} for .json or no suffix); '
        f'{CVAT_LABELS} writes the label definition that a CVAT task needs for the skeleton of IN, '
        'to paste into the tab "Raw"',
    )
    parser.add_argument(
        '--video', metavar='NAME', help='video whose labels to convert, if IN holds several'
    )
    add_cvat_input(parser)
    add_cvat_output(parser)
    add_frame_arguments(parser)
    parser.add_argument(
        '--labels-size',
        type=picture_size,
        metavar='WxH',
        help='size of the pictures, if coordinates in IN are fractions of it (YOLO-pose) and the '
        'pictures are not in the same place',
    )
    parser.add_argument(
        '--fps',
        type=frame_rate,
        help=f'frames per second of the video, for the times in {" and ".join(FORMATS_WITH_TIMES)}',
    )
    parser.add_argument(
        '--as-given',
        type=fraction,
        metavar='MIN_SCORE',
        help='turn estimates into labels: joints that score at least MIN_SCORE become given '
        'labels, the others are left to be propagated',
    )
    return parser


def convert(args: argparse.Namespace) -> None:
    """Convert one label file, or all files of a folder or list into one COCO file.

    Raises:
        InputError: If a file cannot be read or written, or the options do not fit it.
    """
    from stdpose_mm.io.labels import (
        describe_frames,
        match_frames,
        stands_for_many,
        write_coco,
        write_cvat_labels,
        write_labels,
    )
    from stdpose_mm.structures.propagated_labels import take_as_given

    target = args.target or choose_format(args.output, name='OUT')
    guard_outputs(
        label_outputs('OUT', args.output, target),
        {'--loaded-into-cvat': args.loaded_into_cvat, '--frame-of': args.frame_of},
        {'IN': args.input},
    )
    several = stands_for_many(args.input, args.source)
    if args.labels_size is not None:
        require_fractions(args.input, args.source, several)
    for option, value in (('--video', args.video), ('--loaded-into-cvat', args.loaded_into_cvat)):
        if several and value is not None:
            raise InputError(
                f'{args.input} stands for many label files, but {option} is about one: convert '
                'one of the files, or leave it out'
            )
    if several and target != MANY_VIDEOS_FORMAT:
        raise InputError(
            f'{args.input} stands for many label files, which --to {target} cannot be used with: '
            f'convert one of the files, or all of them with --to {MANY_VIDEOS_FORMAT}'
        )
    if target == CVAT_LABELS:
        require_suffix(f'OUT {args.output}', args.output, 'the label of a task', ('.json',))
    else:
        choose_format(args.output, target, 'OUT', '--to')
    require_frame_rate(args.fps, args.output, target)
    require_cvat_output(args.cvat_tolerance, target == 'cvat')
    options = frame_options(args)
    is_set = target == MANY_VIDEOS_FORMAT and args.video is None
    videos = [match_frames(labels, None, options) for labels in read_videos(args, several, is_set)]
    if args.as_given is not None:
        videos = [take_as_given(labels, args.as_given) for labels in videos]
    if target == MANY_VIDEOS_FORMAT:
        write_coco(videos, args.output)
    elif target == CVAT_LABELS:
        write_cvat_labels(videos[0], args.output)
        return
    else:
        time_of = None if args.fps is None else (lambda index: index / args.fps)
        write_labels(videos[0], args.output, target, time_of, args.cvat_tolerance)
    for labels in videos:
        print(f'{labels.name}: {describe_frames(labels)}')


def require_frame_rate(fps: float | None, path: str, target: str) -> None:
    """Refuse a format that needs times without a frame rate, and a frame rate that is not used.

    Args:
        fps: Frames per second; None if they were not given.
        path: OUT.
        target: Format of OUT.

    Raises:
        InputError: If OUT needs the frame rate, or cannot hold times.
    """
    if fps is None and target == 'trc':
        raise InputError(
            f'{path}: {target} needs the time of every frame, add --fps, the frames per second of '
            'the video'
        )
    if fps is not None and target not in FORMATS_WITH_TIMES:
        raise InputError(
            f'--fps is for the times in {" and ".join(FORMATS_WITH_TIMES)}, but OUT {path} is '
            f'written as {target}, which has none, leave it out'
        )


def require_fractions(path: str, source: str | None, several: bool) -> None:
    """Refuse a picture size for labels that are in pixels already.

    Raises:
        InputError: If the labels are of another format than YOLO-pose.
    """
    from stdpose_mm.io.labels import sniff_format

    if several or (source or sniff_format(path)) != 'yolo-pose':
        raise InputError(
            f'--labels-size is the size of pictures in fractions of which labels are given, as in '
            f'YOLO-pose, but those of {path} are in pixels, leave it out; stdpose propagate and '
            'stdpose review rescale labels to the size of a video'
        )


def read_videos(args: argparse.Namespace, several: bool, is_set: bool) -> list[VideoLabels]:
    """Read the videos to convert.

    Args:
        args: The parsed arguments.
        several: Whether IN stands for many label files.
        is_set: Whether all videos of a file can be written.

    Raises:
        InputError: If a file cannot be read, or a number of videos that cannot be written.
    """
    from stdpose_mm.io.labels import read_all_labels, read_labels

    if several:
        return read_all_files(args.input, args.source)
    options = {'size': args.labels_size, 'loaded_into_cvat': args.loaded_into_cvat}
    if is_set:
        return read_all_labels(args.input, args.source, **options)
    return [read_labels(args.input, args.source, args.video, **options)]


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
