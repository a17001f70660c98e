"""Writing of the labels of long videos frame by frame."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from stdpose_mm.constants import CVAT_TOLERANCE
from stdpose_mm.errors import system_errors_of
from stdpose_mm.io.disk.atomic import json_bytes, write_json_object
from stdpose_mm.io.disk.outputs import choose_format
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels

from .formats import TimeOf, write_labels
from .poses import require_readable
from .posetrack18 import parse_posetrack18, posetrack18_fields

_STREAMED = ('posetrack18', 'posetrack21')


class LabelStream(ExitStack):
    """Writer that takes the labels of a video frame by frame.

    Until :meth:`write`, labels are kept in unnamed temporary files, which vanish with the process:
    memory does not grow with the video, and a killed run leaves nothing behind. PoseTrack18 JSON is
    assembled from these files; for other formats, all labels are read into memory at the end.

    Args:
        name: Name of the video.
        skeleton: Its joints.
        folder: Folder for the temporary files; created if needed.

    Raises:
        InputError: If the folder cannot be written to.
    """

    def __init__(self, name: str, skeleton: Skeleton, folder: Path) -> None:
        super().__init__()
        self._name, self._skeleton = name, skeleton
        self._refusal = f'{folder} cannot be written to'
        with system_errors_of(self._refusal):
            folder.mkdir(parents=True, exist_ok=True)
            self._spooled: dict[str, IO[bytes]] = {
                field: self.enter_context(tempfile.TemporaryFile(dir=folder))  # noqa: SIM115
                for field in ('images', 'annotations')
            }
        self.num_frames = self.num_persons = 0

    def add(self, frame: VideoFrame, persons: Iterable[PersonLabel]) -> None:
        """Add a frame and its people.

        Args:
            frame: A frame that was not added before.
            persons: Labels on this frame.

        Raises:
            InputError: If the folder cannot be written to, or the labels have coordinates that are
                too large to be read again.
            ValueError: See :class:`VideoLabels`.
        """
        labels = VideoLabels(self._name, self._skeleton, (frame,), tuple(persons))
        require_readable(labels)
        fields = posetrack18_fields(labels)
        self.num_frames += 1
        self._put('images', {**fields['images'][0], 'id': self.num_frames})
        for annotation in fields['annotations']:
            self.num_persons += 1
            ids = {'id': self.num_persons, 'image_id': self.num_frames}
            self._put('annotations', {**annotation, **ids})

    def _put(self, name: str, record: Mapping[str, Any]) -> None:
        with system_errors_of(self._refusal):
            self._spooled[name].seek(0, 2)
            self._spooled[name].write(json_bytes(record) + b'\n')

    def write(
        self,
        path: Path,
        format: str | None = None,
        extra: Mapping[str, Any] | None = None,
        time_of: TimeOf | None = None,
        cvat_tolerance: float | None = CVAT_TOLERANCE,
        change: Callable[[VideoLabels], VideoLabels] | None = None,
    ) -> None:
        """Write the frames added so far, atomically; more frames can be added afterwards.

        Args:
            path: Output file; gzipped if it ends in ``.gz``.
            format: See :func:`~stdpose_mm.io.labels.write_labels`.
            extra: Fields of the file itself, if the format supports them.
            time_of: Frame -> seconds from the first frame, for formats that hold times.
            cvat_tolerance: See :func:`write_cvat`; for that format only.
            change: Function that changes the labels, which are then all read into memory.

        Raises:
            InputError: If ``path`` cannot be written.
        """
        format = choose_format(path, format)
        if format in _STREAMED and change is None:
            write_json_object(path, self._fields(extra or {}))
            return
        fields = self._fields({})
        data = fields | {name: [*map(json.loads, fields[name])] for name in self._spooled}
        labels = replace(parse_posetrack18(path, data), name=self._name, extra=dict(extra or {}))
        if change is not None:
            labels = change(labels)
        write_labels(labels, path, format, time_of, cvat_tolerance)

    def _fields(self, extra: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of a PoseTrack18 file; frames and people are iterators of JSON text."""
        fields = posetrack18_fields(VideoLabels(self._name, self._skeleton, (), (), dict(extra)))
        return fields | {name: _lines_of(file) for name, file in self._spooled.items()}


def _lines_of(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    return (line.rstrip() for line in file)
