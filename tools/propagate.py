"""Propagate the labels of some frames of a video to all its frames.

    python tools/propagate.py clip.mp4 labels.json --out dense.json
    python tools/propagate.py frames/ labels.json --out dense.json --config C --checkpoint W

LABELS may be any format that ``stdpose_mm.io`` reads, with people in some frames only. OUT holds
every person in every frame, marked ``given``, ``propagated`` or ``absent``. A run that was killed
or interrupted goes on where it stopped when it is started again. See docs/propagation.md.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import get_args

from tqdm import tqdm

from stdpose_mm.apis import VideoPosePropagator
from stdpose_mm.apis.person_detector import PersonDetector, build_person_detector
from stdpose_mm.command_line import OneLineParser, exit_code
from stdpose_mm.errors import InputError
from stdpose_mm.io import (
    WRITE_FORMATS,
    atomic_path,
    read_labels,
    require_video_name,
    write_labels,
)
from stdpose_mm.io.atomic import require_writable
from stdpose_mm.propagation import PROPAGATORS, LifeSpan, keep_every
from stdpose_mm.propagation.gap_store import remove_unfinished, unfinished_folder
from stdpose_mm.visualization import write_overlay

EXIT_INTERRUPTED = 130

INTERPOLATE, DETECTOR = 'interpolate', 'detector'


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = make_parser()
    args = parser.parse_args(arguments)
    try:
        return exit_code(parser, lambda: propagate(args))
    except KeyboardInterrupt:
        print(
            f'{parser.prog}: interrupted, no output was written; the same command '
            'goes on from here',
            file=sys.stderr,
        )
        return EXIT_INTERRUPTED


def make_parser() -> argparse.ArgumentParser:
    """The command line's arguments."""
    parser = OneLineParser(
        prog='propagate.py',
        description='Propagate the labels of some frames of a video to all its frames.',
    )
    parser.add_argument('video', metavar='VIDEO_OR_FRAMES', help='video file or folder of pictures')
    parser.add_argument(
        'labels', type=Path, metavar='LABELS', help='label file with people in some frames'
    )
    parser.add_argument('--out', type=Path, required=True, help='label file for all frames')
    parser.add_argument('--config', help='config of the model')
    parser.add_argument('--checkpoint', help='weights of the model')
    parser.add_argument(
        '--method',
        choices=sorted(PROPAGATORS.module_dict),
        help='default: stdpose with a model, flow without',
    )
    parser.add_argument(
        '--boxes',
        default=INTERPOLATE,
        metavar='{interpolate,detector,FILE}',
        help='person boxes in unlabelled frames: interpolated between those of the labels, found '
        'by a detector near there, or read from a label file with the same tracks (%(default)s)',
    )
    parser.add_argument('--det-config', metavar='FILE', help='MMDetection config, or ONNX file')
    parser.add_argument('--det-checkpoint', metavar='FILE', help='weights of the detector')
    parser.add_argument(
        '--life-span',
        choices=get_args(LifeSpan),
        default='video',
        help='everyone is there in the whole video, or from the first own label to the last '
        '(%(default)s)',
    )
    parser.add_argument(
        '--format', choices=WRITE_FORMATS, default='posetrack18', help='of OUT (%(default)s)'
    )
    parser.add_argument('--labels-video', metavar='NAME', help='the video, if LABELS hold several')
    parser.add_argument('--save-video', type=Path, metavar='FILE', help='video with poses drawn')
    parser.add_argument('--device', default='cpu', help='where the model runs (%(default)s)')
    parser.add_argument(
        '--batch-size', type=int, default=8, help='windows the model sees at once (%(default)s)'
    )
    parser.add_argument(
        '--keep-every',
        type=int,
        metavar='T',
        help='take the labels of every T-th labelled frame only, to try it on full labels',
    )
    return parser


def propagate(args: argparse.Namespace) -> None:
    """Propagate, write what the command line asks for, and print what was written.

    Raises:
        InputError: If something that was given cannot be used; no output file is written then.
    """
    if args.save_video is not None and args.save_video.resolve() == args.out.resolve():
        raise InputError(f'--out and --save-video are the same file {args.out}, give two')
    if args.batch_size < 1:
        raise InputError(f'--batch-size must be at least 1, got {args.batch_size}')
    labels = read_labels(args.labels, video=args.labels_video)
    if args.keep_every is not None:
        labels = keep_every(labels, args.keep_every)
    propagator = VideoPosePropagator(
        args.config, args.checkpoint, args.device, args.method, args.batch_size
    )
    detector = _detector(args)
    state = propagator.init_state(
        args.video,
        labels,
        boxes=None if args.boxes in (INTERPOLATE, DETECTOR) else read_labels(Path(args.boxes)),
        life_span=args.life_span,
        folder=unfinished_folder(args.out),
    )
    for path in (args.out, args.save_video):
        if path is not None:
            require_writable(path)
    if args.save_video is not None:
        require_video_name(args.save_video)
    if detector is not None:
        detected = propagator.detect_in_video(state, detector)
        for _ in tqdm(detected, total=len(state.frames), desc='boxes', unit=' frames'):
            pass
    results = tqdm(
        propagator.propagate_in_video(state),
        total=len(state.frames),
        desc=propagator.method,
        unit=' frames',
    )
    dense = propagator.collect_labels(state, results)
    # The video takes its name after the labels are written: both files are there, or none.
    with ExitStack() as outputs:
        if args.save_video is not None:
            video = outputs.enter_context(atomic_path(args.save_video))
            write_overlay(video, state.frames, dense)
        write_labels(dense, args.out, args.format)
    remove_unfinished(args.out)
    count = Counter(person.source for person in dense.persons)
    print(
        f'{args.out}: {len(dense.frames)} frames, {len(dense.track_ids)} people, '
        f'{count["given"]} given and {count["propagated"]} propagated poses'
        + (f', {count["absent"]} times absent' if count['absent'] else '')
    )


def _detector(args: argparse.Namespace) -> PersonDetector | None:
    if args.boxes != DETECTOR:
        if args.det_config is not None or args.det_checkpoint is not None:
            raise InputError('--det-config and --det-checkpoint need --boxes detector, add it')
        return None
    if args.det_config is None:
        raise InputError(
            '--boxes detector needs --det-config, give an MMDetection config (with '
            '--det-checkpoint) or an ONNX file'
        )
    return build_person_detector(args.det_config, args.det_checkpoint, args.device)


if __name__ == '__main__':
    sys.exit(main())
