"""Train the networks behind ``auto``: a pose network, and the fuser that weighs its evidence.

    python tools/misc/train_auto.py --work-dir work_dirs/auto
    python tools/misc/train_auto.py --work-dir work_dirs/auto_jhmdb --start work_dirs/auto \
        --labels data/jhmdb_halves/train.txt data/jhmdb_halves/val.txt \
        --video-root data/jhmdb_clips \
        --config configs/auto/stdpose_tiny_jhmdb.py

Without ``--labels`` both are trained on clips that are generated first. With ``--labels``, densely
labelled videos of your own in two sets without a common source (``split_videos.py --val-share
0.5``), training goes on from ``--start``: the pose network is trained on each set by itself, so
that the fuser learns from heatmaps of videos which the network had not seen, and then on both.

What is finished is kept in the work folder: a run that was stopped goes on where it was. In the
end ``fuser.pth``, ``pose.py`` and ``pose.pth`` are what ``tools/propagate.py`` takes as
``--fuser``, ``--config`` and ``--checkpoint``.

On a GPU: ``--device cuda --clips 10000 --pose-iters 60000 --fuser-iters 20000``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.runner import Runner, find_latest_checkpoint
from tqdm import tqdm

from stdpose_mm.benchmarks.propagation.labelled_videos import open_video, read_videos
from stdpose_mm.cli.arguments import OneLineParser, exit_code, seed
from stdpose_mm.datasets.synthetic import ClipSettings, write_dataset
from stdpose_mm.engine.config_files import read_config
from stdpose_mm.errors import InputError
from stdpose_mm.inference import WindowModel
from stdpose_mm.io.labels import find_label_files, write_label_list
from stdpose_mm.io.video import PreloadedFrames
from stdpose_mm.propagation import given_labels
from stdpose_mm.propagation.auto.trained_fuser import TrainedFuser
from stdpose_mm.propagation.flow.optical_flow import DISFlow
from stdpose_mm.propagation.window.gap_heatmap_estimator import GapHeatmapEstimator
from stdpose_mm.structures import VideoLabels
from stdpose_mm.training.fuser_training import (
    INTERVALS,
    TrainingSegment,
    as_annotated,
    collect_segments,
    load_segments,
    save_segments,
    train_fuser,
)

FIRST_SEED = 1000
"""Other clips than those that the demo and the tables show."""

INTERVALS_PER_VIDEO = 4

DOUBT_OF_GENERATED = 0.03
"""Real footage is not like generated clips; see docs/auto.md."""

CONFIG = 'configs/auto/stdpose_tiny_pretrain.py'


class PoseNetwork(NamedTuple):
    """Files of a trained pose network."""

    config: Path
    checkpoint: Path


class Job(NamedTuple):
    """What a process needs to gather the evidence of a video."""

    labels: VideoLabels
    path: Path
    pose: PoseNetwork
    device: str
    roots: tuple[Path | None, Path | None]
    exact: bool
    seed: tuple[int, int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = make_parser()
    args = parser.parse_args(arguments)
    return exit_code(parser, lambda: train(args))


def make_parser() -> argparse.ArgumentParser:
    """The command line's arguments."""
    parser = OneLineParser(prog='train_auto.py', description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--work-dir', type=Path, required=True, help='where everything is kept')
    parser.add_argument('--config', default=CONFIG, help='of the pose network (%(default)s)')
    parser.add_argument('--clips', type=int, default=800, help='clips to generate (%(default)s)')
    parser.add_argument(
        '--held-out', type=int, default=40, help='clips for the calibration (%(default)s)'
    )
    parser.add_argument(
        '--evidence-clips',
        type=int,
        default=160,
        help='clips that the fuser sees; the pose network sees all (%(default)s)',
    )
    parser.add_argument(
        '--labels',
        type=Path,
        nargs=2,
        metavar=('HALF', 'OTHER'),
        help='two sets of densely labelled videos without a common source',
    )
    parser.add_argument('--image-root', type=Path, help='of the pictures named in LABELS')
    parser.add_argument('--video-root', type=Path, help='of the video files named in LABELS')
    parser.add_argument('--start', type=Path, help='work folder of an earlier run to go on from')
    parser.add_argument('--pose-iters', type=int, help='steps of the pose network (the config)')
    parser.add_argument(
        '--fuser-iters', type=int, default=3000, help='steps of the fuser (%(default)s)'
    )
    parser.add_argument('--workers', type=int, default=2, help='processes (%(default)s)')
    parser.add_argument('--device', default='cpu', help='(%(default)s)')
    parser.add_argument('--seed', type=seed, default=0)
    return parser


def train(args: argparse.Namespace) -> None:
    """Train what is not trained yet.

    Raises:
        InputError: If something that was given cannot be used.
    """
    if args.labels is not None and args.start is None:
        raise InputError(
            '--labels needs --start, the work folder of a run on generated clips; run '
            'train_auto.py without --labels first'
        )
    begin = time.monotonic()
    if args.labels is None:
        train_on_generated(args)
    else:
        train_on_labels(args)
    minutes = (time.monotonic() - begin) / 60
    print(f'{minutes:.0f} minutes; fuser.pth, pose.py and pose.pth are in {args.work_dir}')


def train_on_generated(args: argparse.Namespace) -> None:
    """The networks that need nobody's labels."""
    out: Path = args.work_dir
    data = out / 'generated'
    write_dataset(
        data,
        args.clips,
        args.held_out,
        settings=ClipSettings(frames=36, people=(1, 3)),
        seed=FIRST_SEED + args.seed,
        workers=args.workers,
        progress=lambda names, total: tqdm(names, total=total, unit=' clips'),
    )

    def on_generated(config: Config) -> None:
        config.train_dataloader.dataset.data_root = str(data)
        config.test_dataloader.dataset.data_root = str(data)

    pose = train_pose_network(args, 'pose', on_generated)
    annotations, roots = data / 'annotations', (data, None)
    segments = gather(
        args,
        annotations / 'train',
        args.evidence_clips,
        out / 'evidence' / 'train',
        pose,
        roots,
        True,
    )
    held_out = gather(args, annotations / 'val', None, out / 'evidence' / 'val', pose, roots, True)
    train_and_save(args, segments, held_out, 'generated clips', DOUBT_OF_GENERATED, None)


def train_on_labels(args: argparse.Namespace) -> None:
    """Go on with labelled videos; the halves take turns, and the last network learns from both."""
    out: Path = args.work_dir
    files = [find_label_files(half) for half in args.labels]

    def on_videos(name: str, listed: Sequence[str]) -> Callable[[Config], None]:
        label_list = out / f'{name}.txt'
        write_label_list(label_list, listed)

        def change(config: Config) -> None:
            config.load_from = str(args.start / 'pose.pth')
            config.train_dataloader.dataset.ann_file = str(label_list)

        return change

    out.mkdir(parents=True, exist_ok=True)
    roots = args.image_root, args.video_root
    segments: list[TrainingSegment] = []
    for number in range(2):
        name = f'half{number}'
        pose = train_pose_network(args, name, on_videos(name, files[number]))
        other = args.labels[1 - number]
        folder = out / 'evidence' / f'half{1 - number}'
        segments += gather(args, other, None, folder, pose, roots, False)
    train_pose_network(args, 'pose', on_videos('pose', [*files[0], *files[1]]))
    held_out = [
        segment
        for path in sorted((args.start / 'evidence' / 'val').glob('*.npz'))
        for segment in load_segments(path)
    ]
    train_and_save(
        args,
        segments,
        held_out,
        f'generated clips, then {len(files[0]) + len(files[1])} labelled videos',
        0.0,
        TrainedFuser.load(args.start / 'fuser.pth'),
    )


def train_and_save(
    args: argparse.Namespace,
    segments: Sequence[TrainingSegment],
    held_out: Sequence[TrainingSegment],
    trained_on: str,
    shrinkage: float,
    start: TrainedFuser | None,
) -> None:
    """Train the fuser, and write ``fuser.pth``."""
    fuser = train_fuser(
        segments,
        held_out,
        args.work_dir / 'fuser',
        trained_on,
        shrinkage=shrinkage,
        start=start,
        max_iters=args.fuser_iters,
        seed=args.seed,
        device=args.device,
    )
    fuser.save(args.work_dir / 'fuser.pth')


def train_pose_network(
    args: argparse.Namespace, name: str, change: Callable[[Config], None]
) -> PoseNetwork:
    """Train a pose network, unless it is there: ``name.pth`` with its config ``name.py``."""
    out: Path = args.work_dir
    config_file, checkpoint = out / f'{name}.py', out / f'{name}.pth'
    if not checkpoint.is_file():
        config = read_config(args.config)
        change(config)
        config.work_dir = str(out / name)
        config.randomness = dict(seed=args.seed)
        # What it is worth is measured by what the fuser makes of it.
        config.val_cfg = config.val_dataloader = config.val_evaluator = None
        if args.pose_iters is not None:
            set_iterations(config, args.pose_iters)
        config.resume = find_latest_checkpoint(config.work_dir) is not None
        runner = Runner.from_cfg(config)
        runner.train()
        config.load_from = None
        config.dump(config_file)
        runner.save_checkpoint(
            str(out), checkpoint.name, save_optimizer=False, save_param_scheduler=False
        )
    return PoseNetwork(config_file, checkpoint)


def set_iterations(config: Config, iterations: int) -> None:
    """Change the length of a schedule of warm-up and cosine."""
    config.train_cfg.max_iters = iterations
    warm_up, cosine = config.param_scheduler
    warm_up.end = cosine.begin = min(warm_up.end, iterations // 2)
    cosine.end = iterations
    cosine.T_max = iterations - cosine.begin


def gather(
    args: argparse.Namespace,
    labels: Path,
    limit: int | None,
    folder: Path,
    pose: PoseNetwork,
    roots: tuple[Path | None, Path | None],
    exact: bool,
) -> list[TrainingSegment]:
    """The evidence of labelled videos, one file for each, kept for the next time.

    Args:
        args: The command line.
        labels: Where the labels of the videos are.
        limit: At most so many videos.
        folder: For the files.
        pose: The pose network.
        roots: Of pictures and of video files named in the labels.
        exact: Whether nobody clicked the labels; they are then seen as if somebody had.
    """
    folder.mkdir(parents=True, exist_ok=True)
    videos = read_videos(labels)[:limit]
    jobs = [
        Job(
            labels=video,
            path=folder / f'{video.name}.npz',
            pose=pose,
            device=args.device,
            roots=roots,
            exact=exact,
            seed=(args.seed, number),
        )
        for number, video in enumerate(videos)
    ]
    todo = [job for job in jobs if not job.path.is_file()]
    # Workers start afresh: OpenMP does not survive a fork.
    with ProcessPoolExecutor(args.workers, get_context('spawn')) as pool:
        for _ in tqdm(pool.map(gather_video, todo), total=len(todo), unit=' videos'):
            pass
    return [segment for job in jobs for segment in load_segments(job.path)]


def gather_video(job: Job) -> None:
    """Write the evidence of one video; runs in a process of its own."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    rng = np.random.default_rng(job.seed)
    intervals = rng.choice(INTERVALS, INTERVALS_PER_VIDEO, replace=False).tolist()
    frames = open_video(job.labels, *job.roots, pictures_needed=True)
    labels = as_annotated(given_labels(job.labels), rng) if job.exact else job.labels
    segments = collect_segments(
        PreloadedFrames(frames, range(len(frames))),
        labels,
        intervals,
        DISFlow(),
        rng,
        segment_model(job.pose, job.device),
    )
    save_segments(job.path, segments)


@lru_cache(maxsize=1)
def segment_model(pose: PoseNetwork, device: str) -> GapHeatmapEstimator:
    """The pose network, loaded once in a process."""
    model = WindowModel.from_config(pose.config, pose.checkpoint, device)
    model.pack()
    return GapHeatmapEstimator(model)


if __name__ == '__main__':
    sys.exit(main())
