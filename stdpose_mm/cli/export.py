"""Write a trained model as ONNX files for onnxruntime, whole and in halves that share features.

    python tools/export_onnx.py configs/stdpose_base_estimation_posetrack17.py best.pth onnx/stdpose
    python tools/export_onnx.py CONFIG CHECKPOINT FOLDER --int8

The graphs are compared with PyTorch; if they differ by more than rounding, nothing can be done
with the folder. ``docs/guide/export.md`` says what the graphs take and give.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from stdpose_mm.cli.arguments import OneLineParser, exit_code
from stdpose_mm.export.onnx_export import TOLERANCE, export_onnx
from stdpose_mm.inference import WindowModel


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = make_parser()
    args = parser.parse_args(arguments)
    return exit_code(parser, lambda: run(args))


def make_parser() -> argparse.ArgumentParser:
    """The command line's arguments."""
    parser = OneLineParser(prog='export_onnx.py', description=(__doc__ or '').splitlines()[0])
    parser.add_argument('config', metavar='CONFIG', help='config of the model')
    parser.add_argument('checkpoint', metavar='CHECKPOINT', help='its weights')
    parser.add_argument('folder', metavar='FOLDER', help='where the files go')
    parser.add_argument('--int8', action='store_true', help='also write the halves in 8 bits')
    parser.add_argument(
        '--tolerance',
        type=float,
        default=TOLERANCE,
        help='difference from PyTorch that is allowed, as a part of the largest heatmap value '
        '(%(default)s)',
    )
    return parser


def run(args: argparse.Namespace) -> None:
    """Export, check and print.

    Raises:
        InputError: If something that was given cannot be used.
    """
    model = WindowModel.from_config(args.config, args.checkpoint)
    written = export_onnx(model, args.folder, args.int8, args.tolerance)
    for name, size in written.sizes.items():
        print(f'{written.folder / name}: {size / 2**20:.1f} MiB')
    for name, difference in written.differences.items():
        print(f'largest difference from PyTorch, {name}: {difference:.1e} of the largest value')
