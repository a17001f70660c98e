"""How hard it is to propagate the labels of a set of videos.

The yardstick is linear interpolation between the given labels: what it gets right needs no look
at the pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.evaluation.functional import (
    evaluate_posetrack,
    keypoint_accuracy,
    mean_of_known,
    pose_sizes,
)
from stdpose_mm.io import read_posetrack18
from stdpose_mm.structures import OCCLUDED, PersonLabel, VideoLabels

from ..windows import given_frames

DEFAULT_INTERVAL = 7


@dataclass(frozen=True)
class Difficulty:
    """Figures of a set of videos; None where there is nothing to measure.

    Args:
        interval: T, the distance of given frames.
        videos, people: How many; a person is one track.
        labels: Number of labelled poses.
        displacement: Per cent of the pose size (larger side of the tight box around the labelled
            joints) that a joint moves over T frames, mean over joints.
        occluded: Per cent of the labelled joints that are occluded.
        linear_pck: Per cent of the joints that linear interpolation puts within 0.1 pose sizes,
            on the frames that are not given.
        linear_error_px: Its mean error in pixels on these frames.
        linear_ap: Its PoseTrack AP (mean of the joints) over all frames, the given ones included.
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

    def to_dict(self) -> dict[str, float | int | None]:
        """The figures by name, for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        def shown(value: float | None) -> str:
            return '-' if value is None else f'{value:.1f}'

        return (
            f'{self.videos} videos, {self.people} people, {self.labels} poses; '
            f'{shown(self.occluded)} % of the joints occluded; '
            f'in {self.interval} frames a joint moves {shown(self.displacement)} % of the pose; '
            f'linear interpolation: PCK@0.1 {shown(self.linear_pck)} %, '
            f'error {shown(self.linear_error_px)} px, '
            f'AP {shown(self.linear_ap)} ({shown(self.linear_ap_unlabelled)} on unlabelled frames)'
        )


def measure_folder(folder: str | Path, interval: int = DEFAULT_INTERVAL) -> Difficulty:
    """:func:`measure_difficulty` of a folder of PoseTrack18 label files.

    Raises:
        InputError: If the folder holds no label file or a file is not one.
    """
    paths = sorted(Path(folder).glob('*.json'))
    if not paths:
        raise InputError(f'{folder} holds no .json file, expected PoseTrack18 label files')
    return measure_difficulty([read_posetrack18(path) for path in paths], interval)


def measure_difficulty(
    videos: Sequence[VideoLabels], interval: int = DEFAULT_INTERVAL
) -> Difficulty:
    """Measure labelled videos with track ids and head boxes.

    Args:
        videos: At least one.
        interval: T of the labelled-frame rule.

    Raises:
        InputError: If a person has no track id or head box.
    """
    predictions, unlabelled = [], []
    for labels in videos:
        indices = labels.labelled_frame_indices
        given = given_frames(indices, interval)
        predictions.append(interpolate_linearly(labels, given))
        unlabelled.append(sorted(set(indices) - set(given)))
    accuracy = keypoint_accuracy(videos, predictions, unlabelled, thresholds=(0.1,))
    hidden_truth = [
        labels.keep_frames(frames) for labels, frames in zip(videos, unlabelled, strict=True)
    ]
    flags = np.array([p.visibility for labels in videos for p in labels.persons])
    means = accuracy.means()
    return Difficulty(
        interval=interval,
        videos=len(videos),
        people=sum(len(labels.track_ids) for labels in videos),
        labels=sum(len(labels.persons) for labels in videos),
        displacement=_displacement(videos, interval),
        occluded=100 * float((flags == OCCLUDED).sum() / (flags > 0).sum())
        if flags.any()
        else None,
        linear_pck=_known(means['PCK@0.1']),
        linear_error_px=_known(means['error_px']),
        linear_ap=_known(mean_of_known(evaluate_posetrack(videos, predictions).ap)),
        linear_ap_unlabelled=_known(
            mean_of_known(evaluate_posetrack(hidden_truth, predictions).ap)
        ),
    )


def interpolate_linearly(labels: VideoLabels, given: Sequence[int]) -> VideoLabels:
    """Labels in every frame by linear interpolation of the given frames', joint by joint.

    Before the first and after the last given label of a joint it stays where it is; a joint that
    is labelled on no given frame is not predicted. Scores are 1.

    Args:
        labels: Labels with track ids.
        given: Frames whose labels may be used.
    """
    frames = np.array([frame.index for frame in labels.frames])
    persons = []
    for track_id, track in labels.keep_frames(given).tracks().items():
        known = np.array(sorted(track))
        points = np.stack([track[i].keypoints for i in known])
        labelled = np.stack([track[i].labelled for i in known])
        pose = np.zeros((len(frames), points.shape[1], 2))
        for joint in np.flatnonzero(labelled.any(axis=0)):
            at = labelled[:, joint]
            for axis in range(2):
                pose[:, joint, axis] = np.interp(frames, known[at], points[at, joint, axis])
        exists = labelled.any(axis=0).astype(np.int8)
        persons += [
            PersonLabel(int(frame), keypoints, exists, track_id, scores=exists.astype(float))
            for frame, keypoints in zip(frames, pose, strict=True)
        ]
    return labels.with_persons(sorted(persons, key=lambda p: p.frame_index))


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


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
