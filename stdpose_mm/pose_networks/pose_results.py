"""Poses that another program has estimated, in place of its network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import (
    FrameOptions,
    files_by_video,
    fit_size,
    match_frames,
    read_all_labels,
    stands_for_many,
)
from stdpose_mm.io.labels.coco_records import video_name
from stdpose_mm.io.labels.label_files import LIST_SUFFIX, is_leftover, listed_files
from stdpose_mm.structures import PersonLabel, VideoLabels
from stdpose_mm.structures.boxes import match_box, person_box
from stdpose_mm.structures.draw_gaussians import draw_gaussians

from .crop_geometry import crop_affine
from .pose_network import HeatmapSource, PoseHeatmaps

if TYPE_CHECKING:
    from stdpose_mm.io.video import FrameSource

_FRAME_OPTIONS = FrameOptions(subject='estimates')

_SIDE = 64
"""Cells of a map's side."""

_PADDING = 1.5
"""Size of a map in sizes of the person's box: estimates may lie outside of it."""

_SIGMA = 8 / 3
"""Cells: 6 % of the larger side of the box, which is how far estimates are off on fast clips."""

_HEIGHT = 0.5
"""Height of the peak of a certain joint. A place says less than a heatmap, which also shows how
sure of it a network is: full peaks cost more accuracy than they bring where labels are close
(docs/results/evidence_networks.md, "Poses in place of heatmaps")."""

_LEAST_IOU = 0.2
"""Overlap of boxes below which an estimate is of somebody else. The box of a pose of which the
network has found a part is smaller than the person's."""


class PoseResults(HeatmapSource):
    """Draw a Gaussian at each joint that another program has estimated, half as high as its score.

    In each frame the person in a box is the one whose own box overlaps most with it. Where nobody
    does, and for joints without a place, nothing is known.

    Args:
        path: A file of labels with the poses of one video, which are taken for any video; one with
            those of several, which are found by the video's name; or a folder, or a text file with
            one path a line, with a file for each video that is named after it.

    Raises:
        InputError: If a file cannot be read.
    """

    doubt = 'are they poses of this video, in its size?'

    def __init__(self, path: Path) -> None:
        self.files = result_files(path)
        self._videos = _read(path)
        first = self._videos.any_labels(path)
        super().__init__(path.name, first.skeleton)

    def estimate_frames(
        self, frames: FrameSource, indices: Sequence[int], boxes: np.ndarray
    ) -> PoseHeatmaps:
        """See :meth:`HeatmapSource.estimate_frames`.

        Raises:
            InputError: If there are no poses of this video, or they cannot be those of its frames.
        """
        people = self._people(frames)
        shape = len(indices), self.skeleton.num_keypoints
        maps = np.zeros((*shape, _SIDE, _SIDE), np.float32)
        known = np.zeros(shape, dtype=bool)
        affines = np.stack([crop_affine(box, (_SIDE, _SIDE), _PADDING, 'centre') for box in boxes])
        for row, (index, box) in enumerate(zip(indices, boxes, strict=True)):
            person = _choose(people.get(index, ()), box)
            if person is None:
                continue
            cells = person.keypoints @ affines[row, :, :2].T + affines[row, :, 2]
            drawn, weights = draw_gaussians(
                cells, person.labelled.astype(np.float32), (_SIDE, _SIDE), _SIGMA
            )
            heights = np.ones(shape[1]) if person.scores is None else person.scores.clip(0, 1)
            maps[row] = drawn * (_HEIGHT * heights)[:, None, None]
            known[row] = weights > 0
        return PoseHeatmaps(maps, affines, known)

    def _people(self, frames: FrameSource) -> dict[int, list[PersonLabel]]:
        """Return the people that were estimated in each frame of a video."""
        placed = self._videos.placed
        if frames.name not in placed:
            labels = match_frames(self._labels_of(frames.name), frames, _FRAME_OPTIONS)
            people: dict[int, list[PersonLabel]] = {}
            for person in fit_size(labels, frames.size, subject='estimates').persons:
                if person.labelled.any():
                    people.setdefault(person.frame_index, []).append(person)
            placed[frames.name] = people
        return placed[frames.name]

    def _labels_of(self, video: str) -> VideoLabels:
        """Return the poses of a video as they were read."""
        videos = self._videos
        if videos.files is None and len(videos.labels) == 1:
            (labels,) = videos.labels.values()
            return labels
        if videos.files is not None and video in videos.files:
            labels = _read_one(videos.files[video])
        elif video in videos.labels:
            labels = videos.labels[video]
        else:
            known = ', '.join([*(videos.files or videos.labels)][:5])
            raise InputError(
                f'{self.name} holds no poses of the video {video}, only of {known}, add them or '
                'leave it out'
            )
        if labels.skeleton.keypoint_names != self.skeleton.keypoint_names:
            raise InputError(
                f'the poses of {video} in {self.name} have other joints than those of other '
                'videos there, give the poses of one program'
            )
        return labels


@dataclass
class _Videos:
    """Hold poses of some videos. In fingerprints their files stand for them.

    Args:
        labels: Name of a video -> its poses, of a file that was read as a whole.
        files: Name of a video -> the file of its poses; None for a single file.
        placed: Name of a video -> its people by frame.
    """

    labels: dict[str, VideoLabels] = field(default_factory=dict, compare=False)
    files: dict[str, Path] | None = field(default=None, compare=False)
    placed: dict[str, dict[int, list[PersonLabel]]] = field(default_factory=dict, compare=False)

    def any_labels(self, path: Path) -> VideoLabels:
        """Return the poses of one of the videos.

        Raises:
            InputError: If there are none.
        """
        for labels in self.labels.values():
            return labels
        for file in (self.files or {}).values():
            return _read_one(file)
        raise InputError(f'{path} holds no poses, give a file of estimated poses')


def result_files(path: Path) -> list[Path]:
    """List the files that hold the results of a path: a file, a folder or a list of files."""
    if path.is_dir():
        return sorted(file for file in path.rglob('*') if file.is_file())
    if path.suffix == LIST_SUFFIX and path.is_file() and stands_for_many(path):
        return listed_files(path)
    return [path]


def _read(path: Path) -> _Videos:
    if not path.exists():
        raise InputError(
            f'the poses {path} do not exist, give a file or folder of estimated poses, in a format '
            'of label files'
        )
    if not stands_for_many(path):
        return _Videos({labels.name: labels for labels in read_all_labels(path)})
    files = sorted(path.iterdir()) if path.is_dir() else listed_files(path)
    kept = [file for file in files if file.is_file() and not is_leftover(file)]
    return _Videos(files=files_by_video((video_name(file), file) for file in kept))


def _read_one(file: Path) -> VideoLabels:
    labels = read_all_labels(file)
    if len(labels) != 1:
        raise InputError(
            f'{file} holds {len(labels)} videos, expected the poses of the one it is named after'
        )
    return labels[0]


def _choose(people: Sequence[PersonLabel], box: np.ndarray) -> PersonLabel | None:
    """Choose the one of some people who is in a box; None if none of them is."""
    if not people:
        return None
    chosen = match_box(box, np.stack([person_box(person) for person in people]), _LEAST_IOU)
    return None if chosen is None else people[chosen]
