"""Files that commands are given: boxes without joints, and folders with a file for each video."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from stdpose_mm.io.labels import write_labels
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels


def write_boxes(path: Path, boxes: dict[int, Iterable[np.ndarray]]) -> Path:
    """Write a label file of boxes, track id -> those of the frames in order; return its path."""
    persons = tuple(
        PersonLabel(frame, np.zeros((1, 2)), np.zeros(1), track_id=track_id, bbox=box)
        for track_id, track in boxes.items()
        for frame, box in enumerate(track)
    )
    frames = map(VideoFrame, range(1 + max(person.frame_index for person in persons)))
    write_labels(VideoLabels('clip', Skeleton(('any',)), tuple(frames), persons), path)
    return path


def link_for_each(root: Path, names: Iterable[str], **files: Path) -> list[Path]:
    """Make folders in which the file of a keyword lies under all names; return the folders."""
    folders = [root / folder for folder in files]
    for folder, file in zip(folders, files.values(), strict=True):
        folder.mkdir()
        for name in names:
            os.link(file, folder / f'{name}{file.suffix}')
    return folders
