"""The labels before the first edit: their form in the journal, and whether others equal them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from stdpose_mm.io.labels.fields import Record
from stdpose_mm.io.labels.posetrack18 import parse_posetrack18, posetrack18_fields
from stdpose_mm.propagation import given_labels
from stdpose_mm.structures import FrameNumbering, PersonLabel, VideoLabels


def pack_labels(labels: VideoLabels, size: tuple[int, int]) -> dict[str, Any]:
    """Convert the given labels, with the numbers of all people, to a JSON value.

    Args:
        labels: Labels on the frames of the video.
        size: (width, height) of the video.
    """
    # That labels without a size fit the video was checked before, with all labels.
    frames = [replace(frame, width=size[0], height=size[1]) for frame in labels.frames]
    given = replace(given_labels(labels), frames=tuple(frames))
    return {'video': labels.name, 'posetrack18': posetrack18_fields(given)}


def unpack_labels(packed: Any, journal: Path) -> VideoLabels:
    """Convert a JSON value of :func:`pack_labels` to labels on the frames of the video.

    Args:
        packed: The JSON value.
        journal: The file that it was read from, for error messages.

    Raises:
        InputError: If ``packed`` is something else.
    """
    record = Record(journal, 'given_labels', packed)
    name, fields = record.text('video'), record.raw('posetrack18', expected='labels')
    labels = parse_posetrack18(journal, fields, visibility='coco')
    numbering = FrameNumbering('matched', 'the journal')
    return replace(labels, name=name, numbering=numbering)


def same_labels(one: VideoLabels, other: VideoLabels) -> bool:
    """Tell whether edits of the given labels of ``one`` can be done to those of ``other``.

    Fields that are only kept for writing, such as names of pictures, may differ.
    """
    return _essence(one) == _essence(other)


def _essence(labels: VideoLabels) -> tuple[tuple[str, ...], dict[tuple[int, int | None], Any]]:
    persons = given_labels(labels).persons
    values = {(person.frame_index, person.track_id): _values(person) for person in persons}
    return labels.skeleton.keypoint_names, values


def _values(person: PersonLabel) -> list[Any]:
    arrays = (
        *(person.keypoints, person.visibility, person.keypoint_sources),
        *(person.bbox, person.head_box),
    )
    return [person.source, *(None if array is None else array.tolist() for array in arrays)]
