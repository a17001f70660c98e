"""The labels that edits began with, as the journal holds them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from stdpose_mm.io.labels.fields import Record
from stdpose_mm.io.labels.posetrack18 import parse_posetrack18, posetrack18_fields
from stdpose_mm.propagation import given_labels
from stdpose_mm.structures import FrameNumbering, VideoLabels


def pack_labels(labels: VideoLabels, size: tuple[int, int]) -> dict[str, Any]:
    """Make a JSON value of the labels that are given, with the numbers of all people.

    Args:
        labels: Labels on the frames of the video.
        size: (width, height) of the video.
    """
    # Whether labels without a size fit the video was found out with all of them.
    frames = [replace(frame, width=size[0], height=size[1]) for frame in labels.frames]
    given = replace(given_labels(labels), frames=tuple(frames))
    return {'video': labels.name, 'posetrack18': posetrack18_fields(given)}


def unpack_labels(packed: Any, journal: Path) -> VideoLabels:
    """Make labels on the frames of the video of what :func:`pack_labels` has made.

    Args:
        packed: What it has made.
        journal: Where that was read, for errors.

    Raises:
        InputError: If it is something else.
    """
    record = Record(journal, 'given_labels', packed)
    name, fields = record.text('video'), record.raw('posetrack18', expected='labels')
    labels = parse_posetrack18(journal, fields, visibility='coco')
    numbering = FrameNumbering('matched', 'the journal')
    return replace(labels, name=name, numbering=numbering)
