r"""Compare the speed of `stdpose infer` and of MMPose with one ONNX network and the same boxes.

    python -m research.tools.benchmark_onnx
    python -m research.tools.benchmark_onnx --config rtmpose-m_8xb256-420e_coco-256x192 --threads 2

A clip is generated, and a model of RTMPose in MMPose is exported. MMPose's inferencer runs frame by
frame, with the ONNX network in place of its own. Without a checkpoint the weights are random, which
takes the same time. Pipelines take turns; times are medians over the turns.
"""

from __future__ import annotations

from dataclasses import dataclass

from research.arguments import SpeedOptions
from research.speed.onnx_comparison import compare_onnx
from stdpose_mm.cli.argument_types import positive
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.parser import option


@dataclass(kw_only=True)
class BenchmarkOnnxOptions(SpeedOptions):
    """Options of ``benchmark_onnx.py``.

    Args:
        config: Name of a config of RTMPose that comes with MMPose.
        frames: Length of the video.
        threads: Threads of PyTorch and onnxruntime.
        repeat: Number of turns.
    """

    config: str = option('rtmpose-s_8xb256-420e_coco-256x192')
    frames: int = option(48, type=positive)
    threads: int = option(1, type=positive)
    repeat: int = option(7, type=positive)


main = Command(BenchmarkOnnxOptions, compare_onnx, __doc__, 'benchmark_onnx.py')

if __name__ == '__main__':
    raise SystemExit(main())
