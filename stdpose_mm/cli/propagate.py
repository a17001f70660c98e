"""Propagate the labels of some frames of a video to all its frames.

    stdpose propagate clip.mp4 labels.json --out dense.json
    stdpose propagate frames/ labels.json --out dense.json --config C --checkpoint W
    stdpose propagate videos/ labels/ --out dense/

LABELS may be any format that ``stdpose_mm.io`` reads, with people in some frames only. OUT holds
every person in every frame, marked ``given``, ``propagated`` or ``absent``. A run that was killed
or interrupted goes on where it stopped when it is started again, and one with corrected labels does
only what they touch. See docs/guide/propagation.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from stdpose_mm.cli.arguments import (
    LAUNCHER_FOR_ONE_VIDEO,
    OUTPUTS,
    add_cache_argument,
    add_cvat_input,
    add_frame_arguments,
    add_labels_size_argument,
    add_launcher_argument,
    add_life_span_argument,
    add_propagation_arguments,
    add_video_arguments,
    check_outputs,
    propagation_options,
    require_box_file,
)
from stdpose_mm.cli.one_line_parser import OneLineParser
from stdpose_mm.cli.propagate_video import (
    DEFAULT_ADAPT_MINUTES,
    DETECTOR,
    INTERPOLATE,
    PropagationModels,
    propagate_video,
)
from stdpose_mm.cli.run_command import run_command
from stdpose_mm.cli.video_set import (
    VideoJob,
    choose_file,
    make_jobs,
    place_outputs,
    require_folder,
    require_result_folders,
    run_video_set,
)
from stdpose_mm.constants import PROPAGATION_METHODS
from stdpose_mm.errors import InputError
from stdpose_mm.io.outputs import (
    adapted_model,
    choose_format,
    label_outputs,
    refuse_input_folders,
)
from stdpose_mm.io.video_list import (
    ListedVideo,
    files_of_none,
    is_dataset,
    is_video_list,
    list_videos,
)
from stdpose_mm.processes import is_first_process, joined_processes


def main(arguments: Sequence[str] | None = None, prog: str = 'propagate.py') -> int:
    """Run the command line and return the exit code."""
    return run_command(
        make_parser(prog),
        propagate,
        arguments,
        'interrupted, no output was written; the same command goes on from here',
    )


def make_parser(prog: str) -> OneLineParser:
    """Build the parser of the command line."""
    parser = OneLineParser(prog, __doc__, intermixed=True)
    parser.usage = '%(prog)s VIDEO_OR_FRAMES [VIDEO_OR_FRAMES ...] LABELS --out OUT [options]'
    parser.add_argument(
        'inputs',
        nargs='+',
        metavar='VIDEO_OR_FRAMES ... LABELS',
        help='a video file or folder of pictures, and its label file with people in some frames; '
        'or several videos or folders of videos, and the folder of their label files; or a '
        'dataset file (.csv, .jsonl) that names both',
    )
    parser.add_output(
        '--out',
        is_folder=None,
        required=True,
        help='label file to write, for all frames; with several videos, a folder, which one video '
        'may have too (DENSE/)',
    )
    add_video_arguments(parser)
    add_propagation_arguments(parser)
    parser.add_argument(
        '--fuser',
        metavar='FILE',
        help='weights of auto (default: those that come with the package)',
    )
    parser.add_argument(
        '--flow-weights',
        metavar='FILE',
        help="weights of torchvision's raft_small: compute optical flow by RAFT instead of "
        "OpenCV's DIS",
    )
    parser.add_argument(
        '--adapt',
        action='store_true',
        help='first fine-tune the model on the labelled frames of this video, as far as that '
        'helps on held-out labels; without --checkpoint, train a new network on these labels, '
        'which auto uses only if it helps; the command prints what it does and whether it helped',
    )
    parser.add_argument(
        '--adapt-minutes',
        type=float,
        metavar='M',
        help=f'longest training time of --adapt in minutes ({DEFAULT_ADAPT_MINUTES:g})',
    )
    parser.add_argument(
        '--boxes',
        default=INTERPOLATE,
        metavar='{interpolate,detector,FILE}',
        help='person boxes in unlabelled frames: interpolated between the boxes of the labels, '
        'found near these by a detector, or read from a label file with the same tracks '
        '(%(default)s)',
    )
    add_life_span_argument(parser)
    parser.add_argument(
        '--fill-left-out',
        action='store_true',
        help='in labelled frames, also propagate the joints that the label leaves out',
    )
    parser.add_argument(
        '--labels-video', metavar='NAME', help='video whose labels to use, if LABELS hold several'
    )
    add_cvat_input(parser)
    add_frame_arguments(parser)
    add_frame_arguments(parser, 'boxes')
    add_labels_size_argument(parser)
    parser.add_output(
        '--report',
        is_folder=None,
        metavar='FILE',
        help='also write a page (.html) that shows what to check; with several videos, a folder',
    )
    parser.add_argument(
        '--check',
        type=int,
        default=0,
        metavar='N',
        help='print the N frames that are most likely wrong',
    )
    parser.add_argument(
        '--suggest',
        type=int,
        default=0,
        metavar='N',
        help='print the N frames that are best labelled next',
    )
    parser.add_argument(
        '--measure',
        type=int,
        default=0,
        metavar='N',
        help='print how accurate propagation is in this video: hide the labels of N frames, one '
        'after the other, fill them in from all others and compare; scores that --check, '
        '--suggest and --report go by take this into account',
    )
    parser.add_argument(
        '--keep-every',
        type=int,
        metavar='T',
        help='use only the labels on every T-th frame of the video, to try propagation on fully '
        'labelled videos',
    )
    add_cache_argument(parser)
    add_launcher_argument(parser)
    return parser


def propagate(args: argparse.Namespace) -> None:
    """Check the command line, and do the work.

    Raises:
        InputError: If something that was given cannot be used; no output file is written then.
    """
    videos, args.labels = _split_inputs(args.inputs)
    _check_options(args)
    if is_video_list(videos):
        propagate_several(args, list_videos(videos))
        return
    if args.launcher != 'none':
        raise InputError(LAUNCHER_FOR_ONE_VIDEO)
    (args.video,) = videos
    place_outputs(args, ListedVideo(Path(args.video)))
    _check_files(args)
    try:
        result = propagate_video(args, PropagationModels(args))
    except KeyboardInterrupt as stop:
        from stdpose_mm.io.cache_folder import choose_cache_folder

        # A network in training is kept only when it is finished.
        in_training = args.adapt and not adapted_model(args.out).exists()
        if str(stop) or (choose_cache_folder(args.cache) is not None and not in_training):
            raise
        raise KeyboardInterrupt(
            'interrupted, no output was written; the same command begins anew'
        ) from None
    beside = [
        f'{output.path}: the project file of {args.out}'
        for output in label_outputs('--out', args.out, choose_format(args.out, args.format))[1:]
    ]
    print('\n'.join([*result.summary, *beside, *result.advice]))


def propagate_several(args: argparse.Namespace, videos: Sequence[ListedVideo]) -> None:
    """Propagate the labels of several videos into the folder ``args.out``.

    Raises:
        InputError: If an argument for all videos cannot be used, or a video has failed.
    """
    if args.labels_video is not None:
        raise InputError(
            '--labels-video names the one video of LABELS, but there are several, list them in a '
            'dataset file with the field labels_video'
        )
    boxes = None if args.boxes in (INTERPOLATE, DETECTOR) else Path(args.boxes)
    require_folder('--boxes', boxes)
    require_folder('--loaded-into-cvat', args.loaded_into_cvat)
    require_result_folders(args, videos)
    refuse_input_folders(
        {f'--{option.replace("_", "-")}': vars(args).get(option) for option in OUTPUTS},
        {
            'the videos': args.inputs,
            'LABELS': args.labels,
            '--boxes': boxes,
            '--loaded-into-cvat': args.loaded_into_cvat,
            '--pose-results': args.pose_results or None,
        },
    )

    def prepare(job: VideoJob) -> None:
        video, own = job.video, job.args
        own.labels = choose_file(video, video.labels, args.labels)
        if own.labels is None:
            raise InputError(
                f'nothing says where the labels of {video.video} are, give a folder of label '
                'files as LABELS or the field labels in the dataset file'
            )
        # A label file for all videos holds each video under its name.
        is_shared = video.labels is None and own.labels == args.labels
        own.labels_video = video.labels_video or (video.name if is_shared else None)
        own.boxes = str(choose_file(video, video.boxes, boxes) or args.boxes)
        own.loaded_into_cvat = choose_file(video, None, args.loaded_into_cvat)
        _check_files(own)

    jobs = make_jobs(args, videos)
    with joined_processes(args.launcher, args.device):
        models = PropagationModels(args)
        models.build()
        if is_first_process() and args.labels is not None and args.labels.is_dir():
            _tell_unused(files_of_none(videos, args.labels))
        run_video_set(
            jobs,
            Path(args.out),
            prepare,
            lambda own: propagate_video(
                own, models, progress=is_first_process(), brief=True, keep_former=False
            ),
        )


def _tell_unused(files: Sequence[Path]) -> None:
    if files:
        names = ', '.join(path.name for path in files[:5]) + (', ...' if len(files) > 5 else '')
        print(f'of none of the videos: {names} in {files[0].parent}', file=sys.stderr)


def _split_inputs(inputs: Sequence[str]) -> tuple[list[str], Path | None]:
    """Split the positional arguments into videos and LABELS; a dataset file names labels itself."""
    if len(inputs) > 1:
        return list(inputs[:-1]), Path(inputs[-1])
    if not is_dataset(inputs[0]):
        raise InputError(
            f'LABELS are missing after {inputs[0]}, give a video and its label file, or a dataset '
            'file (.csv, .jsonl)'
        )
    return list(inputs), None


def _check_files(args: argparse.Namespace) -> None:
    """Refuse outputs that cannot be written before anything is computed."""
    require_box_file(args, args.boxes not in (INTERPOLATE, DETECTOR))
    check_outputs(args)


def _check_options(args: argparse.Namespace) -> None:
    """Refuse options that cannot work before anything is computed."""
    for option in ('check', 'suggest', 'measure'):
        if getattr(args, option) < 0:
            raise InputError(f'--{option} must be at least 0, got {getattr(args, option)}')
    if args.adapt and PROPAGATION_METHODS[args.method] not in ('auto', 'window'):
        raise InputError(
            f'--adapt trains a network, which method {args.method!r} does not use, choose auto or '
            'stdpose'
        )
    if args.adapt and args.measure:
        raise InputError(
            '--measure hides labels that --adapt has trained the network on, so that it would look '
            'better than it is: leave one of them out'
        )
    if not args.adapt and args.adapt_minutes is not None:
        raise InputError('--adapt-minutes is about --adapt, add it or leave the minutes out')
    if args.adapt and args.config is None:
        raise InputError(
            '--adapt needs --config, the config of the model to fine-tune, such as '
            'configs/stdpose_tiny_synthetic.py'
        )
    propagation_options(args)
    from stdpose_mm.propagation.base import require_method_packages

    require_method_packages(args.method)
