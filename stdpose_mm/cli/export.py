"""Export a trained model to ONNX files for onnxruntime, as a whole and in two halves.

    stdpose export configs/stdpose_base_estimation_posetrack17.py best.pth onnx/stdpose
    stdpose export CONFIG CHECKPOINT FOLDER --int8

The outputs of the graphs are compared with PyTorch's; if they differ by more than rounding, the
folder cannot be used. ``docs/guide/export.md`` describes the inputs and outputs of the graphs.
"""

from __future__ import annotations

from dataclasses import dataclass

from stdpose_mm.errors import require_packages
from stdpose_mm.export import TOLERANCE

from .command import Command
from .parser import argument, option
from .runner_options import require_checkpoint


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """Options of ``stdpose export``.

    Args:
        config: Config of the model: a file, or the name of one of this package.
        checkpoint: Weights of the model.
        folder: Folder to write the files to.
        int8: Also write the two halves in 8 bits.
        tolerance: Largest allowed difference from PyTorch, as a fraction of the largest heatmap
            value.
    """

    config: str = argument('CONFIG')
    checkpoint: str = argument('CHECKPOINT')
    folder: str = argument('FOLDER', writes=True, is_folder=True, files=('*.onnx', '*.json'))
    int8: bool = option(False)
    tolerance: float = option(TOLERANCE)


def export(options: ExportOptions) -> None:
    """Export the model, check the files and print their sizes.

    Raises:
        InputError: If something that was given cannot be used.
    """
    require_packages('the export', 'torch', 'mmpose', 'onnx')
    require_checkpoint(options.checkpoint)
    from stdpose_mm.export.onnx_export import export_onnx
    from stdpose_mm.inference.window_model import WindowModel

    model = WindowModel.from_config(options.config, options.checkpoint)
    written = export_onnx(model, options.folder, options.int8, options.tolerance)
    for name, size in written.sizes.items():
        print(f'{written.folder / name}: {size / 2**20:.1f} MiB')
    for name, difference in written.differences.items():
        print(f'largest difference from PyTorch, {name}: {difference:.1e} of the largest value')


main = Command(ExportOptions, export, __doc__, 'export_onnx.py')
