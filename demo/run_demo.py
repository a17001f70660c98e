"""Run the main job from end to end on generated videos, on a CPU, in minutes.

The demo generates training and held-out clips, propagates the labels of every 7th frame through the
held-out clips with ``auto`` and the tiny STDPose of the package, trains this STDPose further on the
training clips, validates it on the held-out ones, and compares the methods. It writes to the output
folder

- ``table.md`` and ``report.json``: the accuracy of each method in the unlabelled frames;
- ``overlay.mp4`` and ``overlay.png``: a held-out clip with the poses of ``auto`` as it comes;
- ``trajectories.png``: wrists and ankles of a person in this clip over time, with dots at given
  labels, and their true positions;
- ``training_curve.png``: losses and learning rate over the iterations;
- ``sparse_labels.json``: the labels of every 7th frame of this clip, for the review page, whose
  command is printed last;
- ``config.py`` and ``weights.pth``: the trained model, for ``tools/propagate.py`` and
  ``tools/test.py``; ``training/`` has the logs.
"""

from __future__ import annotations

import json
import shlex
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from stdpose_mm.cli.command import Command
from stdpose_mm.cli.parser import option
from stdpose_mm.errors import InputError, require_packages, require_whole
from stdpose_mm.io import write_json, write_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from mmengine.config import Config

    from stdpose_mm.io.video import FrameSource
    from stdpose_mm.labelling.comparison import Comparison
    from stdpose_mm.labelling.propagation import BasePropagator
    from stdpose_mm.structures import VideoLabels

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
CONFIG = CONFIGS / 'stdpose_tiny_propagation_synthetic_finetune.py'

VALIDATION_METRICS = ('AP', 'PCK@0.1')
"""Validation metrics to plot, with any prefix, all in per cent."""

Model = Literal['none', 'initial', 'trained']


class Row(NamedTuple):
    """A row of the table.

    Args:
        title: Name in the table.
        method: Propagation method.
        model: Model of the method: none, the initial one of the training, or the trained one.
    """

    title: str
    method: str
    model: Model = 'trained'


ROWS = {
    'linear': Row('linear interpolation', 'linear', 'none'),
    'initial': Row('STDPose as it comes', 'stdpose', 'initial'),
    'per-frame': Row('per-frame head of the trained STDPose', 'per-frame'),
    'stdpose': Row('STDPose trained on these clips', 'stdpose'),
    'auto': Row('`auto` as it comes', 'auto', 'none'),
    'auto+stdpose': Row('`auto` with the trained STDPose', 'auto'),
}
TITLES = {name: row.title for name, row in ROWS.items()}
SHOWN = 'auto'
"""Row whose poses the pictures and the video show."""

STEPS = 5
REPORTED = ('train_videos', 'val_videos', 'interval', 'seed')
TRAJECTORIES = ('left_wrist', 'right_wrist', 'left_ankle', 'right_ankle')


@dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """Options of the demo.

    Args:
        out_dir: Folder to write to.
        train_videos: Number of training videos to generate.
        val_videos: Number of held-out videos to generate.
        interval: Label every T-th frame.
        iterations: Number of training steps (default: as in the config).
        seed: Seed of all random numbers.
    """

    out_dir: Path = option(Path('work_dirs/demo'), writes=True, is_folder=True)
    train_videos: int = option(160)
    val_videos: int = option(15)
    interval: int = option(7)
    iterations: int | None = option()
    seed: int = option(0)


def run(args: DemoOptions) -> None:
    """Generate clips, train, validate, propagate, and write the results.

    Raises:
        InputError: If a number is too small.
    """
    require_packages('run_demo.py', 'torch', 'mmpose')
    check(args)
    from tqdm import tqdm

    from stdpose_mm.datasets.synthetic import write_dataset
    from stdpose_mm.engine.runner import CheckedRunner
    from stdpose_mm.io.labels import write_posetrack18
    from stdpose_mm.labelling.comparison import compare_propagators
    from stdpose_mm.labelling.comparison.labelled_videos import open_video, read_videos
    from stdpose_mm.labelling.propagation import propagate_subsampled, subsample_labels
    from stdpose_mm.visualization import save_figure, trajectories, write_overlay

    start = time.monotonic()
    out: Path = args.out_dir

    def announce(step: int, what: str) -> None:
        print(f'\n[{step}/{STEPS}, {time.monotonic() - start:.0f} s] {what}', flush=True)

    announce(1, 'generate training and held-out clips')
    data = out / 'data'
    write_dataset(
        data,
        args.train_videos,
        args.val_videos,
        seed=args.seed,
        progress=lambda names, total: tqdm(names, total=total, unit=' videos', disable=None),
    )
    videos = [
        (open_video(labels, data, None, pictures_needed=True), labels)
        for labels in read_videos(data / 'annotations' / 'val')
    ]

    def compare(propagators: Mapping[str, BasePropagator]) -> Comparison:
        with tqdm(total=len(videos) * len(propagators), unit=' videos', disable=None) as bar:
            return compare_propagators(
                videos, propagators, args.interval, progress=lambda *_: bar.update()
            )

    announce(2, f'propagate the labels of every {args.interval}th frame, before any training')
    config = demo_config(args, data, out / 'training')
    untrained = {
        **make_propagators('none'),
        **make_propagators('initial', CONFIG, config.load_from),
    }
    before = compare(untrained)
    frames, labels = max(videos, key=lambda video: len(video[1].persons))
    write_posetrack18(subsample_labels(labels, args.interval), out / 'sparse_labels.json')
    dense = propagate_subsampled(frames, labels, args.interval, untrained[SHOWN])
    write_posetrack18(dense, out / 'overlay.json')
    write_overlay(out / 'overlay.mp4', frames, dense)
    write_picture(out / 'overlay.png', frames, dense, args.interval)
    figure = trajectories(dense, joints=TRAJECTORIES, truth=labels)
    save_figure(figure, out / 'trajectories.png')
    print(f'\n{before.table(TITLES)}\n\nA first video to watch: {out / "overlay.mp4"}')

    announce(3, 'train the tiny STDPose further')
    # Remove logs of earlier runs: the plot must read the log of this run only.
    shutil.rmtree(config.work_dir, ignore_errors=True)
    runner = CheckedRunner.from_cfg(config)
    runner.train()
    training_seconds = time.monotonic() - start
    config.dump(out / 'config.py')
    checkpoint = out / 'weights.pth'
    runner.save_checkpoint(
        str(out), checkpoint.name, save_optimizer=False, save_param_scheduler=False, by_epoch=False
    )
    scalars = next((out / 'training').glob('*/vis_data/scalars.json'))
    save_figure(training_curves(scalars), out / 'training_curve.png')

    # The last validation is that of the last weights.
    metrics = {
        name.removeprefix('val/'): values.current()
        for name, values in runner.message_hub.log_scalars.items()
        if name.startswith('val/posetrack/')
    }

    announce(4, f'propagate the labels of every {args.interval}th frame with the trained STDPose')
    trained = make_propagators('trained', out / 'config.py', checkpoint)
    comparison = join(before, compare(trained))

    announce(5, 'write the results')
    table = comparison.table(TITLES)
    write_text(out / 'table.md', table + '\n')
    write_json(
        out / 'report.json',
        report(args, config, comparison, metrics, training_seconds),
        indent=2,
    )
    print(f'\n{table}\n')
    print(f'{time.monotonic() - start:.0f} s in all; everything is in {out}/:')
    for path in sorted(out.iterdir()):
        print(f'  {path}')
    print(f'\nTo review and correct {labels.name} in the browser:')
    print(f'  {review_command(data, labels, out)}')


def make_propagators(
    model: Model, config: Path | None = None, checkpoint: str | Path | None = None
) -> dict[str, BasePropagator]:
    """Build the propagators of the rows that use the model of the config and weights."""
    from stdpose_mm.apis import VideoPosePropagator

    return {
        name: VideoPosePropagator(config, checkpoint, method=row.method).propagator
        for name, row in ROWS.items()
        if row.model == model
    }


def join(first: Comparison, second: Comparison) -> Comparison:
    """Join comparisons of different propagators on the same videos, in the order of the table."""
    unlabelled = {**first.unlabelled, **second.unlabelled}
    all_frames = {**first.all_frames, **second.all_frames}
    return replace(
        first,
        unlabelled={name: unlabelled[name] for name in ROWS},
        all_frames={name: all_frames[name] for name in ROWS},
    )


def review_command(data: Path, labels: VideoLabels, out: Path) -> str:
    """Return the command that opens a held-out clip with its sparse labels in the review page."""
    stdpose = Path(sys.executable).with_name('stdpose')
    if stdpose.is_relative_to(Path.cwd()):
        stdpose = stdpose.relative_to(Path.cwd())
    clip = data / 'images' / 'val' / labels.name
    return shlex.join(map(str, [stdpose, 'review', clip, out / 'sparse_labels.json']))


def check(args: DemoOptions) -> None:
    """Reject numbers that leave nothing to train on, hold out or propagate."""
    for name, value, least in (
        ('--train-videos', args.train_videos, 1),
        ('--val-videos', args.val_videos, 1),
        ('--interval', args.interval, 2),
        ('--iterations', args.iterations, 2),
    ):
        if value is not None:
            require_whole(name, value, least)
    from stdpose_mm.datasets.synthetic import ClipSettings

    length = ClipSettings().frames
    if args.interval >= length:
        raise InputError(f'--interval must be less than the {length} frames of a clip')


def demo_config(args: DemoOptions, data: Path, work_dir: Path) -> Config:
    """Return the tiny config on the generated data."""
    from mmengine.config import Config

    config = Config.fromfile(CONFIG)
    config.work_dir = str(work_dir)
    config.randomness = dict(seed=args.seed)
    for loader in (config.train_dataloader, config.test_dataloader):
        loader.dataset.data_root = str(data)
        loader.dataset.interval = args.interval
    config.test_evaluator.ann_file = str(data / 'annotations' / 'val')
    config.test_evaluator.given_interval = args.interval
    # The last weights are used, so no clips are held out for choosing: all training clips are used
    # for training, and the curve shows the clips of the test.
    config.train_dataloader.dataset.held_out_share = 0.0
    config.val_dataloader = config.test_dataloader
    config.val_evaluator = config.test_evaluator
    config.default_hooks.checkpoint.save_best = None
    if args.iterations is not None:
        warm_up, decay = config.param_scheduler
        warm_up.end = decay.begin = min(warm_up.end, args.iterations // 2)
        decay.end, decay.T_max = args.iterations, args.iterations - decay.begin
        config.train_cfg.max_iters = config.train_cfg.val_interval = args.iterations
        # The plot needs a record of the losses.
        logger = config.default_hooks.logger
        logger.interval = min(logger.interval, args.iterations)
    return config


def training_curves(scalars: Path) -> Figure:
    """Plot losses, learning rate and validation metrics of a training run, one panel each.

    Args:
        scalars: ``vis_data/scalars.json`` of an MMEngine run, with one JSON object per line. If it
            has none of ``VALIDATION_METRICS``, there is no panel for them.
    """
    from stdpose_mm.visualization.plots import make_figure

    records = [json.loads(line) for line in scalars.read_text('utf-8').splitlines()]
    training = [record for record in records if 'loss' in record]
    validation = [record for record in records if 'loss' not in record]
    named = sorted({name for record in validation for name in record})
    drawn = [name for name in named if name.split('/')[-1] in VALIDATION_METRICS]
    figure, axes = make_figure(3 if drawn else 2, width=8)
    losses = sorted(name for name in training[0] if 'loss' in name)
    _plot_records(axes[0], training, losses, 'loss', 'iteration')
    axes[0].set_yscale('log')
    _plot_records(axes[1], training, ['lr'], 'learning rate', 'iteration')
    if drawn:
        step = 'step of the validation'
        _plot_records(axes[2], validation, drawn, 'validation, per cent', step, marker='o')
    return figure


def _plot_records(
    axis: Axes,
    records: Sequence[dict[str, Any]],
    names: Sequence[str],
    label: str,
    step: str,
    marker: str = '',
) -> None:
    for name in names:
        shown = [record for record in records if isinstance(record.get(name), (int, float))]
        steps = [record.get('step', n) for n, record in enumerate(shown)]
        axis.plot(steps, [record[name] for record in shown], label=name, marker=marker)
    axis.set_ylabel(label)
    axis.set_xlabel(step)
    axis.legend(fontsize='small')


def write_picture(path: Path, frames: FrameSource, dense: VideoLabels, interval: int) -> None:
    """Write four overlay frames side by side: a given one and three propagated ones."""
    import numpy as np

    from stdpose_mm.io.video import write_picture
    from stdpose_mm.visualization import overlay_frames

    shown = {index * interval // 3 for index in range(4)}
    tiles = [
        picture for index, picture in enumerate(overlay_frames(frames, dense)) if index in shown
    ]
    top, bottom = np.hstack(tiles[:2]), np.hstack(tiles[2:])
    write_picture(path, np.vstack([top, bottom]))


def report(
    args: DemoOptions,
    config: Config,
    comparison: Comparison,
    metrics: dict[str, float],
    training_seconds: float,
) -> dict[str, Any]:
    """Return the content of ``report.json``."""
    import torch

    return {
        'settings': {
            **{name: getattr(args, name) for name in REPORTED},
            'iterations': config.train_cfg.max_iters,
            'torch': torch.__version__,
            'threads': torch.get_num_threads(),
        },
        'seconds_until_trained': round(training_seconds, 1),
        'validation': metrics,
        'propagation': comparison.to_dict(),
        'names': TITLES,
    }


main = Command(DemoOptions, run, __doc__, 'run_demo.py')

if __name__ == '__main__':
    raise SystemExit(main())
