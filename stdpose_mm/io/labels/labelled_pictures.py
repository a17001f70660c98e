"""Conversion between videos and label files with one picture each."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from stdpose_mm.errors import InputError
from stdpose_mm.io.disk.atomic import PathLike
from stdpose_mm.io.disk.file_names import PICTURE_SUFFIXES, is_picture, video_name
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels
from stdpose_mm.text import counted

from .fields import errors_of, quote, require_distinct
from .frame_numbers import base_name, decoded, follow_names, frame_indices, slashed
from .poses import Person, key_of, located_people, without_repeated


@dataclass(frozen=True)
class LabelledPicture:
    """One picture and the people in it.

    Args:
        name: Path or name of the picture as stated in the file; the suffix may be missing.
        people: Fields of a :class:`PersonLabel` for each person, without ``frame_index``.
        size: (width, height) in pixels; None if unknown.
        is_labeled: Whether an annotator looked at the picture; None if the file does not say.
        where: The label file of the picture, for messages.
        video: Name of its video; '' for that of its folder.
    """

    name: str
    people: Sequence[Person]
    size: tuple[int, int] | None = None
    is_labeled: bool | None = None
    where: str = ''
    video: str = ''


def videos_of_pictures(
    path: PathLike, pictures: Iterable[LabelledPicture], skeleton: Skeleton, **numbers: Any
) -> list[VideoLabels]:
    """Make one video from the pictures of each folder.

    Args:
        path: The file or folder that was read, for messages and to name a video whose pictures
            have no folder.
        pictures: Pictures with the same skeleton.
        skeleton: The joints.
        numbers: What is known of the numbers in the names: ``first_number`` or ``video_names`` of
            :func:`frame_indices`.

    Returns:
        Videos named after the folders in the pictures' names, with frames in ascending order.

    Raises:
        InputError: If a picture appears twice, or labels contradict each other.
    """
    folders: dict[PurePosixPath, list[LabelledPicture]] = {}
    (pictures,) = without_repeated(
        path, 'picture', [[*pictures]], lambda p: key_of((slashed(p.name), *p.people))
    )
    located = located_people(path, (picture.people for picture in pictures))
    for picture, labels in zip(pictures, located, strict=True):
        picture = replace(picture, name=slashed(picture.name), people=labels)
        parent = PurePosixPath(decoded(picture.name)).parent
        folders.setdefault(PurePosixPath(picture.video or parent), []).append(picture)
    require_distinct(path, 'picture', (p.name for group in folders.values() for p in group))
    names = [f.name if f.name not in ('', '..') else video_name(path) for f in folders]
    if len(set(names)) < len(names):
        names = [str(folder) for folder in folders]
    # Any file name in the folder, so that pictures are looked for there.
    file = Path(path) / 'labels' if Path(path).is_dir() else Path(path)
    videos = []
    for name, group in zip(names, folders.values(), strict=True):
        indices, numbering = frame_indices(file, [p.name for p in group], **numbers)
        frames, persons = [], []
        for index, picture in sorted(zip(indices, group, strict=True), key=lambda pair: pair[0]):
            width, height = picture.size or (None, None)
            frames.append(VideoFrame(index, picture.name, None, width, height, picture.is_labeled))
            with errors_of(picture.where):
                people = [PersonLabel(frame_index=index, **fields) for fields in picture.people]
                ids = [person.track_id for person in people if person.track_id is not None]
                require_distinct(picture.where, 'person', ids)
            persons += people
        videos.append(VideoLabels(name, skeleton, (*frames,), (*persons,), numbering=numbering))
    return videos


def find_picture(stem: str, folders: Iterable[Path]) -> Path | None:
    """Find a picture by its name without a suffix in the first folder that has it."""
    suffixes = [s for suffix in PICTURE_SUFFIXES for s in (suffix, suffix.upper())]
    # Texts, because making a path takes longer than looking for the file.
    stems = dict.fromkeys((stem, PurePosixPath(decoded(stem)).name))
    pictures = (
        os.path.join(folder, name + suffix)
        for folder in folders
        for name in stems
        for suffix in suffixes
    )
    return next((Path(picture) for picture in pictures if os.path.isfile(picture)), None)


def picture_names(labels: VideoLabels) -> dict[int, str]:
    """Name the picture of each frame as in the labels, or following the names of other frames.

    Without any names in the labels, pictures are named ``<video>/<video>_000000000012.jpg``.
    """
    names = follow_names({f.index: f.file_name for f in labels.frames}, labels)
    stems = {index: _stem(name) for index, name in names.items()}
    if len({*stems.values()}) < len(stems) or not all(stems.values()):
        prefix = PurePosixPath(labels.name).name or 'video'
        names = {i: f'{labels.name}/{prefix}_{i:012}' for i in names}
    return {
        index: name if is_picture(Path(base_name(name))) else f'{name}.jpg'
        for index, name in sorted(names.items())
    }


def _stem(file_name: str) -> str:
    name = Path(base_name(file_name))
    return name.stem if is_picture(name) else name.name


def frame_files(labels: VideoLabels, folder: PathLike, form: str) -> dict[int, str]:
    """Name the file of each frame after its picture.

    Args:
        labels: The video.
        folder: The folder; existing files with these names will be replaced.
        form: Path of a file in the folder, with ``*`` for the name of the picture.

    Returns:
        Frame -> path of its file in the folder.

    Raises:
        InputError: If the folder holds other files with this suffix, which would be read as frames
            of this video.
    """
    pictures = picture_names(labels)
    files = {i: form.replace('*', _stem(name)) for i, name in pictures.items()}
    place, suffix = Path(folder, form).parent, Path(form).suffix
    written = {Path(folder, name) for name in files.values()}
    others = sorted(file.name for file in {*place.glob(f'*{suffix}')} - written)
    if others:
        what = counted(len(others), f'other {suffix[1:].upper()} file')
        raise InputError(
            f'{folder} holds {what}, such as {quote(others[0])}, which would be read as frames of '
            f'{labels.name}, give another folder'
        )
    return files


def picture_sizes(labels: VideoLabels, path: PathLike) -> dict[int, tuple[int, int]]:
    """Find the size of each picture, for formats that store fractions of the picture.

    Raises:
        InputError: If a size is missing and the other pictures do not all have one size.
    """
    stated = {f.index: (f.width, f.height) for f in labels.frames if f.width and f.height}
    missing, sizes = [index for index in labels if index not in stated], {*stated.values()}
    if missing and len(sizes) != 1:
        raise InputError(
            f'{path}: its format needs the size of every picture, but {labels.name} does not state '
            f'that of frame {missing[0]}, give --labels-size (stdpose convert)'
        )
    return {index: stated.get(index) or min(sizes) for index in labels}
