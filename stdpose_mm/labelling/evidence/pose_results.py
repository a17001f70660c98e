"""Heatmaps drawn from poses that another program has estimated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.io.disk.file_names import video_name
from stdpose_mm.io.fingerprint import fingerprint
from stdpose_mm.io.labels import (
    FrameOptions,
    files_by_video,
    fit_size,
    match_frames,
    read_all_labels,
    sniff_format,
    stands_for_many,
)
from stdpose_mm.io.labels.label_files import find_file_of, listed_files, may_hold_labels
from stdpose_mm.structures import NOT_LABELLED, PersonLabel, VideoLabels
from stdpose_mm.structures.boxes import box_ioa, match_box, person_box
from stdpose_mm.structures.draw_gaussians import draw_gaussians

from .load_pose_network import PoseNetworkFiles
from .pose_network import DRAWN_SIDE, HeatmapSource, PersonFrames, PoseHeatmaps

if TYPE_CHECKING:
    from stdpose_mm.io.video import FrameSource

_SIGMA = 8 / 3
"""Standard deviation in cells: 6 % of the larger side of the box, as estimates are about that far
off on fast clips."""

_HEIGHT = 0.5
"""Height of the peak of a joint with score 1. A position says less than a heatmap, which also shows
how certain the network is; full peaks cost more accuracy than they bring if labels are close
(research/docs/evidence_networks.md, "Poses in place of heatmaps")."""

_LEAST_IOU = 0.2
"""IoU of the boxes below which an estimate is of another person. It is low because the network may
have found only a part of the person."""

_LEAST_INSIDE = 0.8
"""Share of an estimate's box that must lie in the person's box if their IoU is too low: the program
may estimate only the head."""

_LEAST_SCORE = 0.3
"""Joints with a score below this share of the pose's best score do not count for its box: some
programs put joints that they do not see at arbitrary positions."""

_MARKS_GIVEN = 'coco', 'posetrack18', 'posetrack21', 'cvat'
"""Formats in which only this package marks joints as propagated. A SLEAP project, for example, may
hold its own predictions beside labels."""

_ANY_SIZE = 1, 1
"""Picture size for files with relative coordinates if only their joint names matter."""


class PoseResults(HeatmapSource):
    """Gaussians at the joints that another program has estimated, half as high as their scores.

    In each frame, the pose is used whose box overlaps most with the person's box. Without such a
    pose, and for joints without a position, there is no heatmap.

    Args:
        path: A label file with the poses of one video, which are used for any video; a label file
            with the poses of several videos, which are looked up by name; or a folder, or a text
            file with one path a line, that has a file or a folder named after each video.

    Raises:
        InputError: If a file cannot be read.
    """

    question = 'are they poses of this video, in its size?'

    def __init__(self, path: Path) -> None:
        super().__init__(path.name, _any_labels(path).skeleton)
        self._source = _Source(path)

    def files_of(self, video: str) -> dict[str, Path]:
        """See :meth:`HeatmapSource.files_of`."""
        files = files_behind(find_results(self._source.path, video))
        digest = fingerprint(files)
        if digest != self._source.digest:
            # The files have changed since they were read, or belong to another video.
            self._source.video, self._source.digest = None, digest
        return files

    def require_video(self, frames: FrameSource) -> None:
        """See :meth:`HeatmapSource.require_video`."""
        self.people(frames)

    def estimate_frames(self, person: PersonFrames) -> PoseHeatmaps:
        """See :meth:`HeatmapSource.estimate_frames`.

        Raises:
            InputError: If there are no poses of this video, or they do not fit its frames.
        """
        maps = PoseHeatmaps.to_draw_on(person.boxes, self.skeleton.num_keypoints)
        for row, (index, box) in enumerate(zip(person.indices, person.boxes, strict=True)):
            pose = self.choose(person.frames, index, box)
            if pose is None:
                continue
            affine, labelled = maps.to_heatmap[row], pose.labelled.astype(np.float32)
            cells = pose.keypoints @ affine[:, :2].T + affine[:, 2]
            drawn, weights = draw_gaussians(cells, labelled, (DRAWN_SIDE, DRAWN_SIDE), _SIGMA)
            heights = np.ones(len(drawn)) if pose.scores is None else pose.scores.clip(0, 1)
            maps.heatmaps[row] = drawn * (_HEIGHT * heights)[:, None, None]
            maps.known[row] = weights > 0
        return maps

    def choose(self, frames: FrameSource, index: int, box: np.ndarray) -> PersonLabel | None:
        """Choose the person in a box [4] of a frame; return None if nobody is in it."""
        return _choose(self.people(frames).get(index, ()), box)

    def people(self, frames: FrameSource) -> dict[int, list[PersonLabel]]:
        """Return the people that were estimated in each frame of a video, by frame.

        Raises:
            InputError: If there are no poses of this video, or they do not fit its frames.
        """
        source, video = self._source, (frames.name, len(frames), frames.size)
        if source.video != video:
            labels = match_frames(self._read(frames), frames, FrameOptions(subject='estimates'))
            source.people = {}
            for person in fit_size(labels, frames.size, subject='estimates').persons:
                if person.has_joint:
                    source.people.setdefault(person.frame_index, []).append(person)
            source.video = video
        return source.people

    def _read(self, frames: FrameSource) -> VideoLabels:
        """Read the poses of a video.

        Raises:
            InputError: If there are none, they have other joints than the poses of other videos, or
                they were propagated from the labels and so agree with these anyway.
        """
        file = find_results(self._source.path, frames.name)
        videos = {labels.name: labels for labels in read_all_labels(file, size=frames.size)}
        labels = next(iter(videos.values())) if len(videos) == 1 else videos.get(frames.name)
        if labels is None:
            raise _no_poses(file, frames.name, videos)
        if labels.skeleton.keypoint_names != self.skeleton.keypoint_names:
            raise InputError(
                f'the poses of {frames.name} in {self.name} have other joints than those of other '
                'videos there, give the poses of one program'
            )
        if (
            any(pose.has_given_joint for pose in labels.persons)
            and any(pose.has_propagated_joint for pose in labels.persons)
            and sniff_format(file) in _MARKS_GIVEN
        ):
            raise InputError(
                f'{file} holds labels, and poses that were propagated from them and therefore say '
                'nothing new, expected poses that another program has estimated, give that file'
            )
        return labels


def load_results(files: PoseNetworkFiles, device: str) -> PoseResults:
    """Load poses."""
    return PoseResults(files.path)


def result_files(files: PoseNetworkFiles, video: str | None) -> dict[str, Path]:
    """List the files of poses, see :meth:`PoseNetworkFiles.read_files`."""
    return files_behind(files.path if video is None else find_results(files.path, video))


class _Source:
    """Files of poses, and the people of the video that was read last.

    It is not part of the fingerprint of :class:`PoseResults`; ``files_of`` lists the files for it.
    """

    __slots__ = ('digest', 'path', 'people', 'video')

    def __init__(self, path: Path) -> None:
        self.path = path
        self.digest = ''
        self.video: tuple[object, ...] | None = None
        self.people: dict[int, list[PersonLabel]] = {}


def find_results(path: Path, video: str) -> Path:
    """Find the file, or the folder with a file for each picture, that holds results of a video.

    Args:
        path: See :class:`PoseResults`.
        video: Name of the video.

    Raises:
        InputError: If there is none, or more than one.
    """
    _require_there(path)
    if not stands_for_many(path):
        return path
    if path.is_dir():
        return find_file_of(video, path)
    named = files_by_video((video_name(file), file) for file in listed_files(path))
    if video not in named:
        raise _no_poses(path, video, named)
    return named[video]


def files_behind(path: Path) -> dict[str, Path]:
    """List the files that results depend on, by their paths within the folder.

    Args:
        path: A file, a folder or a text file with one path a line.
    """
    if path.is_dir():
        inside = (file for file in path.rglob('*') if file.is_file())
        return {file.relative_to(path).as_posix(): file for file in sorted(inside)}
    files = {'': path}
    if path.suffix in ('.yaml', '.yml'):
        # The YAML file of a YOLO data set, which has a text file for each picture.
        beside = sorted(path.parent.rglob('*.txt'))
        files |= {file.relative_to(path.parent).as_posix(): file for file in beside}
    elif path.is_file() and stands_for_many(path):
        files |= {video_name(file): file for file in listed_files(path)}
    return files


def _require_there(path: Path) -> None:
    if not path.exists():
        raise InputError(
            f'the poses {path} do not exist, give a file or folder of estimated poses, in one of '
            'the label formats'
        )


def _no_poses(path: Path, video: str, others: Iterable[str]) -> InputError:
    return InputError(
        f'{path} holds no poses of the video {video}, only of {", ".join([*others][:5])}, add them '
        'or leave the video out'
    )


def _any_labels(path: Path) -> VideoLabels:
    """Read the poses of any one of the videos.

    Raises:
        InputError: If there are none.
    """
    _require_there(path)
    files = [path]
    if stands_for_many(path):
        files = sorted(path.iterdir()) if path.is_dir() else listed_files(path)
    refused: InputError | None = None
    for file in filter(may_hold_labels, files):
        try:
            return read_all_labels(file, size=_ANY_SIZE)[0]
        except InputError as error:
            # A folder may also hold files that are not label files.
            refused = refused or error
    raise refused or InputError(f'{path} holds no poses, give a file of estimated poses')


def _choose(people: Sequence[PersonLabel], box: np.ndarray) -> PersonLabel | None:
    """Choose the person in a box; return None if nobody is in it."""
    if not people:
        return None
    boxes = np.stack([_box_of(person) for person in people])
    chosen = match_box(box, boxes, _LEAST_IOU)
    if chosen is None:
        inside = np.flatnonzero(box_ioa(boxes, box) >= _LEAST_INSIDE)
        if len(inside) == 1:
            chosen = int(inside[0])
    return None if chosen is None else people[chosen]


def _box_of(person: PersonLabel) -> np.ndarray:
    """Return the person's own box, or else the box around the joints that have a high score."""
    if person.scores is not None and not (person.bbox is not None and person.has_box):
        best = person.scores[person.labelled].max()
        # If the best score is negative, a share of it is higher than the score itself.
        unsure = person.scores < min(best, _LEAST_SCORE * best)
        person = replace(person, visibility=np.where(unsure, NOT_LABELLED, person.visibility))
    return person_box(person)
