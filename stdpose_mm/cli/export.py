"""Export a trained model to ONNX files for onnxruntime, as a whole and in two halves.

    stdpose export configs/stdpose_base_estimation_posetrack17.py best.pth onnx/stdpose
    stdpose export CONFIG CHECKPOINT FOLDER --int8

The graphs are compared with PyTorch; if they differ by more than rounding, nothing can be done
with the folder. ``docs/guide/export.md`` says what the graphs take and give.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from stdpose_mm.cli.one_line_parser import OneLineParser
from stdpose_mm.cli.run_command import run_command
from stdpose_mm.cli.runner_arguments import require_checkpoint
from stdpose_mm.errors import require_packages
from stdpose_mm.export import TOLERANCE
from stdpose_mm.io.file_kinds import require_config


def main(arguments: Sequence[str] | None = None, prog: str = 'export_onnx.py') -> int:
    """Run the command line and return the exit code."""
    return run_command(make_parser(prog), run, arguments)


def make_parser(prog: str) -> OneLineParser:
    """Build the parser of the command line."""
    parser = OneLineParser(prog, __doc__)
    parser.add_argument('config', metavar='CONFIG', help='config of the model')
    parser.add_argument('checkpoint', metavar='CHECKPOINT', help='weights of the model')
    parser.add_output(
        'folder',
        type=str,
        is_folder=True,
        files=('*.onnx', '*.json'),
        metavar='FOLDER',
        help='folder to write the files to',
    )
    parser.add_argument('--int8', action='store_true', help='also write the two halves in 8 bits')
    parser.add_argument(
        '--tolerance',
        type=float,
        default=TOLERANCE,
        help='largest allowed difference from PyTorch, as a fraction of the largest heatmap value '
        '(%(default)s)',
    )
    return parser


def run(args: argparse.Namespace) -> None:
    """Export, check and print.

    Raises:
        InputError: If something that was given cannot be used.
    """
    require_packages('the export', 'torch', 'mmpose', 'onnx')
    require_config(args.config)
    require_checkpoint(args.checkpoint)
    from stdpose_mm.export.onnx_export import export_onnx
    from stdpose_mm.inference import WindowModel

    model = WindowModel.from_config(args.config, args.checkpoint)
    written = export_onnx(model, args.folder, args.int8, args.tolerance)
    for name, size in written.sizes.items():
        print(f'{written.folder / name}: {size / 2**20:.1f} MiB')
    for name, difference in written.differences.items():
        print(f'largest difference from PyTorch, {name}: {difference:.1e} of the largest value')
