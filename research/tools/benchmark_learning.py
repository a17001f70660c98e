r"""Measure what learning from the labels of a project brings, and whether it can do harm.

    python -m research.tools.benchmark_learning data/jhmdb_split/train.txt \
        --video-root data/jhmdb_clips --min-motion 0.02 --clips 50 --interval 15 --steps 500

Each project consists of ``--clips`` videos. The labels of every T-th frame are given and learned
from, and all other labels are compared with three results: of ``auto`` alone (base), with the
network whether or not it helps (network), and of the two that a user gets (result).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from research.comparison.motion import mean_motion
from research.comparison.reliability import reliability
from stdpose_mm.apis import VideoPosePropagator
from stdpose_mm.apis.propagation_state import PropagationState
from stdpose_mm.cli.argument_types import positive, seed
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.options import LabelledVideoOptions
from stdpose_mm.cli.parser import option
from stdpose_mm.evaluation.functional import CORRECT_WITHIN, joint_errors, pair_tracks
from stdpose_mm.io.video import FrameSource
from stdpose_mm.labelling.comparison.labelled_videos import open_video, read_videos
from stdpose_mm.labelling.evidence import PoseNetworkFiles
from stdpose_mm.labelling.propagation import given_labels, subsample_labels
from stdpose_mm.labelling.review import LabelAccuracy
from stdpose_mm.structures import VideoLabels


@dataclass(frozen=True, kw_only=True)
class BenchmarkLearningOptions(LabelledVideoOptions):
    """Options of ``benchmark_learning.py``.

    Args:
        interval: Distance T between the labelled frames.
        clips: Number of videos of a project.
        projects: Largest number of projects.
        steps: Training steps of each half of a network.
        min_motion: Use only videos in which joints move by more than X pose sizes per frame.
        pose_onnx: Pose networks beside ``auto``, as for ``stdpose propagate``.
        seed: Seed of the order of the videos.
    """

    interval: int = option(15, type=positive, metavar='T')
    clips: int = option(1, type=positive)
    projects: int | None = option(type=positive)
    steps: int = option(500, type=positive)
    min_motion: float | None = option(metavar='X')
    pose_onnx: list[str] = option((), nargs='+', metavar='FILE[=PRESET]')
    seed: int = option(0, type=seed)


Project = Sequence[tuple[FrameSource, VideoLabels]]


def run(args: BenchmarkLearningOptions) -> None:
    """Learn in each project, measure and print.

    Raises:
        InputError: If a file cannot be used.
    """
    videos = [given_labels(labels) for labels in read_videos(args.labels)]
    if args.min_motion is not None:
        videos = [labels for labels in videos if mean_motion(labels) > args.min_motion]
    videos = [videos[index] for index in np.random.default_rng(args.seed).permutation(len(videos))]
    frames = [open_video(v, args.image_root, args.video_root, True) for v in videos]
    opened = list(zip(frames, videos, strict=True))
    projects = [opened[n : n + args.clips] for n in range(0, len(opened), args.clips)]
    for number, project in enumerate(projects[: args.projects]):
        row = {'project': number, **measure_project(project, args)}
        print(', '.join(f'{name} {_text(value)}' for name, value in row.items()), flush=True)


def _text(value: object) -> str:
    return f'{value:.2f}' if isinstance(value, float) else str(value)


def measure_project(project: Project, args: BenchmarkLearningOptions) -> dict[str, object]:
    """Learn from a project's given labels; return the accuracy without and with the network."""
    networks = [PoseNetworkFiles.parse(text) for text in args.pose_onnx]
    propagator = VideoPosePropagator(pose_networks=networks)
    given = [subsample_labels(labels, args.interval) for _, labels in project]
    states = [
        propagator.init_state(frames, labels, life_span='labels')
        for (frames, _), labels in zip(project, given, strict=True)
    ]
    base = _measure(propagator, states, project)
    start = time.perf_counter()
    with TemporaryDirectory() as folder:
        outcome = propagator.learn(states, Path(folder) / 'network.onnx', 600, steps=args.steps)
        minutes = (time.perf_counter() - start) / 60
        propagator.use_network(outcome.network)
        network = _measure(propagator, states, project)
        hidden = LabelAccuracy.join(
            accuracy for state in states for accuracy in propagator.measure_in_video(state, 12)
        )
    row: dict[str, object] = {
        'poses': outcome.network.record.num_poses,
        'minutes': minutes,
        'alone': 100 * outcome.network.record.right,
        'hidden before': 100 * float((outcome.before <= CORRECT_WITHIN).mean()),
        'hidden after': 100 * float((outcome.after <= CORRECT_WITHIN).mean()),
        'measured': None if hidden is None else 100 * float(hidden.right.mean()),
        'used': outcome.helped,
    }
    for name, values in (
        ('base', base),
        ('network', network),
        ('result', network if outcome.helped else base),
    ):
        row.update({f'{name} {metric}': value for metric, value in values.items()})
    return row


def _measure(
    propagator: VideoPosePropagator, states: Sequence[PropagationState], project: Project
) -> dict[str, float]:
    """Compare with the labels that were not given, all videos together."""
    errors, scores = [], []
    for state, (_, truth) in zip(states, project, strict=True):
        dense = propagator.collect_labels(state, propagator.propagate_in_video(state))
        given = {frame for track in state.tracks.values() for frame in track}
        hidden = {*truth.labelled_frame_indices} - given
        pairs = pair_tracks(truth, dense, truth.skeleton.keypoint_names, hidden)
        of_video = joint_errors(pairs)
        known = of_video.sized & pairs.scored[:, None] & ~np.isnan(pairs.scores)
        errors.append(of_video.relative[known])
        scores.append(pairs.scores[known])
    error, score = np.concatenate(errors), np.concatenate(scores)
    right = error <= CORRECT_WITHIN
    return {
        'PCK@0.05': 100 * float((error <= CORRECT_WITHIN / 2).mean()),
        'PCK@0.1': 100 * float(right.mean()),
        'error %': 100 * float(error.mean()),
        'calibration error': 100 * reliability(score, right).expected_calibration_error,
    }


main = Command(BenchmarkLearningOptions, run, __doc__, 'benchmark_learning.py')

if __name__ == '__main__':
    raise SystemExit(main())
