"""Label and correct poses in the browser; the frames around a correction follow at once.

    stdpose review clip.mp4 labels.json
    stdpose review clip.mp4 labels.json --config C --checkpoint W
    stdpose review clip.mp4 labels.json --pose-onnx rtmpose.onnx=rtmpose-halpe26
    stdpose review clip.mp4 --skeleton coco
    stdpose review clip.mp4 --project labels.review.jsonl
    stdpose review videos/ labels/

The page is served on this machine alone, at the address that is printed. Every edit goes at once to
a project file beside LABELS, so that the next start goes on from there, without LABELS too if they
have changed since; LABELS themselves are never changed. See docs/guide/review.md.
"""

from __future__ import annotations

import argparse
import os
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stdpose_mm.cli.argument_types import fraction, whole
from stdpose_mm.cli.arguments import (
    add_cache_argument,
    add_cvat_input,
    add_frame_arguments,
    add_labels_size_argument,
    add_life_span_argument,
    add_propagation_arguments,
    evidence_files,
    frame_options,
    label_folders,
    propagation_options,
)
from stdpose_mm.cli.one_line_parser import OneLineParser
from stdpose_mm.cli.run_command import run_command
from stdpose_mm.cli.video_set import choose_file, require_folder, require_result_folders
from stdpose_mm.errors import InputError, require_packages
from stdpose_mm.io.file_kinds import require_video, shows_frames
from stdpose_mm.io.file_names import file_stem
from stdpose_mm.io.outputs import (
    Output,
    choose_format,
    guard_outputs,
    label_outputs,
    means_folder,
)
from stdpose_mm.io.video_list import ListedVideo, is_dataset, is_video_list, list_videos

if TYPE_CHECKING:
    from stdpose_mm.review_app.project import ReviewInputs, ReviewProject
    from stdpose_mm.review_app.server import ListeningServer
    from stdpose_mm.structures import Skeleton

JOURNAL_SUFFIX = '.review.jsonl'

MAX_PORT = 65535


def main(arguments: Sequence[str] | None = None, prog: str = 'review.py') -> int:
    """Run the command line and return the exit code."""
    return run_command(
        make_parser(prog),
        review,
        arguments,
        'ended; every edit is in the project, and the same command goes on from there',
    )


def make_parser(prog: str) -> OneLineParser:
    """Build the parser of the command line."""
    parser = OneLineParser(prog, __doc__, intermixed=True)
    parser.usage = '%(prog)s VIDEO_OR_FRAMES [VIDEO_OR_FRAMES ...] [LABELS] [options]'
    parser.add_argument(
        'inputs',
        nargs='+',
        metavar='VIDEO_OR_FRAMES ... [LABELS]',
        help='a video file or folder of pictures, and its label file, if there is one: labels of '
        'some frames, or the output of propagate or infer; or several videos or folders of '
        'videos, and the folder of their label files; or a dataset file (.csv, .jsonl)',
    )
    parser.add_output(
        '--out',
        is_folder=None,
        help='label file that the page saves to (default: LABELS with _reviewed in its name); '
        'with several videos, a folder',
    )
    parser.add_argument(
        '--project',
        metavar='FILE',
        help='file that keeps every edit and the labels that the edits began with; without LABELS, '
        f'these labels are used (default: LABELS with the suffix {JOURNAL_SUFFIX}); with several '
        'videos, a folder',
    )
    add_propagation_arguments(parser)
    add_life_span_argument(parser)
    parser.add_argument(
        '--skeleton',
        metavar='{NAME,FILE}',
        help='joints to label in an unlabelled video: coco, posetrack, hand, openpose-body-25, '
        'openpose-coco, or those of a label file (default: the page asks)',
    )
    parser.add_argument(
        '--as-given',
        type=fraction,
        default=0.8,
        metavar='S',
        help='if LABELS hold only estimates, use joints that score at least S as labels '
        '(%(default)s)',
    )
    parser.add_argument(
        '--labels-video', metavar='NAME', help='video whose labels to use, if LABELS hold several'
    )
    add_cvat_input(parser)
    add_frame_arguments(parser)
    add_labels_size_argument(parser)
    parser.add_argument(
        '--target',
        type=fraction,
        default=0.95,
        metavar='SHARE',
        help='share of correct joints at which the page says that the result is good enough '
        '(%(default)s)',
    )
    parser.add_argument(
        '--port',
        type=whole,
        help='port of the page; 0 chooses a free one (default: one that belongs to the project, so '
        'that an open page finds the next start, or a free one if it is taken)',
    )
    parser.add_argument(
        '--no-browser',
        action='store_true',
        help='print the address, but do not open it in the browser',
    )
    add_cache_argument(parser)
    return parser


def review(args: argparse.Namespace) -> None:
    """Check the command line, and serve the page until Ctrl-C.

    Raises:
        InputError: If something that was given cannot be used.
    """
    method_options = propagation_options(args)
    if args.port is not None and args.port > MAX_PORT:
        raise InputError(f'--port must be at most {MAX_PORT}, got {args.port}')
    videos, labels = split_inputs(args.inputs)
    inputs = list_inputs(args, videos, labels)
    require_packages('the review page', 'starlette', 'uvicorn')
    from stdpose_mm.propagation.base import require_method_packages

    require_method_packages(args.method)
    skeleton = None if args.skeleton is None else read_skeleton_option(args.skeleton)
    from stdpose_mm.apis import VideoPosePropagator
    from stdpose_mm.io.cache_folder import choose_cache_folder
    from stdpose_mm.review_app.project import ReviewOptions, ReviewProject

    propagator = VideoPosePropagator(args.config, args.checkpoint, **method_options)
    options = ReviewOptions(
        target=args.target,
        skeleton=skeleton,
        life_span=args.life_span,
        cache=choose_cache_folder(args.cache),
        as_given=args.as_given,
        frame_options=frame_options(args),
        labels_size=args.labels_size,
        say=lambda sentence: print(sentence, file=sys.stderr),
    )
    project = ReviewProject(inputs, propagator, options)
    server = _listen(project, args.port)
    try:
        project.open()
        if args.port is None and server.access.port != project.usual_port:
            print(
                f'port {project.usual_port} of this project is taken: a page that is still open '
                'does not find this start',
                file=sys.stderr,
            )
        print(server.access.address, flush=True)
        if not args.no_browser:
            webbrowser.open(server.access.address)
        server.run()
    finally:
        project.close()


def _listen(project: ReviewProject, port: int | None) -> ListeningServer:
    from stdpose_mm.review_app.server import ListeningServer

    if port is not None:
        return ListeningServer(project, port)
    try:
        return ListeningServer(project, project.usual_port)
    except InputError:
        return ListeningServer(project)


def split_inputs(inputs: Sequence[str]) -> tuple[list[str], Path | None]:
    """Split the positional arguments into videos and LABELS, which may be missing."""
    *videos, last = inputs
    if not videos or shows_frames(last) or is_video_list([last]):
        return list(inputs), None
    return videos, Path(last)


def list_inputs(
    args: argparse.Namespace, videos: Sequence[str], labels: Path | None
) -> list[ReviewInputs]:
    """List the files of the videos, and refuse those that cannot be used or written.

    Raises:
        InputError: See :func:`~stdpose_mm.io.outputs.guard_outputs`.
    """
    several = is_video_list(videos)
    listed = list_videos(videos) if several else [ListedVideo(Path(videos[0]))]
    if several and args.labels_video is not None:
        raise InputError(
            '--labels-video names the one video of LABELS, but there are several, list them in a '
            'dataset file with the field labels_video'
        )
    for option, folder in (('--out', args.out), ('--project', args.project)):
        if several and folder is not None and os.path.isfile(folder):
            raise InputError(f'{option} {folder} is a file, but several videos need a folder')
    if several:
        require_folder('--loaded-into-cvat', args.loaded_into_cvat)
        require_result_folders(args, listed)
    inputs = [_inputs_of(args, video, labels, several) for video in listed]
    taken: dict[Path, ReviewInputs] = {}
    for one in inputs:
        for path in (one.project, one.out):
            other = taken.setdefault(path.resolve(), one)
            if other is not one or one.project.resolve() == one.out.resolve():
                raise InputError(
                    f'{other.video} and {one.video} would both be written to {path}, give --out '
                    'and --project other names, or the videos'
                )
        given = {
            'the video': one.video,
            'LABELS': one.labels,
            '--loaded-into-cvat': one.loaded_into_cvat,
            **{f'--{name}': getattr(args, name) for name in ('config', 'checkpoint', 'skeleton')},
            **evidence_files(args, one.video),
        }
        outputs = label_outputs('--out', one.out, choose_format(one.out, None, '--out'))
        outputs.append(Output('--project', one.project))
        guard_outputs(outputs, given, label_folders(args, one.labels))
    for one in inputs:
        # The first save would replace them; after an edit they may be what the page has saved.
        if one.project.exists() or not one.out.exists():
            continue
        way = 'give another --out, or move it away'
        if one.labels is None:
            way = 'give it as LABELS to go on from it, or another --out'
        raise InputError(
            f'{one.out} is there already, and without edits in {one.project} it was not saved '
            f'from there, so that saving would replace it: {way}'
        )
    return inputs


def _inputs_of(
    args: argparse.Namespace, video: ListedVideo, labels: Path | None, several: bool
) -> ReviewInputs:
    from stdpose_mm.review_app.project import ReviewInputs

    own = choose_file(video, video.labels, labels) if several else labels
    if not is_dataset(video.video):
        require_video(video.video, own)
    # A folder of label files stands for one file, too.
    beside = video.video if own is None else own
    stem = _stem(beside)
    if several:
        # One label file may hold several videos.
        stem = video.name

    def place(given: str | None, default: Path, name: str) -> Path:
        if given is None:
            return default
        return Path(given, name) if several or means_folder(given) else Path(given)

    out = beside.parent / f'{stem}_reviewed.json'
    project = beside.parent / f'{stem}{JOURNAL_SUFFIX}'
    is_shared = several and video.labels is None and own == labels
    return ReviewInputs(
        name=video.name,
        video=video.video,
        labels=own,
        labels_video=video.labels_video
        or (video.name if is_shared and own is not None else args.labels_video),
        project=place(args.project, project, project.name),
        out=place(args.out, out, f'{video.name}.json'),
        loaded_into_cvat=choose_file(video, None, args.loaded_into_cvat),
    )


def _stem(path: Path) -> str:
    return path.name if path.is_dir() else file_stem(path)


def read_skeleton_option(given: str) -> Skeleton:
    """Read the skeleton of ``--skeleton``.

    Raises:
        InputError: If there is no such skeleton or file.
    """
    from stdpose_mm.io.labels import read_all_labels
    from stdpose_mm.io.labels.known_skeletons import KNOWN_SKELETONS

    if given in KNOWN_SKELETONS:
        return KNOWN_SKELETONS[given]
    if not Path(given).exists():
        raise InputError(
            f'--skeleton {given} is neither a file nor one of {", ".join(KNOWN_SKELETONS)}'
        )
    videos = read_all_labels(given)
    if not videos:
        raise InputError(
            f'--skeleton {given} lists no pictures, and so no video whose joints could be taken: '
            f'give a label file with one, or one of {", ".join(KNOWN_SKELETONS)}'
        )
    return videos[0].skeleton
