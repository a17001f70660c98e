"""Write a trained STDPose as the two ONNX files that ``auto`` runs without PyTorch.

    python -m research.tools.export_stdpose CONFIG CHECKPOINT FOLDER --trained-on 400_clips

So were the files made that come with the package, in ``stdpose_mm/propagation/auto/weights``; the
command of their training is in research/docs/auto_parts.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from stdpose_mm.cli.command import run_command
from stdpose_mm.cli.parser import CliParser
from stdpose_mm.errors import require_packages


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    return run_command(make_parser(), export, arguments)


def make_parser() -> CliParser:
    """Build the parser of the command line."""
    parser = CliParser('export_stdpose.py', __doc__)
    parser.add_argument('config', metavar='CONFIG', help='config of the model')
    parser.add_argument('checkpoint', metavar='CHECKPOINT', help='weights of the model')
    parser.add_output(
        'folder',
        is_folder=True,
        files=('stdpose_frames.onnx', 'stdpose_windows.onnx'),
        metavar='FOLDER',
        help='folder to write the files to',
    )
    parser.add_argument(
        '--trained-on',
        required=True,
        metavar='TEXT',
        help='what the model was trained on, in a few words',
    )
    return parser


def export(args: argparse.Namespace) -> None:
    """Write the files.

    Raises:
        InputError: If a file or the model cannot be used.
    """
    require_packages('the export', 'torch', 'mmpose', 'onnx')
    from research.export.stdpose_export import export_stdpose
    from stdpose_mm.inference.window_model import WindowModel

    model = WindowModel.from_config(args.config, args.checkpoint)
    export_stdpose(model, args.folder, args.trained_on)
    print(f'stdpose_frames.onnx and stdpose_windows.onnx are in {args.folder}')


if __name__ == '__main__':
    raise SystemExit(main())
