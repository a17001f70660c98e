"""Estimate the poses of everyone in every frame of a video.

    stdpose infer clip.mp4 --config C --checkpoint W --det-config D.onnx --out poses.json
    stdpose infer frames/ --config C --checkpoint W --boxes boxes.json --out poses.json
    stdpose infer videos/ --config C --checkpoint W --det-config D.onnx --out poses/

OUT holds every person in every frame with a track id. Memory does not grow with the video. Ctrl-C
ends the run after the frames that are done: OUT then holds these and says that it is incomplete; a
second Ctrl-C ends it at once, and nothing is written. See docs/guide/inference.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from stdpose_mm.cli.argument_types import positive
from stdpose_mm.cli.arguments import (
    LAUNCHER_FOR_ONE_VIDEO,
    add_frame_arguments,
    add_launcher_argument,
    add_video_arguments,
    check_outputs,
    require_box_file,
)
from stdpose_mm.cli.infer_video import InferenceModels, infer_video
from stdpose_mm.cli.one_line_parser import OneLineParser
from stdpose_mm.cli.run_command import EXIT_INTERRUPTED, run_command
from stdpose_mm.cli.video_set import (
    VideoJob,
    choose_file,
    make_jobs,
    place_outputs,
    require_folder,
    run_video_set,
)
from stdpose_mm.constants import (
    BACKEND_PRECISIONS,
    CROP_POLICIES,
    ONNX_RUNTIMES,
    SMOOTHERS,
    TRACKERS,
    WHOLE_PICTURE,
)
from stdpose_mm.errors import InputError
from stdpose_mm.io.video_list import ListedVideo, is_video_list, list_videos
from stdpose_mm.processes import is_first_process, joined_processes
from stdpose_mm.tracking.track_confirmation import MIN_TRACK_FRAMES


def main(arguments: Sequence[str] | None = None, prog: str = 'infer.py') -> int:
    """Run the command line and return the exit code."""
    incomplete: list[str] = []
    code = run_command(
        make_parser(prog),
        lambda args: incomplete.extend(infer(args)),
        arguments,
        'interrupted, no output was written',
    )
    for sentence in incomplete:
        print(f'{prog}: {sentence}', file=sys.stderr)
    return EXIT_INTERRUPTED if incomplete else code


def make_parser(prog: str) -> OneLineParser:
    """Build the parser of the command line."""
    parser = OneLineParser(prog, __doc__)
    parser.add_argument(
        'inputs',
        nargs='+',
        metavar='VIDEO_OR_FRAMES',
        help='video file or folder of pictures; or several of them, folders of videos, or a '
        'dataset file (.csv, .jsonl)',
    )
    add_video_arguments(parser)
    add_launcher_argument(parser)
    parser.add_argument('--config', required=True, help='config of the model')
    parser.add_argument(
        '--checkpoint',
        required=True,
        help='weights of the model, or a folder written by `stdpose export`',
    )
    parser.add_output(
        '--out',
        is_folder=None,
        required=True,
        help='label file to write; with several videos, a folder',
    )
    parser.add_argument(
        '--boxes',
        metavar=f'{{FILE,{WHOLE_PICTURE}}}',
        help='person boxes, instead of a detector: from a file (labels, COCO detections, '
        'MOTChallenge), or one person who fills the picture',
    )
    add_frame_arguments(parser, 'boxes')
    parser.add_argument(
        '--det-every',
        type=positive,
        default=1,
        metavar='N',
        help='run the detector on every N-th frame (%(default)s)',
    )
    parser.add_argument(
        '--pose-every',
        type=positive,
        default=1,
        metavar='N',
        help='run the model on every N-th frame; optical flow carries the poses to the frames '
        'between, where it is reliable (%(default)s)',
    )
    parser.add_argument(
        '--tracker',
        choices=TRACKERS,
        default='bytetrack',
        help='assign identities by boxes (bytetrack), or by boxes and poses (oks); default: '
        '%(default)s',
    )
    parser.add_argument(
        '--min-track-frames',
        type=positive,
        metavar='N',
        help='leave out people that the detector finds in fewer than N frames '
        f'({MIN_TRACK_FRAMES})',
    )
    parser.add_argument(
        '--hide-boxes', action='store_true', help='draw no boxes in the video of --save-video'
    )
    parser.add_argument(
        '--smooth',
        choices=SMOOTHERS,
        help='smooth the joints that score at least 0.2 over time with this filter (default: no '
        'smoothing)',
    )
    parser.add_argument(
        '--precision',
        choices=BACKEND_PRECISIONS,
        default='float32',
        help='number format of the model (%(default)s)',
    )
    parser.add_argument(
        '--runtime',
        choices=ONNX_RUNTIMES,
        help='library that runs a folder written by `stdpose export` (onnxruntime)',
    )
    parser.add_argument(
        '--crops',
        choices=CROP_POLICIES,
        default='frame',
        help='crop each frame at its own box and encode it once, or crop all frames of a window '
        'at the box of its key frame, which is three times slower (%(default)s)',
    )
    parser.add_argument(
        '--batch-size',
        type=positive,
        default=8,
        help='crops that the model processes at once (%(default)s)',
    )
    parser.add_argument('--device', default='cpu', help='where the networks run (%(default)s)')
    return parser


def infer(args: argparse.Namespace) -> list[str]:
    """Check the command line, and do the work.

    Returns:
        One sentence if the run was interrupted and OUT is incomplete, else nothing.

    Raises:
        InputError: If something that was given cannot be used; no output file is written then.
    """
    _check_options(args)
    if is_video_list(args.inputs):
        infer_several(args, list_videos(args.inputs))
        return []
    if args.launcher != 'none':
        raise InputError(LAUNCHER_FOR_ONE_VIDEO)
    (args.video,) = args.inputs
    place_outputs(args, ListedVideo(Path(args.video)))
    _check_boxes(args)
    _check_files(args)
    result = infer_video(args, InferenceModels(args))
    print('\n'.join(result.summary))
    return [] if result.incomplete is None else [result.incomplete]


def infer_several(args: argparse.Namespace, videos: Sequence[ListedVideo]) -> None:
    """Estimate the poses of several videos, into the folder ``args.out``.

    Raises:
        InputError: If an argument for all videos cannot be used, or a video has failed.
    """
    if not any(video.boxes for video in videos):
        _check_boxes(args)
    by_option = None if args.boxes in (None, WHOLE_PICTURE) else Path(args.boxes)
    require_folder('--boxes', by_option)

    def prepare(job: VideoJob) -> None:
        boxes = choose_file(job.video, job.video.boxes, by_option)
        job.args.boxes = args.boxes if boxes is None else str(boxes)
        _check_boxes(job.args)
        _check_files(job.args)

    with joined_processes(args.launcher, args.device):
        models = InferenceModels(args)
        models.build()
        run_video_set(
            make_jobs(args, videos),
            Path(args.out),
            prepare,
            lambda own: infer_video(
                own,
                models,
                progress=is_first_process(),
                keep_incomplete=False,
                keep_former=False,
            ),
        )


def _check_files(args: argparse.Namespace) -> None:
    """Refuse outputs that cannot be written before anything is computed."""
    check_outputs(args)


def _check_options(args: argparse.Namespace) -> None:
    """Refuse options that cannot work before anything is computed."""
    if args.det_config is None and (
        args.det_checkpoint is not None or args.det_every > 1 or args.min_track_frames is not None
    ):
        raise InputError(
            '--det-checkpoint, --det-every and --min-track-frames need --det-config, add it'
        )
    if args.device != 'cpu' and not _uses_device(args):
        raise InputError(
            '--device is for PyTorch, but an exported network and an ONNX detector run on the CPU, '
            'leave it out or give a checkpoint'
        )
    if args.min_track_frames is None:
        args.min_track_frames = MIN_TRACK_FRAMES
    if args.hide_boxes and args.save_video is None:
        raise InputError('--hide-boxes is about the video that is drawn, add --save-video')


def _uses_device(args: argparse.Namespace) -> bool:
    """Whether PyTorch runs the model or the detector."""
    has_own_detector = args.det_config is not None and Path(args.det_config).suffix != '.onnx'
    return has_own_detector or not Path(args.checkpoint).is_dir()


def _check_boxes(args: argparse.Namespace) -> None:
    """Refuse a command line without a source of person boxes, or with two."""
    if args.boxes is not None and args.det_config is not None:
        raise InputError('--boxes and --det-config both say where the people are, give one')
    if args.boxes is None and args.det_config is None:
        raise InputError(
            'nobody says where the people are: give --det-config (an ONNX file, or an MMDetection '
            f'config with --det-checkpoint) or --boxes (a file, or {WHOLE_PICTURE})'
        )
    require_box_file(args, args.boxes not in (None, WHOLE_PICTURE))
