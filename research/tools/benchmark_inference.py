r"""Compare speed and memory of MMPose's inferencer, frame by frame, and of this package.

    python -m research.tools.benchmark_inference
    python -m research.tools.benchmark_inference --people 4 --precision float32 --threads \
        2 --out speed.json
    python -m research.tools.benchmark_inference --config \
        configs/stdpose_tiny_estimation_synthetic.py \
        configs/semantic_motion_tiny_estimation_synthetic.py

A clip is generated; all pipelines get the same boxes and have the same backbone. Without a
checkpoint the weights are random, which takes the same time. Pipelines take turns, so that other
work on the machine hits all alike. Times are medians of the turns; a speed-up is the median of what
each turn says, and its spread the width of the 95 % interval of that, as a part of it. Turns end
when all spreads are below 5 %; after --repeat turns they end without, and the last lines say so.
Peak memory is that of a process of its own.
The backbone alone, on as many crops, is the limit of what can be reached without another backbone.
With several models MMPose runs the first that has a frame head, and the last columns compare each
pipeline with the same one of the first model.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from research.arguments import add_speed_arguments
from stdpose_mm.cli.argument_types import positive
from stdpose_mm.cli.command import run_command
from stdpose_mm.cli.parser import CliParser
from stdpose_mm.constants import BACKEND_PRECISIONS
from stdpose_mm.errors import require_packages
from stdpose_mm.io.outputs import JSON_SUFFIXES

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs' / 'sizes' / 'stdpose_small_propagation_posetrack17.py'


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    return run_command(make_parser(), run, arguments)


def make_parser() -> CliParser:
    """Build the parser of the command line."""
    parser = CliParser('benchmark_inference.py', __doc__)
    add_speed_arguments(parser, CONFIG, frames=24)
    parser.add_argument(
        '--precision',
        choices=BACKEND_PRECISIONS,
        nargs='+',
        default=list(BACKEND_PRECISIONS),
        help='number formats; each network runs in those that it supports (default: all)',
    )
    parser.add_argument(
        '--threads', type=positive, default=1, help='threads of PyTorch, onnxruntime and OpenVINO'
    )
    parser.add_argument(
        '--pose-every',
        type=positive,
        default=1,
        metavar='N',
        help='also run this package with the network on every N-th frame and optical flow between '
        '(none)',
    )
    parser.add_argument(
        '--reuse-only',
        action='store_true',
        help='leave out this package with all crops of every window encoded anew',
    )
    parser.add_argument(
        '--repeat',
        type=positive,
        default=20,
        help='largest number of rounds; fewer once all speed-ups are known to 5 %% (%(default)s)',
    )
    parser.add_argument(
        '--no-flip',
        action='store_true',
        help='turn flipping (averaging with mirrored crops) off everywhere',
    )
    parser.add_argument('--no-memory', action='store_true', help='do not measure peak memory')
    parser.add_output(
        '--out', what='figures', suffixes=JSON_SUFFIXES, help='JSON file for the figures'
    )
    return parser


def run(args: argparse.Namespace) -> None:
    """Measure, print and write.

    Raises:
        InputError: If an option or a file cannot be used.
    """
    require_packages('a pose network', 'torch', 'mmpose')
    from research.speed.inference_comparison import compare_inference

    compare_inference(args)


if __name__ == '__main__':
    raise SystemExit(main())
