"""Lists of videos, given as several arguments, a folder or a dataset file.

A dataset file is CSV with a header, or JSON lines (one object per line). Its fields are
``FIELDS``; only ``video`` is required. Relative paths start from the file's folder.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from stdpose_mm.errors import InputError
from stdpose_mm.text import listed

from .disk.file_names import (
    VIDEO_SUFFIXES,
    frames_name,
    is_picture,
    natural_order,
    require_no_stream,
    require_video,
)
from .labels.fields import NO_CHARACTER, Record, parse_json
from .labels.label_files import files_of_none, find_file_of, has_file_of
from .labels.label_source import read_text

DATASET_SUFFIXES = ('.csv', '.jsonl')

FIELDS = ('video', 'labels', 'labels_video', 'boxes', 'out')
"""Fields of a dataset file: the video, its label file, the name of the video in a label file of
several videos, a file with its person boxes, and the output file below the output folder."""


@dataclass(frozen=True)
class VideoFiles:
    """The files of one video that a command reads.

    Args:
        video: A video file or a folder of pictures.
        labels: Its label file; None without one.
        labels_video: Its name in the label file, if that holds several videos.
        boxes: Its file of person boxes; None without one.
        loaded_into_cvat: See :func:`~stdpose_mm.io.labels.cvat.read_cvat`.
    """

    video: Path
    labels: Path | None = None
    labels_video: str | None = None
    boxes: Path | None = None
    loaded_into_cvat: Path | None = None

    @property
    def name(self) -> str:
        """The name of the file without its suffix, or of the folder."""
        return frames_name(self.video)


@dataclass(frozen=True)
class InputVideo(VideoFiles):
    """One video of a list, with the files that a dataset file names for it.

    Args:
        out: Output file below the output folder, if a dataset file names it.
    """

    out: PurePosixPath | None = None

    def find_file(self, path: Path | None, listed: Path | None = None) -> Path | None:
        """Find the label file, or the file with boxes, of the video.

        Args:
            path: One file for all videos, or a folder with one file for each.
            listed: The file that a dataset file names.

        Raises:
            InputError: If the folder has no file for that video, or several.
        """
        if listed is None and path is not None and path.is_dir():
            return find_file_of(self.video, path)
        return listed or path

    def find_labels(
        self, path: Path | None, required: bool = True
    ) -> tuple[Path | None, str | None]:
        """Find the label file of one of several videos, and the name of the video in that file.

        Args:
            path: One file for all videos, or a folder with one file for each.
            required: Whether there must be a file in that folder.

        Raises:
            InputError: See :meth:`find_file`.
        """
        if (
            not required
            and path is not None
            and path.is_dir()
            and not has_file_of(self.video, path)
        ):
            path = None
        file = self.find_file(path, self.labels)
        # A label file for all videos names the video of each label.
        is_shared = self.labels is None and file is not None and file == path
        return file, self.labels_video or (self.name if is_shared else None)


@dataclass(frozen=True)
class VideoInputs:
    """What the positional arguments of a command name.

    Args:
        videos: The videos.
        labels: The label file, or a folder of label files; None without one.
        several: Whether the videos are a list, which may hold only one: more than one argument, a
            dataset file, or a folder of videos (a folder without pictures that contains video files
            or folders of pictures).
        needs_labels: Whether every video must have labels.
        note: A sentence if the folder of labels holds files of none of several videos.
    """

    videos: list[InputVideo]
    labels: Path | None
    several: bool
    needs_labels: bool = False
    note: str | None = None

    def files_of(
        self,
        video: InputVideo,
        labels_video: str | None = None,
        boxes: Path | None = None,
        loaded_into_cvat: Path | None = None,
    ) -> VideoFiles:
        """Find the files of one of the videos.

        Args:
            video: The video.
            labels_video: Name of a single video in its label file.
            boxes: File of boxes; for several videos, a folder with a file for each.
            loaded_into_cvat: Likewise.

        Raises:
            InputError: If a file is missing or ambiguous, or video and labels are exchanged.
        """
        file = self.labels
        if self.several:
            file, labels_video = video.find_labels(self.labels, self.needs_labels)
            boxes = video.find_file(boxes, video.boxes)
        if file is None and self.needs_labels:
            raise InputError(
                f'the labels of {video.video} are missing, give a folder of label files as LABELS, '
                'or the field labels in the dataset file'
            )
        require_video(video.video, file)
        in_cvat = video.find_file(loaded_into_cvat)
        return VideoFiles(video.video, file, labels_video, boxes, in_cvat)


def read_inputs(arguments: Sequence[str], with_labels: bool = False) -> VideoInputs:
    """Read the positional arguments of a command.

    Args:
        arguments: The arguments.
        with_labels: Whether LABELS follow the videos, unless a dataset file names them.

    Raises:
        InputError: If LABELS are missing, or a dataset file cannot be read.
    """
    labels = None
    if with_labels and not (len(arguments) == 1 and is_dataset(arguments[0])):
        *arguments, last = arguments
        labels = Path(last)
        if not arguments:
            raise InputError(
                f'LABELS are missing after {last}, give a video and then its label file, or a '
                'dataset file (.csv, .jsonl)'
            )
    videos: list[InputVideo] = []
    several = len(arguments) > 1
    for path in map(Path, arguments):
        if is_dataset(path):
            several, of_path = True, _read_dataset(path)
        else:
            of_path = [*map(InputVideo, _videos_in(path))]
            several |= bool(of_path)
        videos += of_path or [InputVideo(path)]
    note = None
    if several and labels is not None and labels.is_dir():
        unused = [path.name for path in files_of_none((v.video for v in videos), labels)]
        note = f'{labels}: no video belongs to {listed(unused, 5)}' if unused else None
    return VideoInputs(videos, labels, several, with_labels, note)


def is_dataset(path: str | Path) -> bool:
    """Tell whether a path is a dataset file: JSON lines, or CSV with a column ``video``."""
    path = Path(path)
    if path.suffix.lower() not in DATASET_SUFFIXES or path.is_dir():
        return False
    require_no_stream(path)
    if path.suffix.lower() == '.csv' and path.is_file():
        # A CSV file may also hold labels.
        with open(path, encoding='utf-8-sig', errors='replace') as file:
            # Nor may it be UTF-8: reading it says so.
            header = re.sub('[\0\ufffd]', '', file.readline())
            return 'video' in re.split('[,;\t]', header.strip())
    return True


def _videos_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    paths = [path for path in folder.iterdir() if not path.name.startswith('.')]
    if any(map(is_picture, paths)):
        return []
    videos = (p for p in paths if p.suffix.lower() in VIDEO_SUFFIXES or _holds_pictures(p))
    return sorted(videos, key=natural_order)


def _holds_pictures(path: Path) -> bool:
    # Files and unreadable folders raise and count as holding none.
    with suppress(OSError):
        return any(map(is_picture, path.iterdir()))
    return False


def _read_dataset(path: Path) -> list[InputVideo]:
    text = read_text(path, may_be_empty=True)
    rows = _csv_rows(path, text) if path.suffix.lower() == '.csv' else _json_rows(path, text)
    videos = [_listed(path, Record(path, f'line {line}', row)) for line, row in rows]
    if not videos:
        raise InputError(f'{path} lists no video, expected one per line')
    return videos


def _csv_rows(path: Path, text: str) -> Iterator[tuple[int, Any]]:
    header = text.partition('\n')[0]
    # Spreadsheets use semicolons as separators in many countries.
    delimiter = ';' if ';' in header and ',' not in header else ','
    reader = csv.DictReader(io.StringIO(text, newline=''), delimiter=delimiter, strict=True)
    try:
        for row in reader:
            if None in row or None in row.values():
                where = f'{path}, line {reader.line_num}'
                count = len(reader.fieldnames or ())
                raise InputError(f'{where}: expected {count} values, as many as the header has')
            yield reader.line_num, row
    except csv.Error as error:
        where = f'{path}, after line {reader.line_num}'
        raise InputError(f'{where}: {error}, correct the quotes') from error


def _json_rows(path: Path, text: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield number, parse_json(f'{path}, line {number},', line)


def _listed(path: Path, row: Record) -> InputVideo:
    fields = {field: row.text(field, '').strip() for field in FIELDS}
    for field in row.extra():
        raise row.error(field, f'left out (known fields: {", ".join(FIELDS)})')
    for field, value in fields.items():
        if NO_CHARACTER.search(value):
            raise row.error(field, 'a name')
    if not fields['video']:
        raise row.error('video', 'a video file or a folder of pictures')
    labels, boxes = (path.parent / fields[f] if fields[f] else None for f in ('labels', 'boxes'))
    out = PureWindowsPath(fields['out'])
    if fields['out'] and (out.anchor or '..' in out.parts or not out.parts):
        raise row.error('out', 'a path below the output folder such as day1/clip.json')
    place = PurePosixPath(*out.parts) if out.parts else None
    video = path.parent / fields['video']
    return InputVideo(video, labels, fields['labels_video'] or None, boxes, out=place)
