"""Which label files a folder or list holds, and which belongs to a video or names its pictures."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from stdpose_mm.constants import JSON_SUFFIXES, LABEL_FORMATS
from stdpose_mm.errors import InputError, require_choice
from stdpose_mm.io import write_text
from stdpose_mm.io.disk.file_names import (
    PICTURE_SUFFIXES,
    VIDEO_SUFFIXES,
    composed,
    frames_name,
    has_suffix,
    is_leftover,
    path_below,
    path_from,
    video_name,
)
from stdpose_mm.structures import VideoLabels

from .fields import quote
from .frame_numbers import slashed
from .label_source import read_text

LIST_SUFFIX = '.txt'
HELD_OUT = ('exclude', 'only')

_NO_LABELS = (*VIDEO_SUFFIXES, *PICTURE_SUFFIXES, '.html', '.htm', '.onnx')

_File = TypeVar('_File', bound=str | os.PathLike[str])


def files_by_video(files: Iterable[tuple[str, _File]]) -> dict[str, _File]:
    """Map the names of videos to their label files.

    Args:
        files: Pairs of a video's name and its label file.

    Raises:
        InputError: If two files belong to one video.
    """
    file_of: dict[str, _File] = {}
    for name, file in files:
        if name in file_of:
            both = f'the labels {file_of[name]} and {file} both belong to video {name!r}'
            raise InputError(f'{both}, keep one of them or rename one')
        file_of[name] = file
    return file_of


def labels_in(folder: Path, any_format: bool = False) -> list[Path]:
    """List the label files in a folder, sorted, without leftovers.

    Args:
        folder: The folder; its subfolders are not searched.
        any_format: Without JSON, list the files of the first format that has some.
    """
    files = sorted(file for file in folder.iterdir() if not is_leftover(file))
    formats = [form.suffixes for form in LABEL_FORMATS.values() if form.read and not form.to_folder]
    for suffixes in formats if any_format else [JSON_SUFFIXES]:
        named = [file for file in files if has_suffix(file, suffixes)]
        if named:
            return named
    return []


def find_label_files(
    ann_file: str | os.PathLike[str] | Sequence[str],
    owner: str = '',
    hint: str = '',
    any_format: bool = False,
) -> list[str]:
    """Find the label files, one per video, that ``ann_file`` names.

    Args:
        ann_file: A folder (its ``*.json`` and ``*.json.gz``, sorted), one label file, a text file
            with one path per line (relative to the text file's folder), or a list of these.
        owner: Who needs the labels, for errors.
        hint: End of the errors: what to do if there are no labels.
        any_format: See :func:`labels_in`.

    Raises:
        InputError: If a file does not exist, or no file is found.
    """
    of_owner, ending = f' of {owner}' if owner else '', f': {hint}' if hint else ''
    entries = [ann_file] if isinstance(ann_file, (str, os.PathLike)) else ann_file
    files: list[Path] = []
    for entry in map(Path, entries):
        candidates, kind = [entry], 'list'
        # Unlike the methods of Path, these do not raise for names that are too long.
        if os.path.isdir(entry):
            candidates, kind = labels_in(entry, any_format), 'folder'
        elif entry.suffix == LIST_SUFFIX and os.path.isfile(entry):
            candidates = listed_files(entry)
        if not candidates:
            raise InputError(f'the {kind} {entry}{of_owner} holds no label file (*.json){ending}')
        for file in candidates:
            if not os.path.isfile(file):
                raise InputError(f'the labels {file}{of_owner} do not exist{ending}')
        files += candidates
    if not files:
        raise InputError(f'the list of labels{of_owner} is empty{ending}')
    return [str(file) for file in files]


def write_label_list(path: str | os.PathLike[str], files: Sequence[str]) -> None:
    """Write a text file that :func:`find_label_files` reads."""
    folder = Path(path).parent
    write_text(path, ''.join(f'{path_from(folder, file)}\n' for file in files))


def listed_files(path: str | os.PathLike[str]) -> list[Path]:
    """Read a text file with one path per line, relative to its own folder.

    Raises:
        InputError: If it is not a text file.
    """
    lines = map(str.strip, read_text(path, may_be_empty=True).splitlines())
    return [Path(path).parent / line for line in lines if line]


def find_file_of(video: Path | str, folder: Path) -> Path:
    """Find the file in a folder that has the name of a video, up to the suffix.

    DeepLabCut's results, which append the name of a network, are found too. Videos, pictures and
    web pages are ignored. If there is no such file, a folder of that name is returned.

    Args:
        video: A video file or a folder of pictures, or the name of a video.
        folder: The folder.

    Raises:
        InputError: If there is none, or more than one.
    """
    name, path = (video, Path(video)) if isinstance(video, str) else (frames_name(video), video)
    named = [entry for entry in sorted(folder.iterdir()) if _belong_together(name, entry)]
    others = [entry for entry in named if entry.resolve() != path.resolve()]
    files = [entry for entry in others if entry.is_file()] or others
    if not files:
        raise InputError(f'{folder} holds no file for {path}, expected one such as {name}.json')
    if len(files) > 1:
        both = f'{files[0]} and {files[1]} both belong to {path}'
        raise InputError(f'{both}, keep one of them or name it in a dataset file')
    return files[0]


def has_file_of(video: Path, folder: Path) -> bool:
    """Tell whether a folder holds a file that :func:`find_file_of` finds, or several."""
    return any(
        _belong_together(frames_name(video), entry) and entry.resolve() != video.resolve()
        for entry in folder.iterdir()
    )


def files_of_none(videos: Iterable[Path], folder: Path) -> list[Path]:
    """List the files in a folder that belong to none of the videos; see :func:`find_file_of`."""
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and may_hold_labels(path)]
    names = [*map(frames_name, videos)]
    return [path for path in files if not any(_belong_together(name, path) for name in names)]


def may_hold_labels(path: Path) -> bool:
    """Tell by its name whether an entry of a folder may hold labels."""
    return not is_leftover(path) and path.suffix.lower() not in _NO_LABELS


def _belong_together(name: str, path: Path) -> bool:
    name, file = composed(name), Path(composed(path.name))
    is_named = name in (file.stem, video_name(file)) or file.name.startswith(f'{name}DLC_')
    return is_named and may_hold_labels(path)


def frame_sources(
    labels: VideoLabels, image_root: str | Path, video_root: str | Path | None
) -> dict[int, tuple[str, int | None]]:
    """Map frame index -> (path, index) for ``read_frame``, in ascending order.

    Args:
        labels: The video.
        image_root: Folder that the frames' file names are relative to.
        video_root: Folder that the label file's ``info.video`` is relative to; None to read
            pictures even if the label file names a video.

    Raises:
        InputError: If a file is outside its folder, see
            :func:`~stdpose_mm.io.disk.file_names.path_below`, or ``info.video`` is not a string.
    """
    whose = f'the labels of video {labels.name!r}'
    info = labels.extra.get('info')
    video = info.get('video') if isinstance(info, dict) else None
    if not isinstance(video, str | None):
        raise InputError(f'info.video of {whose} must be the name of a file, got {quote(video)}')
    frames = sorted(labels.frames, key=lambda frame: frame.index)
    if video and video_root is not None:
        path = str(path_below(video_root, slashed(video), whose))
        return {frame.index: (path, frame.index) for frame in frames}
    paths = (path_below(image_root, slashed(frame.file_name), whose) for frame in frames)
    return {frame.index: (str(path), None) for frame, path in zip(frames, paths, strict=True)}


def read_selected_videos(
    files: Sequence[str],
    read: Callable[[str], Sequence[VideoLabels]],
    share: float,
    held_out: str,
    owner: str = '',
) -> Iterator[tuple[str, VideoLabels]]:
    """Read label files one by one, and select the held-out videos, or all others.

    A video is held out if a hash of its name, uniform in 0..1, is below the share. So adding or
    removing videos does not affect the others, the order of the files does not matter, and a
    larger share includes all videos of a smaller one.

    Args:
        files: Label files.
        read: Reads the videos of a file.
        share: Share of the videos to hold out, 0 <= share < 1; with 0 all videos are selected.
        held_out: ``'exclude'``: select all but the held-out videos; ``'only'``: only these.
        owner: Who needs the labels, for errors.

    Yields:
        The file and the labels of every selected video, in the given order.

    Raises:
        InputError: If an argument is not as described, or no video is left.
    """
    if not 0 <= share < 1:
        raise InputError(f'held_out_share must be at least 0 and less than 1, got {share}')
    require_choice('held_out', held_out, HELD_OUT)
    number = selected = 0
    for file in files:
        for labels in read(file):
            number += 1
            if share == 0 or (_place(labels.name) < share) == (held_out == 'only'):
                selected += 1
                yield file, labels
    if number and not selected:
        videos = f'{number} videos{f" of {owner}" if owner else ""}'
        what = f'held_out_share={share:g} with held_out={held_out!r} leaves none of the {videos}'
        raise InputError(f'{what}, give more videos or another share')


def _place(name: str) -> float:
    """Hash a name to a number in 0..1."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], 'big') / 2**64
