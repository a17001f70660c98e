r"""Compare speed and memory of this package with MMPose's inferencer, which runs frame by frame.

    python -m research.tools.benchmark_inference
    python -m research.tools.benchmark_inference --people 4 --precision float32 --threads 2

A clip is generated; all pipelines get the same boxes and have the same backbone with random
weights. Pipelines take turns, so that other load affects all of them equally. Times are medians
over the turns; a speed-up is the median over the turns, and its spread is the width of the median's
95 % interval, divided by the median, known from six turns on. Peak memory is measured in a separate
process. The backbone alone, on as many crops, is the limit that can be reached without another
backbone.
"""

from __future__ import annotations

from dataclasses import dataclass

from research import ROOT
from research.speed.inference_comparison import compare_inference
from stdpose_mm.cli.argument_types import positive
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.parser import option
from stdpose_mm.constants import BACKEND_PRECISIONS

CONFIG = ROOT / 'configs' / 'sizes' / 'stdpose_small_propagation_posetrack17.py'


@dataclass(frozen=True, kw_only=True)
class BenchmarkInferenceOptions:
    """Options of ``benchmark_inference.py``.

    Args:
        config: Config of the model.
        frames: Length of the video.
        size: Width and height of the video.
        people: People in every frame.
        precision: Precisions; each network runs in those that it supports (default: all).
        threads: Threads of PyTorch, onnxruntime and OpenVINO.
        repeat: Number of turns.
        no_flip: Turn flip testing (averaging with mirrored crops) off everywhere.
        no_memory: Do not measure peak memory.
    """

    config: str = option(str(CONFIG))
    frames: int = option(24, type=positive)
    size: list[int] = option((640, 480), type=positive, nargs=2, metavar=('W', 'H'))
    people: int = option(2, type=positive)
    precision: list[str] = option(BACKEND_PRECISIONS, choices=BACKEND_PRECISIONS, nargs='+')
    threads: int = option(1, type=positive)
    repeat: int = option(20, type=positive)
    no_flip: bool = option(False)
    no_memory: bool = option(False)


main = Command(BenchmarkInferenceOptions, compare_inference, __doc__, 'benchmark_inference.py')

if __name__ == '__main__':
    raise SystemExit(main())
