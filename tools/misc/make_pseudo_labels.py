"""Turn a sparsely labelled training set into a dense one.

    python tools/misc/make_pseudo_labels.py data/posetrack18/annotations/train \
        --image-root data/posetrack18 --out data/posetrack18/pseudo --min-score 0.6
    torchrun --nproc_per_node 8 tools/misc/make_pseudo_labels.py LABELS --image-root ROOT \
        --out OUT --launcher pytorch --device cuda

Writes ``OUT/annotations/<video>.json`` and ``OUT/summary.json``; see docs/guide/pseudo_labels.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from stdpose_mm.cli.argument_types import positive
from stdpose_mm.cli.arguments import add_labelled_videos, add_launcher_argument, add_model_arguments
from stdpose_mm.cli.parser import CliParser
from stdpose_mm.cli.command import run_command
from stdpose_mm.constants import LIFE_SPANS, PROPAGATION_METHODS
from stdpose_mm.errors import require_packages
from stdpose_mm.processes import is_first_process, joined_processes
from stdpose_mm.text import counted


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    return run_command(make_parser(), run, arguments, 'interrupted, the same command goes on')


def make_parser() -> CliParser:
    """Build the parser of the command line."""
    parser = CliParser('make_pseudo_labels.py', __doc__)
    add_labelled_videos(parser)
    parser.add_output(
        '--out',
        is_folder=True,
        files=('summary.json', 'annotations/*.json'),
        required=True,
        help='folder to write to',
    )
    parser.add_argument(
        '--interval',
        type=positive,
        metavar='T',
        help='use only the labels of every T-th frame, for densely labelled sets',
    )
    parser.add_argument(
        '--min-score',
        type=float,
        default=0.5,
        metavar='S',
        help='leave propagated joints that score less than S unlabelled (%(default)s)',
    )
    parser.add_argument(
        '--life-span',
        choices=LIFE_SPANS,
        default='labels',
        help='propagate a person from their first label to their last, or through the whole video '
        '(%(default)s)',
    )
    add_model_arguments(parser)
    parser.add_argument(
        '--method',
        choices=PROPAGATION_METHODS,
        default='auto',
        help='how to fill in the labels (%(default)s)',
    )
    parser.add_argument(
        '--batch-size',
        type=positive,
        default=8,
        help='windows the model sees at once (%(default)s)',
    )
    add_launcher_argument(parser)
    return parser


def run(args: argparse.Namespace) -> None:
    """Write the set and print its numbers.

    Raises:
        InputError: If an option or a file cannot be used.
    """
    require_packages('make_pseudo_labels.py', 'torch', 'mmpose')

    from stdpose_mm.io.labels import find_label_files
    from stdpose_mm.propagation import load_propagator
    from stdpose_mm.training.pseudo_labels import PseudoLabelSettings, make_pseudo_labels

    files = find_label_files(args.labels)
    with joined_processes(args.launcher, args.device):
        propagator = load_propagator(
            args.method, args.config, args.checkpoint, args.device, args.batch_size
        )
        settings = PseudoLabelSettings.of(
            args.method,
            args.min_score,
            args.interval,
            args.life_span,
            args.config,
            args.checkpoint,
        )
        summary = make_pseudo_labels(
            files, args.out, propagator, settings, args.image_root or '', args.video_root, progress
        )
        if is_first_process():
            print(sentence(args.out, summary))


def progress(names: Iterable[str], total: int) -> Iterable[str]:
    """Return a progress bar over the videos of the first process."""
    from tqdm import tqdm

    return tqdm(names, total=total, unit=' videos', disable=not is_first_process())


def sentence(out: Path, summary: dict[str, Any]) -> str:
    """Summarize the result in one sentence."""
    return (
        f'{out}: {counted(summary["videos"], "video")}, {summary["poses_given"]} given and '
        f'{counted(summary["poses_propagated"], "propagated pose")}, '
        f'{counted(summary["joints_dropped"], "joint")} below {summary["settings"]["min_score"]} '
        'left unlabelled'
    )


if __name__ == '__main__':
    raise SystemExit(main())
