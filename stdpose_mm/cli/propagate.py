"""Propagate the labels of some frames of a video to all its frames.

    stdpose propagate clip.mp4 labels.json --out dense.json
    stdpose propagate frames/ labels.json --out dense.json --config C --checkpoint W

LABELS may be any format that ``stdpose_mm.io`` reads, with people in some frames only. OUT holds
every person in every frame, marked ``given``, ``propagated`` or ``absent``. A run that was killed
or interrupted goes on where it stopped when it is started again. See docs/guide/propagation.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from stdpose_mm.choices import LIFE_SPANS, PRECISIONS, PROPAGATION_METHODS
from stdpose_mm.cli.arguments import (
    OneLineParser,
    add_model_arguments,
    add_video_arguments,
    check_outputs,
    run_command,
)
from stdpose_mm.cli.propagate_video import INTERPOLATE, propagate_video
from stdpose_mm.errors import InputError


def main(arguments: Sequence[str] | None = None, prog: str = 'propagate.py') -> int:
    """Run the command line and return the exit code."""
    return run_command(
        make_parser(prog),
        propagate,
        arguments,
        'interrupted, no output was written; the same command goes on from here',
    )


def make_parser(prog: str) -> argparse.ArgumentParser:
    """Build the parser of the command line."""
    parser = OneLineParser(prog, __doc__)
    add_video_arguments(parser)
    parser.add_argument(
        'labels', type=Path, metavar='LABELS', help='label file with people in some frames'
    )
    parser.add_argument('--out', type=Path, required=True, help='label file for all frames')
    add_model_arguments(parser)
    parser.add_argument(
        '--method',
        choices=PROPAGATION_METHODS,
        default='auto',
        help='%(default)s weighs straight lines, optical flow and, with a model, its heatmaps',
    )
    parser.add_argument(
        '--fuser', metavar='FILE', help='weights of auto, instead of those that come along'
    )
    parser.add_argument(
        '--flow-weights',
        metavar='FILE',
        help="weights of torchvision's raft_small, to follow RAFT instead of OpenCV's DIS",
    )
    parser.add_argument(
        '--adapt',
        action='store_true',
        help='first fine-tune the model on the labelled frames of this video; without a '
        'checkpoint it learns from them alone',
    )
    parser.add_argument(
        '--adapt-minutes',
        type=float,
        default=5.0,
        metavar='M',
        help='at most so long (%(default)s)',
    )
    parser.add_argument(
        '--boxes',
        default=INTERPOLATE,
        metavar='{interpolate,detector,FILE}',
        help='person boxes in unlabelled frames: interpolated between those of the labels, found '
        'by a detector near there, or read from a label file with the same tracks (%(default)s)',
    )
    parser.add_argument(
        '--life-span',
        choices=LIFE_SPANS,
        default='video',
        help='everyone is there in the whole video, or from the first own label to the last '
        '(%(default)s)',
    )
    parser.add_argument('--labels-video', metavar='NAME', help='the video, if LABELS hold several')
    parser.add_argument(
        '--report', type=Path, metavar='FILE', help='page (.html) with what to look at'
    )
    parser.add_argument(
        '--check',
        type=int,
        default=0,
        metavar='N',
        help='name the N frames most in doubt',
    )
    parser.add_argument(
        '--suggest', type=int, default=0, metavar='N', help='name the N frames to label next'
    )
    parser.add_argument(
        '--batch-size', type=int, default=8, help='windows the model sees at once (%(default)s)'
    )
    parser.add_argument(
        '--precision', choices=PRECISIONS, default='float32', help='of the model (%(default)s)'
    )
    parser.add_argument(
        '--keep-every',
        type=int,
        metavar='T',
        help='take the labels of every T-th labelled frame only, to try it on full labels',
    )
    return parser


def propagate(args: argparse.Namespace) -> None:
    """Check the command line, and do the work.

    Raises:
        InputError: If something that was given cannot be used; no output file is written then.
    """
    _check(args)
    propagate_video(args)


def _check(args: argparse.Namespace) -> None:
    """Refuse what cannot work before anything is computed."""
    check_outputs(args, 'video', 'labels', 'config', 'checkpoint', 'fuser', 'boxes')
    for option in ('batch_size', 'check', 'suggest'):
        least = 1 if option == 'batch_size' else 0
        if getattr(args, option) < least:
            raise InputError(
                f'--{option.replace("_", "-")} must be at least {least}, '
                f'got {getattr(args, option)}'
            )
    if args.adapt and args.config is None:
        raise InputError(
            '--adapt needs --config, the config of the model to fine-tune, such as '
            'configs/stdpose_tiny_synthetic.py'
        )
    from stdpose_mm.propagation.base import require_method_packages

    require_method_packages(args.method)
