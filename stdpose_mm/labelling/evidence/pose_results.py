"""Poses that another program has estimated, as evidence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

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
from stdpose_mm.structures import PersonLabel, VideoLabels

from .estimated_poses import EstimatedPoses
from .load_pose_network import PoseNetworkFiles

if TYPE_CHECKING:
    from stdpose_mm.io.video import FrameSource

_MARKS_GIVEN = 'coco', 'posetrack18', 'posetrack21', 'cvat'
"""Formats in which only this package marks joints as propagated. A SLEAP project, for example, may
hold its own predictions beside labels."""

_ANY_SIZE = 1, 1
"""Picture size for files with relative coordinates if only their joint names matter."""


class PoseResults(EstimatedPoses):
    """Poses that another program has estimated.

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
        self._people(frames)

    def people_in(self, frames: FrameSource, index: int) -> Sequence[PersonLabel]:
        """See :meth:`EstimatedPoses.people_in`."""
        return self._people(frames).get(index, ())

    def _people(self, frames: FrameSource) -> dict[int, list[PersonLabel]]:
        """Return the people in each frame of a video, by frame; see :meth:`people_in`."""
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
