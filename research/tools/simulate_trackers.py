r"""Simulate point trackers on densely labelled videos, to measure how their tracks help auto.

    python -m research.tools.simulate_trackers val.txt --video-root data/clips \
        --min-motion 0.02 --out work_dirs/trackers
    python -m research.tools.benchmark_propagation val.txt --video-root data/clips \
        --min-motion 0.02 --interval 7 15 --methods auto --reference auto \
        --evidence auto+fair=work_dirs/trackers/fair=tracks

OUT gets a folder for each tracker, with a file for each video that holds the tracks from all its
labels. The command prints how accurate the tracks alone are: in each frame, the tracks of the
labels on both sides are averaged, weighted by their distance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np

from research.tools.benchmark_propagation import fast_videos
from research.training.simulated_trackers import TRACKERS, simulate_tracks
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.options import LabelledVideoOptions
from stdpose_mm.cli.parser import REQUIRED, option
from stdpose_mm.io.file_names import file_name
from stdpose_mm.io.labelled_videos import open_video, read_videos
from stdpose_mm.propagation import given_labels
from stdpose_mm.structures import VideoLabels


@dataclass(kw_only=True)
class SimulateOptions(LabelledVideoOptions):
    """Options of ``simulate_trackers.py``.

    Args:
        interval: Values of T; every T-th frame is given for the accuracy of the tracks alone.
        min_motion: Use only videos in which joints move by more than X pose sizes per frame.
        out: Folder for the tracks.
    """

    interval: list[int] = option((7, 15), type=int, nargs='+', metavar='T')
    min_motion: float | None = option(metavar='X')
    out: Path = option(REQUIRED, writes=True, is_folder=True, files=('*/*.npz',), metavar='DIR')


def simulate(options: SimulateOptions) -> None:
    """Write the tracks of all trackers in all videos, and print how accurate they are.

    Raises:
        InputError: If labels cannot be read.
    """
    videos = fast_videos(read_videos(options.labels), options.min_motion)
    print('| tracks alone, PCK@0.05 / PCK@0.1 |', *(f'T = {T} |' for T in options.interval))
    for name, tracker in TRACKERS.items():
        folder = options.out / name
        folder.mkdir(parents=True, exist_ok=True)
        errors: dict[int, list[np.ndarray]] = {interval: [] for interval in options.interval}
        for video in videos:
            labels = given_labels(video)
            frames = open_video(labels, options.image_root, options.video_root, False)
            rng = np.random.default_rng(crc32(f'{name} {labels.name}'.encode()))
            arrays = simulate_tracks(labels, frames, tracker, rng)
            np.savez(folder / f'{file_name(labels.name)}.npz', **arrays)
            for interval in options.interval:
                errors[interval] += errors_between(labels, arrays, interval)
        cells = []
        for found in errors.values():
            joined = np.concatenate(found)
            cells.append(
                ' / '.join(f'{100 * (joined < limit).mean():.1f}' for limit in (0.05, 0.1))
            )
        print(f'| {name} |', ' | '.join(cells), '|')


def errors_between(
    labels: VideoLabels, arrays: dict[str, np.ndarray], interval: int
) -> Iterator[np.ndarray]:
    """Yield the errors, in pose sizes, of the blend of both tracks between given labels.

    Args:
        labels: Dense labels of people with track ids.
        arrays: Tracks from all labels.
        interval: T; every T-th frame is given.
    """
    number = {
        (person, int(time), joint): track
        for track, (person, time, joint) in enumerate(
            zip(arrays['person'], arrays['queries'][:, 0], arrays['joint'], strict=True)
        )
    }
    for pose in labels.persons:
        left, ahead = divmod(pose.frame_index, interval)
        ends = left * interval, (left + 1) * interval
        size = np.ptp(pose.keypoints[pose.labelled], axis=0).max()
        errors = []
        for joint in np.flatnonzero(pose.labelled):
            keys = [(pose.track_id, end, joint) for end in ends]
            tracks = [number[key] for key in keys if key in number]
            if ahead and len(tracks) == 2:
                forward, backward = arrays['tracks'][pose.frame_index, tracks]
                place = forward + (backward - forward) * ahead / interval
                errors.append(np.linalg.norm(place - pose.keypoints[joint]) / size)
        yield np.array(errors)


main = Command(SimulateOptions, simulate, __doc__, 'simulate_trackers.py')

if __name__ == '__main__':
    raise SystemExit(main())
