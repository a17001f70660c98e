"""Difficulty of propagating the labels of a set of videos.

It is measured by linear interpolation between the given labels: joints that it gets right need no
pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from stdpose_mm.comparison import compare_propagators
from stdpose_mm.errors import InputError
from stdpose_mm.evaluation.functional import pose_sizes
from stdpose_mm.io import write_json
from stdpose_mm.io.labels import find_label_files, read_posetrack18
from stdpose_mm.io.video import UnavailableFrames
from stdpose_mm.propagation.interpolation import LinearPropagator
from stdpose_mm.structures import NOT_LABELLED, OCCLUDED, VideoLabels, given_frames
from stdpose_mm.text import counted

DIFFICULTY_FILE = 'difficulty.json'
DEFAULT_INTERVAL = 7


@dataclass(frozen=True)
class Difficulty:
    """Difficulty of a set of videos; ``None`` where there is nothing to measure.

    Args:
        interval: T, the distance between given frames.
        videos, people: Number of videos and of people (tracks).
        labels: Number of labelled poses.
        displacement: Per cent of the pose size (larger side of the tight box around the labelled
            joints) that a joint moves over T frames, mean over joints.
        occluded: Per cent of the labelled joints that are occluded.
        linear_pck: Per cent of the joints that linear interpolation puts within 0.1 pose sizes,
            on the frames that are not given.
        linear_error_px: Mean error of linear interpolation on these frames, in pixels.
        linear_ap: PoseTrack AP of linear interpolation (mean of the joints) over all frames,
            including given ones.
        linear_ap_unlabelled: The same on the frames that are not given.
    """

    interval: int
    videos: int
    people: int
    labels: int
    displacement: float | None
    occluded: float | None
    linear_pck: float | None
    linear_error_px: float | None
    linear_ap: float | None
    linear_ap_unlabelled: float | None

    def __str__(self) -> str:
        def shown(value: float | None) -> str:
            return '-' if value is None else f'{value:.1f}'

        return (
            f'{counted(self.videos, "video")}, {counted(self.people, "person")}, '
            f'{counted(self.labels, "pose")}; '
            f'{shown(self.occluded)} % of the joints occluded; '
            f'in {self.interval} frames a joint moves {shown(self.displacement)} % of the pose; '
            f'linear interpolation: PCK@0.1 {shown(self.linear_pck)} %, '
            f'error {shown(self.linear_error_px)} px, '
            f'AP {shown(self.linear_ap)} ({shown(self.linear_ap_unlabelled)} on unlabelled frames)'
        )


def report_difficulty(
    folder: str | Path, interval: int = DEFAULT_INTERVAL
) -> dict[str, Difficulty]:
    """Measure a generated data set and write ``difficulty.json`` into its folder.

    Args:
        folder: Folder of a data set that ``datasets.synthetic.write_dataset`` wrote.
        interval: T.

    Returns:
        Split -> difficulty of its videos.

    Raises:
        InputError: If the folder holds no data set, or a label file cannot be read.
    """
    annotations = Path(folder) / 'annotations'
    if not annotations.is_dir():
        raise InputError(f'{folder} holds no data set, expected a folder with annotations/ in it')
    difficulty = {
        split.name: measure_difficulty(
            [read_posetrack18(file) for file in find_label_files(split)], interval
        )
        for split in sorted(annotations.iterdir())
    }
    report = {split: asdict(of_split) for split, of_split in difficulty.items()}
    write_json(Path(folder) / DIFFICULTY_FILE, report, indent=2)
    return difficulty


def measure_difficulty(
    videos: Sequence[VideoLabels], interval: int = DEFAULT_INTERVAL
) -> Difficulty:
    """Measure the difficulty of labelled videos with track ids and head boxes.

    Args:
        videos: Labels of at least one video.
        interval: T of the labelled-frame rule.

    Raises:
        InputError: If a person has no track id or head box.
    """
    linear = _linear_interpolation(videos, interval)
    unlabelled, all_frames = linear or ({}, {})
    flags = np.array([p.visibility for labels in videos for p in labels.persons])
    labelled = (flags != NOT_LABELLED).sum()
    return Difficulty(
        interval=interval,
        videos=len(videos),
        people=sum(len(labels.track_ids) for labels in videos),
        labels=sum(len(labels.persons) for labels in videos),
        displacement=_displacement(videos, interval),
        occluded=100 * float((flags == OCCLUDED).sum() / labelled) if labelled else None,
        linear_pck=_known(unlabelled.get('PCK@0.1')),
        linear_error_px=_known(unlabelled.get('error_px')),
        linear_ap=_known(all_frames.get('AP')),
        linear_ap_unlabelled=_known(unlabelled.get('AP')),
    )


def _linear_interpolation(
    videos: Sequence[VideoLabels], interval: int
) -> tuple[dict[str, float], dict[str, float]] | None:
    """Measure linear interpolation on frames not given and on all; ``None`` if all are given."""
    labelled = [labels.labelled_frame_indices for labels in videos]
    if all(len(given_frames(frames, interval)) == len(frames) for frames in labelled):
        return None
    clips = [
        (
            UnavailableFrames(max(f.index for f in labels.frames) + 1, 'linear reads no picture'),
            labels,
        )
        for labels in videos
    ]
    comparison = compare_propagators(
        clips, {'linear': LinearPropagator()}, interval, num_bootstrap=0
    )
    return comparison.unlabelled['linear'].values, comparison.all_frames['linear'].values


def _displacement(videos: Sequence[VideoLabels], interval: int) -> float | None:
    moved = []
    for labels in videos:
        for track in labels.tracks().values():
            for index, first in track.items():
                second = track.get(index + interval)
                size = pose_sizes(first.keypoints[None], first.labelled[None])[0]
                if second is None or size == 0:
                    continue
                both = first.labelled & second.labelled
                distance = np.linalg.norm(second.keypoints - first.keypoints, axis=1)[both]
                moved.append(distance / size)
    return _known(100 * float(np.concatenate(moved).mean())) if moved else None


def _known(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else float(value)
