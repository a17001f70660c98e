r"""Compare speed and memory of MMPose's inferencer, frame by frame, and of this package.

    python -m research.tools.benchmark_inference
    python -m research.tools.benchmark_inference --people 4 --precision float32 --threads \
        2 --out speed.json
    python -m research.tools.benchmark_inference --config \
        configs/stdpose_tiny_estimation_synthetic.py \
        configs/semantic_motion_tiny_estimation_synthetic.py

A clip is generated; all pipelines get the same boxes and have the same backbone. Without a
checkpoint the weights are random, which takes the same time. Pipelines take turns, so that other
work on the machine hits all alike. Times are medians of the turns; a speed-up is the median of what
each turn says, and its spread the width of the 95 % interval of that, as a part of it. Turns end
when all spreads are below 5 %; after --repeat turns they end without, and the last lines say so.
Peak memory is that of a process of its own.
The backbone alone, on as many crops, is the limit of what can be reached without another backbone.
With several models MMPose runs the first that has a frame head, and the last columns compare each
pipeline with the same one of the first model.
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
from stdpose_mm.constants import BACKEND_PRECISIONS
from stdpose_mm.io.outputs import JSON_SUFFIXES

CONFIG = ROOT / 'configs' / 'sizes' / 'stdpose_small_propagation_posetrack17.py'


@dataclass(kw_only=True)
class BenchmarkInferenceOptions(SpeedOptions):
    """Options of ``benchmark_inference.py``.

    Args:
        config: Configs of models; the others are compared with the first.
        frames: Length of the video.
        precision: Number formats; each network runs in those that it supports (default: all).
        threads: Threads of PyTorch, onnxruntime and OpenVINO.
        pose_every: Also run this package with the network on every N-th frame and optical flow
            between (none).
        reuse_only: Leave out this package with all crops of every window encoded anew.
        repeat: Largest number of rounds; fewer once all speed-ups are known to 5 %.
        no_flip: Turn flipping (averaging with mirrored crops) off everywhere.
        no_memory: Do not measure peak memory.
        out: JSON file for the figures.
    """

    config: list[str] = option((str(CONFIG),), nargs='+')
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
