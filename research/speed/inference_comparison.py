"""Speed and memory of MMPose's inferencer and of this package on one generated video."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from stdpose_mm.constants import ONNX_RUNTIMES, PRECISIONS, CropPolicy
from stdpose_mm.datasets.synthetic import ClipSettings, generate_clip
from stdpose_mm.engine.config_files import read_config
from stdpose_mm.errors import InputError
from stdpose_mm.export.onnx_export import export_onnx
from stdpose_mm.inference.torch_window_backend import TorchWindowBackend, load_backend
from stdpose_mm.inference.window_model import WindowModel
from stdpose_mm.io import write_json
from stdpose_mm.io.video import write_video
from stdpose_mm.onnx_session import openvino_has_bfloat16
from stdpose_mm.structures import FrameBoxes, person_box
from stdpose_mm.text import counted

from .complexity import pose_work, work_table
from .inference_speed import (
    BACKBONE,
    STAGES,
    Pipeline,
    Video,
    bare_backbone,
    mmpose,
    ours,
)
from .machine import describe_machine
from .timing import Stages, Turns, model_files, peak_memory, take_turns

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
WANTED_SPREAD = 0.05
"""Spread of every speed-up, as a share of it, below which turns end."""

RATIOS = ('time to the first', 'memory to the first')


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
        models = find_models(args, folder)
        video = make_video(args, folder / 'clip.mp4')
        made = make_pipelines(args, video, models)
        for model in models:
            export_onnx(load(args, model, 'float32'), model.onnx, int8='int8' in args.precision)
        pipelines = [make() for _, make in made]
        rows = measure(args, pipelines)
        for (model, _), row in zip(made, rows, strict=True):
            row['model'] = model.name
        if not args.no_memory:
            for n, row in enumerate(tqdm(rows, desc='memory')):
                row['peak_memory'] = peak_memory(run_alone, args, video, models, n)
    num_people = sum(map(len, video.people))
    work = pose_work({model.name: read_config(model.config) for model in models})
    report = {
        'machine': machine,
        'frames': len(video.people),
        'people': num_people,
        'size': list(args.size),
        'threads': args.threads,
        'batch_size': args.batch_size,
        'flip_test': pipelines[0].passes == 2,
        'multiply_adds': [asdict(row) for row in work],
        'rows': rows,
    }
    print(table(report))
    print(f'\n{work_table(work)}')
    for remark in remarks(report, args.precision):
        print(f'\n{remark}')
    if args.out is not None:
        write_json(args.out, report, indent=1)


@dataclass(frozen=True)
class Model:
    """Files of one of the models.

    Args:
        config, checkpoint: Its files.
        onnx: The folder of its ONNX files.
    """

    config: str
    checkpoint: str
    onnx: Path

    @property
    def name(self) -> str:
        """Return the name of its config."""
        return Path(self.config).stem


def find_models(args: Any, folder: Path) -> list[Model]:
    """Find the models; random weights are written to the folder.

    Raises:
        InputError: If there are not as many checkpoints as configs, or two of the same name.
    """
    names = [Path(config).stem for config in args.config]
    if len(set(names)) < len(names):
        raise InputError(
            f'two of the configs {", ".join(names)} have the same name, give each config once'
        )
    return [
        Model(*files, folder / f'onnx{n}')
        for n, files in enumerate(model_files(args.config, args.checkpoint, folder))
    ]


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


def make_pipelines(
    args: Any, video: Video, models: Sequence[Model]
) -> list[tuple[Model, Callable[[], Pipeline]]]:
    """List the pipelines to compare, not loaded yet; the first is the reference.

    Raises:
        InputError: If there is no model that MMPose can run.
    """
    in_mmpose = (model for model in models if read_config(model.config).model.get('frame_head'))
    first = next(in_mmpose, None)
    if first is None:
        raise InputError(
            'no model has a frame_head, also give the config of a model that MMPose can run frame '
            'by frame'
        )
    pipelines = [(first, pipeline) for pipeline in mmpose_pipelines(args, video, first)]
    return pipelines + [
        (model, pipeline) for model in models for pipeline in own_pipelines(args, video, model)
    ]


def mmpose_pipelines(args: Any, video: Video, files: Model) -> list[Callable[[], Pipeline]]:
    """List MMPose's pipelines with a model's backbone and frame head, in each precision."""

    def per_frame(precision: str) -> Pipeline:
        config = read_config(files.config)
        return mmpose(video, config, load(args, files, 'float32'), precision == 'bfloat16')

    others = [p for p in args.precision if p in PRECISIONS and p != 'float32']
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

    in_pytorch = [precision for precision in args.precision if precision in PRECISIONS]
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
    works = [partial(pipeline.run, own) for pipeline, own in zip(pipelines, stages, strict=True)]
    # The first run of a network allocates memory and compiles.
    for pipeline in tqdm(pipelines, desc='first runs'):
        pipeline.run(Stages())
    turns = repeat_turns(works, args.repeat)
    rows = []
    for n, (pipeline, seconds, speed_up, own) in enumerate(
        zip(pipelines, turns.median(), turns.speed_ups(), stages, strict=True)
    ):
        total = sum(own.seconds.values())
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
                'share': {name: own.seconds[name] / total for name in STAGES},
                'peak_memory': None,
            }
        )
    return rows


def repeat_turns(
    works: Sequence[Callable[[], object]],
    most: int,
    clock: Callable[[], float] = time.perf_counter,
) -> Turns:
    """Let functions take turns until each one's speed-up over the first is known precisely.

    Args:
        works: The functions.
        most: Largest number of turns.
        clock: The wall clock in seconds.
    """
    # The bar shows the remaining time for all turns.
    with tqdm(total=most * len(works), desc=f'up to {counted(most, "turn")}', unit=' runs') as bar:
        for turns in islice(take_turns(works, bar.update, clock), most):
            spreads = [speed_up.spread for speed_up in turns.speed_ups()]
            bar.set_postfix_str(f'widest spread {_percent(max(spreads))}')
            if all(spread < WANTED_SPREAD for spread in spreads):
                break
    return turns


def available_precisions(runtime: str) -> tuple[str, ...]:
    """List the precisions of a runtime on this processor; empty if it is not installed."""
    if find_spec(runtime) is None:
        return ()
    if runtime == 'openvino' and not openvino_has_bfloat16():
        return tuple(name for name in ONNX_RUNTIMES[runtime] if name != 'bfloat16')
    return ONNX_RUNTIMES[runtime]


def remarks(report: dict[str, Any], precisions: Sequence[str]) -> list[str]:
    """Describe the limits of the figures: imprecise speed-ups and missing rows."""
    rows = report['rows']
    num_turns = len(rows[0]['turns'])
    unknown = [
        f'{row["way"]} in {row["precision"]} ({_percent(row["spread"])})'
        for row in rows
        if row['spread'] is None or row['spread'] >= WANTED_SPREAD
    ]
    found = []
    if unknown:
        found.append(
            f'NOT KNOWN to {WANTED_SPREAD:.0%} after {counted(num_turns, "turn")}: the speed-ups '
            f'of {", ".join(unknown)}; give --repeat more turns (at least 6), or stop other '
            'programs.'
        )
    for runtime, known in ONNX_RUNTIMES.items():
        missing = set(precisions) & set(known) - set(available_precisions(runtime))
        if missing:
            found.append(
                f'There are no rows of {runtime} in {" and ".join(sorted(missing))}: it is not '
                'installed, or this processor does not support the precision.'
            )
    return found


def _percent(spread: float | None) -> str:
    return 'unknown' if spread is None or math.isnan(spread) else f'{spread:.0%}'


def run_alone(args: Any, video: Video, models: Sequence[Model], number: int) -> None:
    """Load one pipeline and run it once."""
    torch.set_num_threads(args.threads)
    _, make = make_pipelines(args, video, models)[number]
    make().run(Stages())


def table(report: dict[str, Any]) -> str:
    """Return the figures in Markdown."""
    rows = report['rows']
    by_pipeline: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        by_pipeline.setdefault((row['way'], row['precision']), row)
    backbones = {(row['model'], row['precision']): row for row in rows if row['way'] == BACKBONE}
    several = len({row['model'] for row in rows}) > 1
    columns = [*(['model'] if several else []), *COLUMNS, *STAGES, *(RATIOS if several else ())]
    texts = 3 if several else 2
    lines = [
        f'{counted(report["frames"], "frame")} of {report["size"][0]}x{report["size"][1]}, '
        f'{counted(report["people"], "person")} in all, {counted(report["threads"], "thread")}, '
        f'batches of '
        f'{report["batch_size"]}, mirrored crops {"too" if report["flip_test"] else "not seen"}.',
        '',
        f'| {" | ".join(columns)} |',
        '|---' * texts + '|--:' * (len(columns) - texts) + '|',
    ]
    for row in rows:
        backbone = backbones.get((row['model'], row['precision']))
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
        if several:
            first = by_pipeline[row['way'], row['precision']]
            memory = row['peak_memory'] and row['peak_memory'] / first['peak_memory']
            ratios = [f'{row["wall"] / first["wall"]:.2f}', f'{memory:.2f}' if memory else '']
            cells = [row['model'], *cells, *ratios]
        lines.append(f'| {" | ".join(cells)} |')
    return '\n'.join(lines)
