"""Compare ways of propagating labels: hide most labels, propagate the rest, measure the error.

    python tools/benchmark_propagation.py data/clips/annotations --video-root data/clips
    python tools/benchmark_propagation.py val.txt --video-root data/clips --interval 7 15
    python tools/benchmark_propagation.py val.txt --image-root data/clips --config C --checkpoint W

LABELS is a folder of label files, one file, or a text file with one path a line; all frames are
labelled. The labels of every T-th frame are given, the others are hidden and only used to measure.
With ``--out-dir`` the tables (``table.md``), the figures (``comparison.json``) and the poses of
every method are written, the latter as PoseTrack18 files in ``<method>_T<interval>/``, which
``tools/evaluate_posetrack.py`` takes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from stdpose_mm.apis import Comparison, VideoPosePropagator, compare_propagators, mean_motion
from stdpose_mm.apis.compare_propagators import FrameGroup
from stdpose_mm.apis.labelled_videos import open_video, read_videos
from stdpose_mm.command_line import OneLineParser, exit_code
from stdpose_mm.errors import InputError
from stdpose_mm.io import write_json, write_posetrack18, write_text
from stdpose_mm.propagation import PROPAGATORS
from stdpose_mm.structures import VideoLabels

METHODS_WITHOUT_MODEL = ('linear', 'flow')
METHODS_WITH_MODEL = ('per-frame', 'stdpose')

BOXES = {
    'interpolate': 'Boxes are interpolated between those of the given labels.',
    'gt': 'Boxes are the ground truth, in unlabelled frames too.',
}

FRAME_GROUPS: tuple[FrameGroup, ...] = ('unlabelled', 'all')

Predictions = dict[str, list[VideoLabels]]
"""Folder of the method and interval -> the videos."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = make_parser()
    args = parser.parse_args(arguments)
    return exit_code(parser, lambda: benchmark(args))


def make_parser() -> argparse.ArgumentParser:
    """The command line's arguments."""
    parser = OneLineParser(
        prog='benchmark_propagation.py',
        description='Hide most labels, propagate the rest, and compare methods by their error.',
    )
    parser.add_argument(
        'labels',
        type=Path,
        metavar='LABELS',
        help='folder of label files, one file, or a text file with one path a line',
    )
    parser.add_argument(
        '--image-root', type=Path, help='folder that file names of pictures in LABELS start from'
    )
    parser.add_argument(
        '--video-root', type=Path, help='folder that the video files named in LABELS start from'
    )
    parser.add_argument(
        '--methods',
        nargs='+',
        choices=sorted(PROPAGATORS.module_dict),
        help='default: linear and flow, with a checkpoint per-frame and stdpose as well',
    )
    parser.add_argument('--config', help='config of the model')
    parser.add_argument('--checkpoint', help='weights of the model')
    parser.add_argument('--device', default='cpu', help='where the model runs (%(default)s)')
    parser.add_argument(
        '--interval',
        type=int,
        nargs='+',
        default=[7],
        metavar='T',
        help='every T-th frame is given (7); several are compared one after the other',
    )
    parser.add_argument(
        '--min-motion',
        type=float,
        metavar='X',
        help='only videos in which joints move by more than X pose sizes a frame, such as 0.02',
    )
    parser.add_argument(
        '--bootstrap',
        type=int,
        default=1000,
        metavar='N',
        help='draws of videos for the 95 %% intervals, 0 for none (%(default)s)',
    )
    parser.add_argument(
        '--boxes',
        choices=tuple(BOXES),
        default='interpolate',
        help='where people are cropped in unlabelled frames: boxes interpolated between those of '
        'the given labels (default), or ground-truth boxes as in the published protocol',
    )
    parser.add_argument('--out-dir', type=Path, metavar='DIR', help='where to write the results')
    return parser


def benchmark(args: argparse.Namespace) -> None:
    """Compare the methods, print the tables and write what the command line asks for.

    Raises:
        InputError: If something that was given cannot be used; nothing is written then.
    """
    if args.bootstrap < 0:
        raise InputError(f'--bootstrap must be at least 0, got {args.bootstrap}')
    for interval in args.interval:
        if interval < 2:
            raise InputError(f'--interval must be at least 2 to hide labels, got {interval}')
    methods = list(dict.fromkeys(args.methods or default_methods(args.checkpoint)))
    intervals = list(dict.fromkeys(args.interval))
    labels = fast_videos(read_videos(args.labels), args.min_motion)
    if args.out_dir is not None:
        check_folders(args.out_dir, methods, intervals, labels)
    pictures_needed = any(PROPAGATORS.get(method).reads_pictures for method in methods)
    videos = [
        (open_video(video, args.image_root, args.video_root, pictures_needed), video)
        for video in labels
    ]
    propagators = {
        method: VideoPosePropagator(
            args.config, args.checkpoint, args.device, method=method
        ).propagator
        for method in methods
    }

    predictions: Predictions = {}
    comparisons = []
    total = len(videos) * len(methods) * len(intervals)
    with tqdm(total=total, unit=' videos', delay=1) as bar:
        for interval in intervals:

            def collect(method: str, predicted: VideoLabels, interval: int = interval) -> None:
                bar.update()
                if args.out_dir is not None:
                    name = folder_name(method, interval)
                    predictions.setdefault(name, []).append(predicted)

            comparisons.append(
                compare_propagators(
                    videos, propagators, interval, collect, args.bootstrap, args.boxes == 'gt'
                )
            )
    report = format_report(comparisons, args.min_motion, args.bootstrap, args.boxes)
    print(report)
    if args.out_dir is not None:
        write_results(args.out_dir, predictions, comparisons, report, args.min_motion)


def default_methods(checkpoint: str | None) -> tuple[str, ...]:
    """Every method that what was given allows."""
    return METHODS_WITHOUT_MODEL + (METHODS_WITH_MODEL if checkpoint is not None else ())


def fast_videos(videos: list[VideoLabels], min_motion: float | None) -> list[VideoLabels]:
    """The videos with more motion than that; all of them without a minimum.

    Raises:
        InputError: If there is none.
    """
    if min_motion is None:
        return videos
    motion = [mean_motion(labels) for labels in videos]
    fast = [labels for labels, value in zip(videos, motion, strict=True) if value > min_motion]
    if not fast:
        raise InputError(
            f'none of the {len(videos)} videos moves by more than {min_motion:g} pose sizes a '
            f'frame, the fastest by {max(motion):.4f}; lower --min-motion'
        )
    return fast


def folder_name(method: str, interval: int) -> str:
    """Of the folder that holds the predictions of a method."""
    return f'{method}_T{interval}'


def check_folders(
    out_dir: Path, methods: Sequence[str], intervals: Sequence[int], videos: Sequence[VideoLabels]
) -> None:
    """Refuse folders with predictions for other videos, which evaluation would stumble over.

    Raises:
        InputError: If there is one, or a file is in the way of a folder.
    """
    if out_dir.exists() and not out_dir.is_dir():
        raise InputError(f'{out_dir} is a file, give a folder as --out-dir')
    expected = {f'{labels.name}.json' for labels in videos}
    for method in methods:
        for interval in intervals:
            for path in sorted((out_dir / folder_name(method, interval)).glob('*.json*')):
                if path.name not in expected:
                    raise InputError(
                        f'{path} is of none of the videos in LABELS, take it away or give '
                        'another --out-dir'
                    )


def format_report(
    comparisons: Sequence[Comparison], min_motion: float | None, num_bootstrap: int, boxes: str
) -> str:
    """The tables in Markdown, with what their figures mean."""
    blocks = []
    for comparison in comparisons:
        for frames in FRAME_GROUPS:
            figures = comparison.figures(frames)
            num_joints = next(iter(figures.values())).num_joints
            blocks.append(comparison.table(frames=frames))
            blocks.append(f'Measured on {num_joints:,} labelled joints.')
    notes = [
        'PCK, error and jitter: every labelled joint counts once; relative to the larger side of '
        'the tight box around the labelled joints of the pose.'
    ]
    if num_bootstrap and comparisons[0].num_videos > 1:
        notes.append('In brackets: 95 % bootstrap interval over the videos.')
    if comparisons[0].num_ap_videos:
        notes.append(
            'AP: mean over the joints by the rules of PoseTrack, where a joint that is nowhere '
            'annotated counts as 0.'
        )
    notes.append(BOXES[boxes])
    if min_motion is not None:
        notes.append(f'Videos with a motion of more than {min_motion:g} pose sizes a frame.')
    return '\n\n'.join([*blocks, ' '.join(notes)])


def write_results(
    out_dir: Path,
    predictions: Predictions,
    comparisons: Sequence[Comparison],
    report: str,
    min_motion: float | None,
) -> None:
    """Write the predictions, the tables, and at last the figures."""
    for folder, videos in predictions.items():
        for labels in videos:
            write_posetrack18(labels, out_dir / folder / f'{labels.name}.json', official=True)
    write_text(out_dir / 'table.md', f'{report}\n')
    figures = {
        'min_motion': min_motion,
        'videos': [labels.name for labels in next(iter(predictions.values()))],
        'comparisons': [comparison.to_dict() for comparison in comparisons],
    }
    write_json(out_dir / 'comparison.json', figures, indent=2)


if __name__ == '__main__':
    sys.exit(main())
