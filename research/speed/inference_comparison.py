"""Speed and memory of MMPose's inferencer and of this package on one generated video."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from stdpose_mm.bfloat16 import is_bfloat16_faster
from stdpose_mm.constants import ONNX_RUNTIMES, PRECISIONS, CropPolicy
from stdpose_mm.datasets.synthetic import ClipSettings, generate_clip
from stdpose_mm.engine.config_files import read_config
from stdpose_mm.errors import InputError
from stdpose_mm.export.onnx_export import export_onnx
from stdpose_mm.inference.torch_window_backend import TorchWindowBackend, load_backend
from stdpose_mm.inference.window_model import WindowModel
from stdpose_mm.io import write_json
from stdpose_mm.io.video import write_video
from stdpose_mm.onnx_session import is_openvino_bfloat16_faster
from stdpose_mm.structures import FrameBoxes, person_box
from stdpose_mm.text import counted

from .inference_speed import BACKBONE, STAGES, Pipeline, Video, bare_backbone, mmpose, ours
from .machine import describe_machine
from .timing import Stages, peak_memory, random_weights, take_turns

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
    """Measure, print and write according to the options of ``benchmark_inference.py``.

    Raises:
        InputError: If an option or a file cannot be used.
    """
    torch.set_num_threads(args.threads)
    machine = describe_machine()
    print(machine, flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        weights = args.checkpoint or random_weights(args.config, folder / 'random.pth')
        model = Model(args.config, weights, folder / 'onnx')
        video = make_video(args, folder / 'clip.mp4')
        makers = make_pipelines(args, video, model)
        export_onnx(load(args, model, 'float32'), model.onnx, int8='int8' in args.precision)
        pipelines = [make() for make in makers]
        rows = measure(args, pipelines)
        if not args.no_memory:
            for n, row in enumerate(tqdm(rows, desc='memory', disable=None)):
                row['peak_memory'] = peak_memory(run_alone, args, video, model, n)
    num_people = sum(map(len, video.people))
    report = {
        'machine': machine,
        'frames': len(video.people),
        'people': num_people,
        'size': list(args.size),
        'threads': args.threads,
        'batch_size': args.batch_size,
        'flip_test': pipelines[0].passes == 2,
        'rows': rows,
    }
    print(table(report))
    if args.out is not None:
        write_json(args.out, report, indent=1)


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


def make_pipelines(args: Any, video: Video, model: Model) -> list[Callable[[], Pipeline]]:
    """List the pipelines to compare, not loaded yet; the first is the reference.

    Raises:
        InputError: If MMPose cannot run the model.
    """
    if not read_config(model.config).model.get('frame_head'):
        raise InputError(
            f'the model of {model.config} has no frame_head, give one that MMPose can run frame by '
            'frame'
        )
    return [*mmpose_pipelines(args, video, model), *own_pipelines(args, video, model)]


def mmpose_pipelines(args: Any, video: Video, files: Model) -> list[Callable[[], Pipeline]]:
    """List MMPose's pipelines with a model's backbone and frame head, in each precision."""

    def per_frame(precision: str) -> Pipeline:
        config = read_config(files.config)
        return mmpose(video, config, load(args, files, 'float32'), precision == 'bfloat16')

    others = {'bfloat16'}.intersection(args.precision, available_precisions('torch'))
    return [partial(per_frame, precision) for precision in ('float32', *others)]


def own_pipelines(args: Any, video: Video, files: Model) -> list[Callable[[], Pipeline]]:
    """List our pipelines to run a model, and its backbone alone."""
    batch = args.batch_size

    def pytorch(precision: str, crops: CropPolicy, every: int = 1) -> Pipeline:
        model = load(args, files, precision)
        model.optimize_for_cpu()
        name = 'ours, PyTorch' if crops == 'frame' else 'ours, PyTorch, no reuse'
        backend = TorchWindowBackend(model, batch)
        return ours(video, model, crops, backend, batch, name, precision, every)

    def exported(runtime: str, precision: str, every: int) -> Pipeline:
        backend = load_backend(files.config, files.onnx, 'cpu', precision, batch, runtime)
        model: Any = backend.codec
        return ours(video, model, 'frame', backend, batch, f'ours, {runtime}', precision, every)

    def bare(precision: str) -> Pipeline:
        return bare_backbone(video, load(args, files, precision), batch)

    in_pytorch = [p for p in args.precision if p in available_precisions('torch')]
    steps = [1] if args.pose_every == 1 else [1, args.pose_every]
    return [
        *(partial(pytorch, p, 'window') for p in in_pytorch if not args.reuse_only),
        *(partial(pytorch, p, 'frame', every) for every in steps for p in in_pytorch),
        *(
            partial(exported, runtime, p, every)
            for runtime in ONNX_RUNTIMES
            for every in steps
            for p in args.precision
            if p in available_precisions(runtime)
        ),
        *(partial(bare, p) for p in in_pytorch),
    ]


def measure(args: Any, pipelines: Sequence[Pipeline]) -> list[dict[str, Any]]:
    """Measure one row for each pipeline."""
    stages = [Stages() for _ in pipelines]
    works = [partial(p.run, times) for p, times in zip(pipelines, stages, strict=True)]
    # The first run of a network allocates memory and compiles.
    for pipeline in tqdm(pipelines, desc='first runs', disable=None):
        pipeline.run(Stages())
    with tqdm(total=args.repeat * len(works), desc='turns', unit=' runs', disable=None) as bar:
        turns = next(islice(take_turns(works, bar.update), args.repeat - 1, None))
    rows = []
    for n, (pipeline, seconds, speed_up, times) in enumerate(
        zip(pipelines, turns.median(), turns.speed_ups(), stages, strict=True)
    ):
        total = sum(times.seconds.values())
        rows.append(
            {
                'way': pipeline.name,
                'precision': pipeline.precision,
                'passes': pipeline.passes,
                'wall': seconds.wall,
                'cpu': seconds.cpu,
                'turns': turns.wall[:, n].tolist(),
                'speed_up': speed_up.value,
                'spread': None if math.isnan(speed_up.spread) else speed_up.spread,
                'share': {name: times.seconds[name] / total for name in STAGES},
                'peak_memory': None,
            }
        )
    return rows


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


def _percent(spread: float | None) -> str:
    return 'unknown' if spread is None or math.isnan(spread) else f'{spread:.0%}'


def run_alone(args: Any, video: Video, model: Model, number: int) -> None:
    """Load one pipeline and run it once."""
    torch.set_num_threads(args.threads)
    make_pipelines(args, video, model)[number]().run(Stages())


def table(report: dict[str, Any]) -> str:
    """Return the figures in Markdown."""
    rows = report['rows']
    backbones = {row['precision']: row for row in rows if row['way'] == BACKBONE}
    columns = [*COLUMNS, *STAGES]
    lines = [
        f'{counted(report["frames"], "frame")} of {report["size"][0]}x{report["size"][1]}, '
        f'{counted(report["people"], "person")} in all, {counted(report["threads"], "thread")}, '
        f'batches of '
        f'{report["batch_size"]}, mirrored crops {"too" if report["flip_test"] else "not seen"}.',
        '',
        f'| {" | ".join(columns)} |',
        '|---' * 2 + '|--:' * (len(columns) - 2) + '|',
    ]
    for row in rows:
        backbone = backbones.get(row['precision'])
        alone = backbone and backbone['wall'] * row['passes'] / backbone['passes']
        cells = [
            row['way'],
            row['precision'],
            f'{report["frames"] / row["wall"]:.2f}',
            f'{report["people"] / row["wall"]:.2f}',
            f'{row["cpu"]:.2f}',
            f'{row["speed_up"]:.2f}',
            _percent(row['spread']),
            f'{row["wall"] / alone:.2f}' if alone else '',
            f'{row["peak_memory"] / 2**20:.0f}' if row['peak_memory'] else '',
            *(f'{share:.0%}' for share in row['share'].values()),
        ]
        lines.append(f'| {" | ".join(cells)} |')
    return '\n'.join(lines)
