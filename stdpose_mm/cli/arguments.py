"""Groups of arguments that several commands have, and what is read from them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stdpose_mm.constants import (
    CVAT_TOLERANCE,
    FRAME_OPTIONS,
    LAUNCHERS,
    LIFE_SPANS,
    POSE_FORM,
    POSE_NETWORK_SUFFIXES,
    POSES_FORM,
    PRECISIONS,
    PROPAGATION_METHODS,
    VIDEO_SUFFIXES,
    WRITE_FORMATS,
    FrameSubject,
)
from stdpose_mm.errors import InputError
from stdpose_mm.io.outputs import (
    DEFAULT_FORMAT,
    Output,
    adapted_model,
    choose_format,
    guard_outputs,
    label_outputs,
    report_video,
)
from stdpose_mm.io.video_list import ListedVideo
from stdpose_mm.text import counted

from .argument_types import picture_size, pixel_tolerance, positive, seed, whole
from .one_line_parser import OneLineParser

if TYPE_CHECKING:
    from stdpose_mm.io.labels import FrameOptions
    from stdpose_mm.pose_networks import PoseNetworkFiles

LAUNCHER_FOR_ONE_VIDEO = (
    '--launcher shares several videos among processes, but there is one, leave it out'
)
REPORT_SUFFIXES = ('.html', '.htm')

OUTPUTS = ('out', 'save_video', 'report')
"""Options of commands on videos that name files to write."""

FILES = (
    *('config', 'checkpoint', 'fuser', 'flow_weights', 'labels', 'boxes'),
    *('det_config', 'det_checkpoint', 'loaded_into_cvat', 'frame_of', 'boxes_frame_of'),
)
"""Options of commands on videos that may name input files, compared by their content."""


def add_labelled_videos(parser: OneLineParser) -> None:
    """Add the arguments of a set of labelled videos: LABELS and the folders of their pictures."""
    parser.add_labels(
        'labels',
        type=Path,
        metavar='LABELS',
        help='folder of label files, one label file, or a text file with one path per line',
    )
    add_roots(parser)


def add_roots(parser: argparse.ArgumentParser) -> None:
    """Add the folders of the pictures and the video files that labels name."""
    parser.add_argument(
        '--image-root', type=Path, help='folder that picture names in LABELS are relative to'
    )
    parser.add_argument(
        '--video-root', type=Path, help='folder that video names in LABELS are relative to'
    )


def add_training_resources(parser: argparse.ArgumentParser) -> None:
    """Add the number of processes, the device and the seed of a training."""
    parser.add_argument(
        '--workers', type=positive, default=2, help='number of processes (%(default)s)'
    )
    parser.add_argument('--device', default='cpu', help='(%(default)s)')
    parser.add_argument('--seed', type=seed, default=0)


def add_matcher_argument(parser: argparse.ArgumentParser) -> None:
    """Add the joint matcher that evidence is gathered with."""
    parser.add_argument(
        '--matcher',
        type=Path,
        metavar='FILE',
        help='joint matcher to gather the evidence with, a file that train_matcher.py wrote '
        '(default: the one that comes with the package)',
    )


def add_video_arguments(parser: OneLineParser) -> None:
    """Add the options of the person detector and of the outputs of a video."""
    parser.add_argument(
        '--det-config', metavar='FILE', help='person detector: MMDetection config, or ONNX file'
    )
    parser.add_argument('--det-checkpoint', metavar='FILE', help='weights of the detector')
    parser.add_argument(
        '--format',
        choices=WRITE_FORMATS,
        help=f'format of OUT (default: by its suffix; {DEFAULT_FORMAT} for .json or no suffix)',
    )
    add_cvat_output(parser)
    parser.add_output(
        '--save-video',
        is_folder=None,
        metavar='FILE',
        help='also write the video with the poses drawn on it, with its frame times and sound; '
        'with several videos, a folder',
    )


def add_cvat_input(parser: argparse.ArgumentParser) -> None:
    """Add the option for reading labels that come from CVAT."""
    parser.add_argument(
        '--loaded-into-cvat',
        type=Path,
        metavar='FILE',
        help='the file of stdpose that was imported into CVAT and corrected there; needed if the '
        'task lacks the attribute "source", which marks corrected joints',
    )


def add_cvat_output(parser: argparse.ArgumentParser) -> None:
    """Add the option for writing labels for CVAT."""
    parser.add_argument(
        '--cvat-tolerance',
        type=pixel_tolerance,
        default=CVAT_TOLERANCE,
        metavar='PX',
        help="for CVAT: write as few key frames as keep CVAT's interpolation within PX pixels of "
        'the propagated joints; "all" makes every frame a key frame (%(default)s)',
    )


def require_cvat_output(tolerance: float | None, writes_cvat: bool) -> None:
    """Refuse the option of :func:`add_cvat_output` if nothing is written for CVAT.

    Args:
        tolerance: Value of the option.
        writes_cvat: Whether a label file is written for CVAT.

    Raises:
        InputError: If there is none.
    """
    if tolerance != CVAT_TOLERANCE and not writes_cvat:
        raise InputError(
            '--cvat-tolerance is about key frames for CVAT, but OUT is written in another format, '
            'choose cvat or leave it out'
        )


def add_frame_arguments(parser: argparse.ArgumentParser, subject: FrameSubject = 'labels') -> None:
    """Add the options that assign the labels, or the boxes, of a file to frames of the video."""
    what = 'LABELS' if subject == 'labels' else 'the FILE of --boxes'
    number_option, list_option = FRAME_OPTIONS[subject]
    parser.add_argument(
        number_option,
        type=whole,
        metavar='N',
        help=f'number of the first frame of the video in {what}, if that is not clear: 0 for CVAT '
        'and OpenCV, 1 for FFmpeg',
    )
    parser.add_argument(
        list_option,
        type=Path,
        metavar='FILE',
        help=f'CSV file that says which frame each picture in {what} is, if the picture names do '
        'not tell: lines picture,frame (counted from 0), or picture,seconds under a header such '
        'as name,time',
    )


def frame_options(args: argparse.Namespace, subject: FrameSubject = 'labels') -> FrameOptions:
    """Read the options of :func:`add_frame_arguments`.

    Raises:
        InputError: If both options are given, or the file is not as described.
    """
    from stdpose_mm.io.labels import FrameOptions, read_frame_list

    first_number, list_file = _frame_values(args, subject)
    if list_file is None:
        return FrameOptions(first_number, subject=subject)
    if first_number is not None:
        options = ' and '.join(FRAME_OPTIONS[subject])
        raise InputError(f'{options} say the same thing, give one of them')
    return read_frame_list(list_file, subject)


def require_box_file(args: argparse.Namespace, has_file: bool) -> None:
    """Refuse options on the frames of a file of boxes if there is no such file.

    Raises:
        InputError: If one of the options of :func:`add_frame_arguments` is given without the file.
    """
    for option, value in zip(FRAME_OPTIONS['boxes'], _frame_values(args, 'boxes'), strict=True):
        if value is not None and not has_file:
            raise InputError(f'{option} is about a file of boxes, add --boxes FILE or leave it out')


def _frame_values(args: argparse.Namespace, subject: FrameSubject) -> tuple[Any, Any]:
    number, file = (option[2:].replace('-', '_') for option in FRAME_OPTIONS[subject])
    return vars(args)[number], vars(args)[file]


def add_labels_size_argument(parser: argparse.ArgumentParser) -> None:
    """Add the size of the labelled pictures, for a video of another size."""
    parser.add_argument(
        '--labels-size',
        type=picture_size,
        metavar='WxH',
        help='size of the labelled pictures, if it differs from that of the video; LABELS are '
        'rescaled',
    )


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add an optional model and its device."""
    parser.add_argument('--config', help='config of the model')
    parser.add_argument('--checkpoint', help='weights of the model')
    parser.add_argument('--device', default='cpu', help='where the model runs (%(default)s)')


def add_pose_network_arguments(parser: argparse.ArgumentParser) -> None:
    """Add pose networks of other projects, for :func:`pose_network_files`."""
    parser.add_argument(
        '--pose-config',
        action='append',
        default=[],
        metavar='CONFIG',
        help='top-down model of MMPose, used by auto as additional evidence: its config, or the '
        'name of a config that comes with MMPose; this and the next four options may be repeated',
    )
    parser.add_argument(
        '--pose-checkpoint',
        action='append',
        default=[],
        metavar='FILE',
        help='weights of --pose-config',
    )
    kinds = {
        'onnx': 'pose network in an ONNX file, used by auto as additional evidence; PRESET, or a '
        'file of the same name ending in .json, describes its inputs and outputs',
        'tflite': 'the same in a TensorFlow Lite file (.tflite, or .task of MediaPipe)',
    }
    for option in POSE_NETWORK_SUFFIXES:
        parser.add_argument(
            f'--pose-{option}',
            action='append',
            default=[],
            metavar=POSE_FORM,
            help=kinds[option],
        )
    parser.add_argument(
        '--pose-results',
        action='append',
        default=[],
        metavar=POSES_FORM,
        help='poses that another program has estimated in the video, in any format of label files, '
        'used by auto as those of a pose network; for several videos a folder with a file for '
        'each',
    )


def paired_options(args: argparse.Namespace, config: str, checkpoint: str) -> list[tuple[str, str]]:
    """Pair the values of two repeated options, in their order.

    Args:
        args: The command line.
        config: Name of the one option in it.
        checkpoint: Name of the other one.

    Raises:
        InputError: If one is given more often than the other.
    """
    configs, checkpoints = vars(args)[config], vars(args)[checkpoint]
    if len(configs) != len(checkpoints):
        first, second = (f'--{name.replace("_", "-")}' for name in (config, checkpoint))
        raise InputError(
            f'{first} is given {counted(len(configs), "time")} and {second} '
            f'{counted(len(checkpoints), "time")}, give one checkpoint for each config'
        )
    return list(zip(configs, checkpoints, strict=True))


def pose_network_files(args: argparse.Namespace) -> list[PoseNetworkFiles]:
    """Read the options of :func:`add_pose_network_arguments`.

    Raises:
        InputError: If configs and checkpoints do not pair, or a file has another suffix.
    """
    from stdpose_mm.pose_networks import PoseNetworkFiles

    found = [
        PoseNetworkFiles(config, checkpoint)
        for config, checkpoint in paired_options(args, 'pose_config', 'pose_checkpoint')
    ]
    for option, suffixes in POSE_NETWORK_SUFFIXES.items():
        for text in vars(args)[f'pose_{option}']:
            files = PoseNetworkFiles.parse(text)
            if Path(files.file).suffix not in suffixes:
                raise InputError(
                    f'--pose-{option} takes files that end in {" or ".join(suffixes)}, got '
                    f'{files.file}'
                )
            found.append(files)
    found += [PoseNetworkFiles(path, results=True) for path in args.pose_results]
    return found


def add_propagation_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of a propagator, for :func:`propagation_options`."""
    add_model_arguments(parser)
    add_pose_network_arguments(parser)
    parser.add_argument(
        '--method',
        choices=PROPAGATION_METHODS,
        default='auto',
        help='how the frames between labels are filled; %(default)s combines straight lines, '
        'optical flow and, if there is a model, its heatmaps (%(default)s)',
    )
    parser.add_argument(
        '--no-stdpose',
        dest='use_stdpose',
        action='store_false',
        help='auto does without the STDPose that comes with the package: faster, less accurate for '
        'people',
    )
    parser.add_argument(
        '--precision',
        choices=PRECISIONS,
        default='float32',
        help='number format of the model (%(default)s)',
    )
    parser.add_argument(
        '--batch-size',
        type=int,
        default=8,
        help='windows that the model processes at once (%(default)s)',
    )


def propagation_options(args: argparse.Namespace) -> dict[str, Any]:
    """Return the options of :func:`add_propagation_arguments`, except the model.

    They are arguments of :class:`~stdpose_mm.apis.VideoPosePropagator`.

    Raises:
        InputError: If an option cannot be used, or not together with the others.
    """
    if args.batch_size < 1:
        raise InputError(f'--batch-size must be at least 1, got {args.batch_size}')
    if PROPAGATION_METHODS[args.method] not in ('auto', 'window') and (
        args.config or args.checkpoint
    ):
        raise InputError(
            f'--config and --checkpoint are of a model, which method {args.method!r} does not use, '
            'choose auto or stdpose, or leave them out'
        )
    if args.precision != 'float32' and args.config is None:
        raise InputError(
            '--precision is that of a model, but there is none, add --config and --checkpoint or '
            'leave it out'
        )
    if args.device != 'cpu' and not _uses_device(args):
        raise InputError(
            f'--device is for networks, but method {args.method!r} uses none, choose auto or '
            'stdpose, or leave it out'
        )
    networks = pose_network_files(args)
    if networks and args.method != 'auto':
        raise InputError(
            '--pose-config, --pose-onnx, --pose-tflite and --pose-results are '
            f'evidence for auto, which method {args.method!r} does not use, choose auto'
        )
    if not args.use_stdpose and args.method != 'auto':
        raise InputError(
            f'--no-stdpose is about the evidence of auto, which method {args.method!r} does not '
            'use, choose auto or leave it out'
        )
    return {
        'device': args.device,
        'method': args.method,
        'precision': args.precision,
        'batch_size': args.batch_size,
        'pose_networks': networks,
        'use_stdpose': args.use_stdpose,
    }


def _uses_device(args: argparse.Namespace) -> bool:
    """Whether a method, or what it is given, may run PyTorch: a model, RAFT or a detector."""
    given = vars(args)
    return (
        PROPAGATION_METHODS[args.method] in ('auto', 'window')
        or given.get('flow_weights') is not None
        or given.get('det_config') is not None
    )


def add_life_span_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option for the frames in which people are present."""
    parser.add_argument(
        '--life-span',
        choices=LIFE_SPANS,
        default='video',
        help='frames in which a person is present: the whole video, or from their first label to '
        'their last (%(default)s)',
    )


def add_launcher_argument(parser: argparse.ArgumentParser) -> None:
    """Add the launcher of the processes of :func:`~stdpose_mm.processes.joined_processes`."""
    parser.add_argument(
        '--launcher',
        choices=LAUNCHERS,
        default='none',
        help='how the processes that share the videos were started; pytorch means torchrun '
        '(%(default)s)',
    )


def add_cache_argument(parser: argparse.ArgumentParser) -> None:
    """Add the folder of :func:`~stdpose_mm.io.cache_folder.choose_cache_folder`."""
    parser.add_argument(
        '--cache',
        metavar='{FOLDER,off}',
        help='folder that keeps finished work for the next run, or off for none (default: '
        "STDPOSE_CACHE, or the user's cache folder)",
    )


def add_speed_arguments(parser: argparse.ArgumentParser, config: Path, frames: int) -> None:
    """Add the models, the generated clip and the batch size of a benchmark of speed.

    Args:
        parser: Parser to extend.
        config: Default config of the model.
        frames: Default length of the clip in frames.
    """
    parser.add_argument(
        '--config',
        nargs='+',
        default=[str(config)],
        help=f'configs of models; the others are compared with the first (default: {config.name})',
    )
    parser.add_argument(
        '--checkpoint',
        nargs='+',
        help='weights, one file for each config (default: random weights)',
    )
    parser.add_argument(
        '--frames', type=positive, default=frames, help='length of the video (%(default)s)'
    )
    parser.add_argument('--size', type=positive, nargs=2, default=(640, 480), metavar=('W', 'H'))
    parser.add_argument(
        '--people', type=positive, default=2, help='people in every frame (%(default)s)'
    )
    parser.add_argument('--batch-size', type=positive, default=8, help='(%(default)s)')


def check_outputs(args: argparse.Namespace) -> None:
    """Refuse outputs of a video that cannot be written, or are an input, before work begins.

    Args:
        args: The command line of the video.

    Raises:
        InputError: See :func:`~stdpose_mm.io.outputs.guard_outputs` and
            :func:`~stdpose_mm.io.outputs.choose_format`.
    """
    format = choose_format(args.out, args.format, '--out', '--format')
    report = vars(args).get('report')
    beside = [] if report is None else [Output('the video of --report', report_video(report))]
    if vars(args).get('adapt'):
        beside.append(Output('the adapted model of --out', adapted_model(args.out)))
    guard_outputs(
        [
            *label_outputs('--out', args.out, format),
            Output('--save-video', args.save_video, 'a video', VIDEO_SUFFIXES),
            Output('--report', report, 'a report', REPORT_SUFFIXES),
            *beside,
        ],
        {
            **{option: vars(args).get(option) for option in ('video', *FILES)},
            **(evidence_files(args, Path(args.video)) if 'pose_onnx' in args else {}),
        },
        label_folders(args, vars(args).get('labels')),
    )


def evidence_files(args: argparse.Namespace, video: Path) -> dict[str, list[Path]]:
    """List the files of pose networks, and of the poses they found in a video, by what they are.

    Raises:
        InputError: If there are no poses of this video among results.
    """
    name = ListedVideo(video).name
    return {
        f'{"the poses" if files.results else "pose network"} {files.file}': [
            *files.read_files(name).values()
        ]
        for files in pose_network_files(args)
    }


def label_folders(args: argparse.Namespace, labels: Path | None) -> dict[str, list[Path]]:
    """Return the folders of a command line from which label files are read.

    Args:
        args: The command line, which may have ``pose_results``.
        labels: LABELS of the video, which may be a folder with a file per picture.
    """
    named = {
        'LABELS': [] if labels is None else [labels],
        '--pose-results': [Path(path) for path in vars(args).get('pose_results', ())],
    }
    return {name: [path for path in paths if path.is_dir()] for name, paths in named.items()}
