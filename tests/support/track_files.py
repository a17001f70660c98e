"""Labels of two people, their queries, and files of tracks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from stdpose_mm.io.video import ArrayFrames
from stdpose_mm.labelling.evidence.point_tracks import TrackQueries
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels

SKELETON = Skeleton(('nose', 'left_ankle', 'right_ankle'))
NUM_FRAMES, SIZE = 9, (160, 120)
FRAMES = ArrayFrames([np.full((120, 160, 3), n, np.uint8) for n in range(NUM_FRAMES)], 'clip')
POSE = np.array([[30, 20], [20, 90], [40, 95]], float)
STEP = np.array([2.0, 1.0])
BOX = np.array([15, 10, 50, 100.0])


def place(frame: int, person: int = 0) -> np.ndarray:
    """Where the joints of a person are: [3, 2]."""
    return POSE + frame * STEP + person * np.array([70, 5])


def labels_on(*frames: int, people: int = 1) -> VideoLabels:
    """Label all joints of people on some frames."""
    persons = [
        PersonLabel(frame, place(frame, person), np.full(3, 2), track_id=person)
        for frame in frames
        for person in range(people)
    ]
    return VideoLabels('clip', SKELETON, tuple(map(VideoFrame, range(NUM_FRAMES))), tuple(persons))


def queries_on(*frames: int, people: int = 1) -> TrackQueries:
    """Make the queries of all joints of people on some frames."""
    return TrackQueries.from_labels(labels_on(*frames, people=people), FRAMES)


def perfect_tracks(queries: TrackQueries) -> np.ndarray:
    """Track every query without an error: [T, N, 2]."""
    rows = zip(queries.person.tolist(), queries.joint.tolist(), strict=True)
    each = [[place(t, person)[joint] for t in range(NUM_FRAMES)] for person, joint in rows]
    return np.array(each).swapaxes(0, 1)


def write_tracks(path: Path, queries: TrackQueries, **arrays: Any) -> Path:
    """Write tracks beside their queries."""
    np.savez(path, **vars(queries), **arrays)
    return path
