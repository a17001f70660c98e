r"""Compare speed and memory of this package with MMPose's inferencer, which runs frame by frame.

    python -m research.tools.benchmark_inference
    python -m research.tools.benchmark_inference --people 4 --precision float32 --threads \
        2 --out speed.json

A clip is generated; all pipelines get the same boxes and have the same backbone. Without a
checkpoint the weights are random, which takes the same time. Pipelines take turns, so that other
load affects all of them equally. Times are medians over the turns; a speed-up is the median over
the turns, and its spread is the width of the median's 95 % interval, divided by the median, known
from six turns on. Peak memory is measured in a separate process.
The backbone alone, on as many crops, is the limit that can be reached without another backbone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from research import ROOT
from research.arguments import SpeedOptions
from research.speed.inference_comparison import compare_inference
from stdpose_mm.cli.argument_types import positive
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.parser import option
from stdpose_mm.constants import BACKEND_PRECISIONS, JSON_SUFFIXES

CONFIG = ROOT / 'configs' / 'sizes' / 'stdpose_small_propagation_posetrack17.py'


@dataclass(frozen=True, kw_only=True)
class BenchmarkInferenceOptions(SpeedOptions):
    """Options of ``benchmark_inference.py``.

    Args:
        config: Config of the model.
        frames: Length of the video.
        precision: Precisions; each network runs in those that it supports (default: all).
        threads: Threads of PyTorch, onnxruntime and OpenVINO.
        pose_every: Also run this package with the network on every N-th frame and optical flow
            between these frames (none).
        reuse_only: Leave out this package's pipelines that encode all crops of every window again.
        repeat: Number of turns.
        no_flip: Turn flip testing (averaging with mirrored crops) off everywhere.
        no_memory: Do not measure peak memory.
        out: JSON file for the figures.
    """

    config: str = option(str(CONFIG))
    frames: int = option(24, type=positive)
    precision: list[str] = option(BACKEND_PRECISIONS, choices=BACKEND_PRECISIONS, nargs='+')
    threads: int = option(1, type=positive)
    pose_every: int = option(1, type=positive, metavar='N')
    reuse_only: bool = option(False)
    repeat: int = option(20, type=positive)
    no_flip: bool = option(False)
    no_memory: bool = option(False)
    out: Path | None = option(writes=True, what='figures', suffixes=JSON_SUFFIXES)


main = Command(BenchmarkInferenceOptions, compare_inference, __doc__, 'benchmark_inference.py')

if __name__ == '__main__':
    raise SystemExit(main())
