"""Write a trained STDPose as the two ONNX files that ``auto`` runs without PyTorch.

    python -m research.tools.export_stdpose CONFIG CHECKPOINT FOLDER --trained-on 400_clips

The files in ``stdpose_mm/labelling/propagation/auto/weights``, which come with the package, were
made in this way; the command of their training is in research/docs/auto_parts.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from research.export.stdpose_export import export_stdpose
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.parser import REQUIRED, argument, option
from stdpose_mm.inference.window_model import WindowModel


@dataclass(frozen=True, kw_only=True)
class ExportStdposeOptions:
    """Options of ``export_stdpose.py``.

    Args:
        config: Config of the model.
        checkpoint: Weights of the model.
        folder: Folder for the files.
        trained_on: Short description of the training data.
    """

    config: str = argument('CONFIG')
    checkpoint: str = argument('CHECKPOINT')
    folder: Path = argument(
        'FOLDER', writes=True, is_folder=True, files=('stdpose_frames.onnx', 'stdpose_windows.onnx')
    )
    trained_on: str = option(REQUIRED, metavar='TEXT')


def export(args: ExportStdposeOptions) -> None:
    """Write the files.

    Raises:
        InputError: If a file or the model cannot be used.
    """
    model = WindowModel.from_config(args.config, args.checkpoint)
    export_stdpose(model, args.folder, args.trained_on)
    print(f'stdpose_frames.onnx and stdpose_windows.onnx are in {args.folder}')


main = Command(ExportStdposeOptions, export, __doc__, 'export_stdpose.py')

if __name__ == '__main__':
    raise SystemExit(main())
