"""Speed and memory of MMPose's inferencer and of this package on one generated video."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from stdpose_mm.bfloat16 import is_bfloat16_faster
from stdpose_mm.constants import ONNX_RUNTIMES, PRECISIONS
from stdpose_mm.datasets.synthetic import ClipSettings, generate_clip
from stdpose_mm.engine.config_files import read_config
from stdpose_mm.errors import InputError
from stdpose_mm.export.onnx_export import export_onnx
from stdpose_mm.inference.torch_window_backend import TorchWindowBackend, load_backend
from stdpose_mm.inference.window_model import WindowModel
from stdpose_mm.io.video import write_video
from stdpose_mm.onnx_session import is_openvino_bfloat16_faster
from stdpose_mm.structures import FrameBoxes, person_box
from stdpose_mm.text import counted

from .inference_speed import BACKBONE, BATCH_SIZE, Pipeline, Video, bare_backbone, mmpose, ours
from .machine import describe_machine
from .timing import Turns, peak_memory, random_weights, take_turns

COLUMNS = (
    'way',
    'precision',
    'frames/s',
    'people/s',
    'CPU s',
    'speed-up',
    'spread',
    'of its backbone passes',
    'MiB',
)


def compare_inference(args: Any) -> None:
    """Measure and print according to the options of ``benchmark_inference.py``.

    Raises:
        InputError: If an option or a file cannot be used.
    """
    torch.set_num_threads(args.threads)
    print(describe_machine(), flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        weights = random_weights(args.config, folder / 'random.pth')
        model = Model(args.config, weights, folder / 'onnx')
        video = make_video(args, folder / 'clip.mp4')
        makers = make_pipelines(args, video, model)
        export_onnx(load(args, model, 'float32'), model.onnx, int8='int8' in args.precision)
        pipelines = [make() for make in makers]
        # The first run of a network allocates memory and compiles.
        for pipeline in tqdm(pipelines, desc='first runs', disable=None):
            pipeline.run()
        total = args.repeat * len(pipelines)
        with tqdm(total=total, desc='turns', unit=' runs', disable=None) as bar:
            turns = take_turns([p.run for p in pipelines], args.repeat, bar.update)
        numbers = range(0 if args.no_memory else len(pipelines))
        memory = [peak_memory(run_alone, args, video, model, number) for number in numbers]
    print(
        f'{counted(args.frames, "frame")} of {args.size[0]}x{args.size[1]}, '
        f'{counted(sum(map(len, video.people)), "person")} in all, '
        f'{counted(args.threads, "thread")}, batches of {BATCH_SIZE}, mirrored crops '
        f'{"too" if pipelines[0].passes == 2 else "not seen"}.\n'
    )
    print(table(video, pipelines, turns, memory))


@dataclass(frozen=True)
class Model:
    """Files of the model.

    Args:
        config, checkpoint: Its files.
        onnx: The folder of its ONNX files.
    """

    config: str
    checkpoint: str
    onnx: Path


def make_video(args: Any, path: Path) -> Video:
    """Generate the clip, with the true boxes of its people."""
    width, height = args.size
    settings = ClipSettings(args.frames, width, height, (args.people, args.people))
    clip = generate_clip(0, settings, name='clip')
    write_video(path, clip.frames, fps=25)
    people = []
    for persons in (clip.labels[frame] for frame in range(args.frames)):
        boxes = np.array([person_box(person) for person in persons]).reshape(-1, 4)
        ids = np.array([person.track_id for person in persons], dtype=np.int64)
        people.append(FrameBoxes(boxes, np.ones(len(boxes)), ids))
    return Video(path, people)


def load(args: Any, model: Model, precision: str) -> WindowModel:
    """Load a model in PyTorch, not packed."""
    test_cfg = {'flip_test': False} if args.no_flip else None
    return WindowModel.from_config(
        model.config, model.checkpoint, test_cfg=test_cfg, precision=precision
    )


def make_pipelines(args: Any, video: Video, files: Model) -> list[Callable[[], Pipeline]]:
    """List the pipelines to compare, not loaded yet; the first is the reference, MMPose in float32.

    Raises:
        InputError: If MMPose cannot run the model.
    """
    config = read_config(files.config)
    if not config.model.get('frame_head'):
        raise InputError(
            f'the model of {files.config} has no frame_head, give one that MMPose can run frame by '
            'frame'
        )

    def per_frame(precision: str) -> Pipeline:
        return mmpose(video, config, load(args, files, 'float32'), precision == 'bfloat16')

    def pytorch(precision: str) -> Pipeline:
        model = load(args, files, precision)
        model.optimize_for_cpu()
        return ours(video, model, TorchWindowBackend(model, BATCH_SIZE), 'ours, PyTorch', precision)

    def exported(runtime: str, precision: str) -> Pipeline:
        backend = load_backend(files.config, files.onnx, 'cpu', precision, BATCH_SIZE, runtime)
        model: Any = backend.codec
        return ours(video, model, backend, f'ours, {runtime}', precision)

    def bare(precision: str) -> Pipeline:
        return bare_backbone(video, load(args, files, precision))

    in_pytorch = [p for p in args.precision if p in available_precisions('torch')]
    others = {'bfloat16'}.intersection(in_pytorch)
    return [
        *(partial(per_frame, precision) for precision in ('float32', *others)),
        *(partial(pytorch, precision) for precision in in_pytorch),
        *(
            partial(exported, runtime, precision)
            for runtime in ONNX_RUNTIMES
            for precision in args.precision
            if precision in available_precisions(runtime)
        ),
        *(partial(bare, precision) for precision in in_pytorch),
    ]


def available_precisions(runtime: str) -> tuple[str, ...]:
    """List the precisions of a runtime on this processor; empty if it is not installed."""
    if find_spec(runtime) is None:
        return ()
    precisions = {'torch': PRECISIONS, **ONNX_RUNTIMES}[runtime]
    if runtime == 'torch':
        is_faster = is_bfloat16_faster('cpu')
    else:
        is_faster = runtime == 'openvino' and is_openvino_bfloat16_faster()
    return tuple(name for name in precisions if is_faster or name != 'bfloat16')


def run_alone(args: Any, video: Video, model: Model, number: int) -> None:
    """Load one pipeline and run it once."""
    torch.set_num_threads(args.threads)
    make_pipelines(args, video, model)[number]().run()


def table(video: Video, pipelines: Sequence[Pipeline], turns: Turns, memory: Sequence[int]) -> str:
    """Return the figures in Markdown.

    Args:
        video: The video.
        pipelines: The N pipelines.
        turns: Their times.
        memory: Peak memory of each in bytes; empty if it was not measured.
    """
    num_people = sum(map(len, video.people))
    medians = np.median(turns.wall, axis=0)
    alone = {
        pipeline.precision: seconds / pipeline.passes
        for pipeline, seconds in zip(pipelines, medians, strict=True)
        if pipeline.name == BACKBONE
    }
    lines = [f'| {" | ".join(COLUMNS)} |', '|---' * 2 + '|--:' * (len(COLUMNS) - 2) + '|']
    for row, (pipeline, wall, cpu, speed_up) in enumerate(
        zip(pipelines, medians, np.median(turns.cpu, axis=0), turns.speed_ups(), strict=True)
    ):
        backbone = alone.get(pipeline.precision, math.nan) * pipeline.passes
        cells = [
            pipeline.name,
            pipeline.precision,
            f'{len(video.people) / wall:.2f}',
            f'{num_people / wall:.2f}',
            f'{cpu:.2f}',
            f'{speed_up.value:.2f}',
            'unknown' if math.isnan(speed_up.spread) else f'{speed_up.spread:.0%}',
            '' if math.isnan(backbone) else f'{wall / backbone:.2f}',
            f'{memory[row] / 2**20:.0f}' if memory else '',
        ]
        lines.append(f'| {" | ".join(cells)} |')
    return '\n'.join(lines)
