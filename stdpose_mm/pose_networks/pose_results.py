"""Poses that another program has estimated, in place of its network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stdpose_mm.errors import InputError
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
from stdpose_mm.io.labels.coco_records import video_name
from stdpose_mm.io.labels.label_files import LIST_SUFFIX, listed_files
from stdpose_mm.io.video_list import find_file_named, may_hold_labels
from stdpose_mm.structures import NOT_LABELLED, PersonLabel, VideoLabels
from stdpose_mm.structures.boxes import covered_share, match_box, person_box
from stdpose_mm.structures.draw_gaussians import draw_gaussians
from stdpose_mm.structures.joint_mapping import JointMapping
from stdpose_mm.text import counted

from .crop_geometry import crop_affine
from .misplaced_results import MAX_SHIFT, PosesAtLabels, find_misplacement
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

_LEAST_INSIDE = 0.8
"""Share of an estimate's box that lies in the person's box where it is too small for that overlap:
the program may know the head alone."""

_LEAST_SCORE = 0.3
"""Joints of less than this share of the pose's best score do not count for its box: some programs
give joints that they do not see any place."""

_MOST_COMPARED = 300
"""Labels with which poses are compared to find out whether they are of other frames."""

_MARKS_GIVEN = 'coco', 'posetrack18', 'posetrack21', 'cvat'
"""Formats that have no estimates but those that this package has marked. A SLEAP project has labels
beside predictions, too."""

_ANY_SIZE = 1, 1
"""For reading joint names, and not places, of files that hold fractions of pictures."""


class PoseResults(HeatmapSource):
    """Draw a Gaussian at each joint that another program has estimated, half as high as its score.

    In each frame the person in a box is the one whose own box overlaps most with it. Where nobody
    does, and for joints without a place, nothing is known.

    Args:
        path: A file of labels with the poses of one video, which are taken for any video; one with
            those of several, which are found by the video's name; or a folder, or a text file with
            one path a line, with a file, or a folder, for each video that is named after it.

    Raises:
        InputError: If a file cannot be read.
    """

    doubt = 'are they poses of this video, in its size?'

    def __init__(self, path: Path) -> None:
        self._source = _Source(path)
        super().__init__(path.name, _any_labels(path).skeleton)

    def files_of(self, video: str) -> dict[str, Path]:
        """See :meth:`HeatmapSource.files_of`."""
        files = files_behind(find_results(self._source.path, video))
        digest = fingerprint(files)
        if digest != self._source.digest:
            # They have been changed since they were read, or are of another video.
            self._source.placed, self._source.digest = None, digest
        return files

    def require_video(self, frames: FrameSource) -> None:
        """See :meth:`HeatmapSource.require_video`."""
        self._people(frames)

    def require_agreement(self, frames: FrameSource, labels: VideoLabels) -> None:
        """See :meth:`HeatmapSource.require_agreement`."""
        mapping = JointMapping.by_meaning(labels.skeleton, self.skeleton)
        labelled = [person for person in labels.persons if person.given.any()]
        if mapping is None or not labelled:
            return
        # Of many labels some are enough.
        chosen = np.linspace(0, len(labelled) - 1, min(len(labelled), _MOST_COMPARED)).astype(int)
        poses = self._poses_at(frames, [labelled[row] for row in chosen], mapping)
        found = find_misplacement(poses, np.array(labels.skeleton.flip_indices))
        if found is None:
            return
        if found.shift:
            number, word = (
                counted(abs(found.shift), 'frame'),
                'late' if found.shift > 0 else 'early',
            )
            fault = f'{number} {word} against the labels of {frames.name}'
            mended, remedy = 'shifted', 'give both the frame numbers of the video'
        else:
            fault = f'of other sides than the labels of {frames.name}'
            mended, remedy = 'with left and right exchanged', 'exchange them in one of the files'
        raise InputError(
            f'the poses {self.name} seem to be {fault}: {mended}, they fit {found.won} of '
            f'{found.compared} labels better; {remedy}, or leave the poses out'
        )

    def _poses_at(
        self, frames: FrameSource, labels: Sequence[PersonLabel], mapping: JointMapping
    ) -> PosesAtLabels:
        """Find the poses of the labelled people in the frames around each label."""
        people = self._people(frames)
        boxes = [person_box(label) for label in labels]
        shape = 2 * MAX_SHIFT + 1, len(labels), mapping.num_labels
        found, known = np.zeros((*shape, 2)), np.zeros(shape, dtype=bool)
        for row, (label, box) in enumerate(zip(labels, boxes, strict=True)):
            for place, shift in enumerate(range(-MAX_SHIFT, MAX_SHIFT + 1)):
                person = _choose(people.get(label.frame_index + shift, ()), box)
                if person is not None:
                    found[place, row] = mapping.to_labels(person.keypoints)
                    known[place, row] = mapping.to_labels(_is_sure(person))
        return PosesAtLabels(
            np.stack([label.keypoints for label in labels]),
            np.stack([label.given for label in labels]),
            np.array([box[2:].max() for box in boxes]),
            found,
            known,
        )

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
        source, video = self._source, (frames.name, len(frames), frames.size)
        if source.placed is None or source.placed[0] != video:
            labels = match_frames(self._labels_of(frames), frames, _FRAME_OPTIONS)
            people: dict[int, list[PersonLabel]] = {}
            for person in fit_size(labels, frames.size, subject='estimates').persons:
                if person.labelled.any():
                    people.setdefault(person.frame_index, []).append(person)
            source.placed = video, people
        return source.placed[1]

    def _labels_of(self, frames: FrameSource) -> VideoLabels:
        """Read the poses of a video."""
        path = self._source.path
        file = find_results(path, frames.name)
        videos = {labels.name: labels for labels in read_all_labels(file, size=frames.size)}
        labels = next(iter(videos.values())) if len(videos) == 1 else videos.get(frames.name)
        if labels is None:
            raise InputError(
                f'{file} holds no poses of the video {frames.name}, only of '
                f'{", ".join([*videos][:5])}, add them or leave it out'
            )
        if labels.skeleton.keypoint_names != self.skeleton.keypoint_names:
            raise InputError(
                f'the poses of {frames.name} in {self.name} have other joints than those of other '
                'videos there, give the poses of one program'
            )
        _require_estimates(labels, file)
        return labels


@dataclass
class _Source:
    """Hold where poses come from; no part of a fingerprint, for which there is ``files_of``.

    Args:
        path: See :class:`PoseResults`.
        placed: Name, length and size of the video that was asked for last, and its people by frame.
        digest: Fingerprint of the files that were asked for last.
    """

    path: Path = field(compare=False)
    placed: tuple[object, dict[int, list[PersonLabel]]] | None = field(default=None, compare=False)
    digest: str = field(default='', compare=False)


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
        return find_file_named(video, path)
    named = files_by_video((video_name(file), file) for file in listed_files(path))
    if video not in named:
        raise InputError(
            f'{path} names no poses of the video {video}, only of {", ".join([*named][:5])}, add '
            'them or leave it out'
        )
    return named[video]


def holds_one_video(path: Path) -> bool:
    """Tell whether results are of one video, for which they need not have its name."""
    return not stands_for_many(path) and len(read_all_labels(path, size=_ANY_SIZE)) == 1


def files_behind(path: Path) -> dict[str, Path]:
    """List the files that results depend on, by their names within a folder.

    Args:
        path: A file, a folder or a text file with one path a line.
    """
    if path.is_dir():
        files = (file for file in path.rglob('*') if file.is_file())
        return {file.relative_to(path).as_posix(): file for file in sorted(files)}
    if path.suffix in ('.yaml', '.yml'):
        # YOLO's description of a data set, with a text file for each picture beside it.
        beside = sorted(path.parent.rglob('*.txt'))
        return {'': path} | {file.relative_to(path.parent).as_posix(): file for file in beside}
    if path.suffix == LIST_SUFFIX and path.is_file() and stands_for_many(path):
        return {'': path} | {video_name(file): file for file in listed_files(path)}
    return {'': path}


def _require_there(path: Path) -> None:
    if not path.exists():
        raise InputError(
            f'the poses {path} do not exist, give a file or folder of estimated poses, in a format '
            'of label files'
        )


def _require_estimates(labels: VideoLabels, file: Path) -> None:
    """Require that poses were not propagated from labels, with which they agree in any case.

    Args:
        labels: The poses of a video.
        file: Where they were read.

    Raises:
        InputError: If labels are among them, and estimates of this package beside these.
    """
    poses = labels.persons
    if (
        any(pose.given.any() for pose in poses)
        and any((pose.labelled & pose.propagated).any() for pose in poses)
        and sniff_format(file) in _MARKS_GIVEN
    ):
        raise InputError(
            f'{file} holds labels, and poses that were propagated from them and therefore say '
            'nothing new, expected poses that another program has estimated, give its own file'
        )


def _any_labels(path: Path) -> VideoLabels:
    """Read the poses of one of the videos.

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
            # A folder may hold other files, which are of no video.
            refused = refused or error
    raise refused or InputError(f'{path} holds no poses, give a file of estimated poses')


def _choose(people: Sequence[PersonLabel], box: np.ndarray) -> PersonLabel | None:
    """Choose the one of some people who is in a box; None if none of them is."""
    if not people:
        return None
    boxes = np.stack([_box_of(person) for person in people])
    chosen = match_box(box, boxes, _LEAST_IOU)
    if chosen is None:
        inside = np.flatnonzero(covered_share(boxes, box) >= _LEAST_INSIDE)
        if len(inside) == 1:
            chosen = int(inside[0])
    return None if chosen is None else people[chosen]


def _box_of(person: PersonLabel) -> np.ndarray:
    if not (person.bbox is not None and person.has_box):
        sure = np.where(_is_sure(person), person.visibility, NOT_LABELLED)
        person = replace(person, visibility=sure)
    return person_box(person)


def _is_sure(person: PersonLabel) -> np.ndarray:
    """Return [K] bool: the joints with a place that the program means."""
    if person.scores is None:
        return person.labelled
    best = person.scores[person.labelled].max()
    # A share of a negative score is higher than the score.
    return person.labelled & (person.scores >= min(best, _LEAST_SCORE * best))
