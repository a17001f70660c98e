r"""Measure the effects of smoothing on poses: less jitter, but lag or rounded motion.

    python -m research.tools.benchmark_smoothing truth/annotations/val --predictions \
        predicted/
    python -m research.tools.benchmark_smoothing truth/annotations/val --noise 0.02

Poses come from a model (label files with the names and track ids of the true ones), or are the
truth with white noise. For every filter, it prints, over all joints that are labelled in both, in
per cent of the person's size (square root of the area of the true box):

- error: mean distance from the truth;
- jitter: mean distance between the second differences (over three frames) of poses and truth;
- lag: number of frames by which the poses follow the truth, by least squares over a person's
  motion, mean over people.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from research.tracking.smooth_labels import smooth_labels
from stdpose_mm.cli.argument_types import seed
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.parser import argument, option
from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import find_label_files, read_labels
from stdpose_mm.structures import PersonLabel, VideoLabels, person_box
from stdpose_mm.text import counted
from stdpose_mm.tracking.smoothing import FPS, OneEuro, PoseSmoother, SavitzkyGolay


@dataclass
class Motion:
    """Sums over joints and frames; lengths in person sizes.

    Args:
        error, poses: Sum of distances from the truth, and their number.
        jitter, triples: Sum of distances of second differences, and their number.
        lags: Lag of every person in frames.
    """

    error: float = 0.0
    poses: int = 0
    jitter: float = 0.0
    triples: int = 0
    lags: list[float] = field(default_factory=list)

    def row(self) -> str:
        """Return the three figures."""
        return (
            f'{100 * self.error / max(self.poses, 1):8.2f} '
            f'{100 * self.jitter / max(self.triples, 1):8.2f} '
            f'{np.mean(self.lags or [0.0]):8.2f}'
        )


@dataclass(kw_only=True)
class BenchmarkSmoothingOptions:
    """Options of ``benchmark_smoothing.py``.

    Args:
        truth: Folder of label files, or a label file.
        predictions: Predictions of a model for the same videos.
        noise: Without --predictions: standard deviation of the simulated noise along x and y, in
            person sizes.
        seed: Seed of the noise.
        fps: Frames per second.
    """

    truth: Path = argument('truth')
    predictions: Path | None = option()
    noise: float = option(0.02)
    seed: int = option(0, type=seed)
    fps: float = option(FPS)


def run(args: BenchmarkSmoothingOptions) -> None:
    """Measure and print.

    Raises:
        InputError: If an option or a file cannot be used.
    """
    if args.noise < 0:
        raise InputError(f'--noise must not be negative, got {args.noise}')
    filters = make_filters(args.fps)
    rng = np.random.default_rng(args.seed)
    videos = []
    for path in find_label_files(args.truth):
        truth = read_labels(path)
        if args.predictions is None:
            videos.append((truth, with_noise(truth, args.noise, rng)))
        else:
            videos.append((truth, predicted(args.predictions, Path(path))))
    source = (
        f'truth with noise of {args.noise:g}'
        if args.predictions is None
        else f'predictions in {args.predictions.name}'
    )
    print(f'{counted(len(videos), "video")}, {source}')
    print(f'{"filter":58} {"error %":>8} {"jitter %":>8} {"lag":>8}')
    for smoother in filters:
        total = Motion()
        for truth, poses in videos:
            add(total, truth, poses if smoother is None else smooth_labels(poses, smoother))
        print(f'{"none" if smoother is None else str(smoother):58} {total.row()}')


def make_filters(fps: float) -> list[PoseSmoother | None]:
    """List the smoothers to compare; the defaults are among them."""
    euro = [(0.5, 2.0), (1.0, 5.0), (1.0, 10.0), (2.0, 10.0), (2.0, 20.0), (4.0, 20.0)]
    golay = [(5, 2), (7, 2), (9, 2), (11, 2), (7, 1)]
    return [
        None,
        *(OneEuro(fps, min_cutoff, beta) for min_cutoff, beta in euro),
        *(SavitzkyGolay(window, order) for window, order in golay),
    ]


def predicted(folder: Path, path: Path) -> VideoLabels:
    """Return a model's poses for one label file."""
    file = folder / path.name if folder.is_dir() else folder
    labels = read_labels(file)
    # A model's poses count as propagated, even if the file says that they are given.
    return labels.with_persons([p.with_source('propagated') for p in labels.persons])


def with_noise(truth: VideoLabels, noise: float, rng: np.random.Generator) -> VideoLabels:
    """Return the truth with independent noise on every joint."""
    return truth.with_persons(
        [
            replace(
                p.with_source('propagated'),
                keypoints=p.keypoints + rng.normal(0, noise * size(p), p.keypoints.shape),
            )
            for p in truth.persons
        ]
    )


def size(person: PersonLabel) -> float:
    """Return the size of a person in pixels."""
    return float(np.sqrt(person_box(person)[2:].prod())) if person.is_located else 1.0


def add(total: Motion, truth: VideoLabels, poses: VideoLabels) -> None:
    """Add one video.

    Raises:
        InputError: If truth and poses have no joint in common.
    """
    names = [n for n in truth.skeleton.keypoint_names if n in poses.skeleton.keypoint_names]
    if not names:
        raise InputError(f'the skeletons of {truth.name} and its predictions share no joint')
    true_joints = [truth.skeleton.index_of(name) for name in names]
    joints = [poses.skeleton.index_of(name) for name in names]
    found = poses.tracks()
    for track_id, labels in truth.tracks().items():
        frames = [f for f in labels if f in found.get(track_id, {})]
        if not frames:
            continue
        length = frames[-1] - frames[0] + 1
        true_points = np.full((length, len(names), 2), np.nan)
        points = np.full((length, len(names), 2), np.nan)
        sizes = np.full((length, 1, 1), np.nan)
        for frame in frames:
            t, true_person, person = frame - frames[0], labels[frame], found[track_id][frame]
            both = true_person.labelled[true_joints] & person.labelled[joints]
            true_points[t, both] = true_person.keypoints[true_joints][both]
            points[t, both] = person.keypoints[joints][both]
            sizes[t] = size(true_person)
        add_track(total, true_points / sizes, points / sizes)


def add_track(total: Motion, truth: np.ndarray, points: np.ndarray) -> None:
    """Add one track; both arrays are [T, K, 2], NaN where a joint is missing."""
    error = points - truth
    distance = np.linalg.norm(error, axis=-1)
    total.error += float(np.nansum(distance))
    total.poses += int(np.isfinite(distance).sum())
    if len(truth) < 3:
        return
    jitter = np.linalg.norm(np.diff(error, n=2, axis=0), axis=-1)
    total.jitter += float(np.nansum(jitter))
    total.triples += int(np.isfinite(jitter).sum())
    motion = (truth[2:] - truth[:-2]) / 2
    ahead = error[1:-1] * motion
    moved = np.nansum(np.where(np.isfinite(ahead), motion**2, 0.0))
    if moved > 0:
        total.lags.append(float(-np.nansum(ahead) / moved))


main = Command(BenchmarkSmoothingOptions, run, __doc__, 'benchmark_smoothing.py')

if __name__ == '__main__':
    raise SystemExit(main())
