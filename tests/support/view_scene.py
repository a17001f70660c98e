"""A small scene of people in space, and their labels in the views of four calibrated cameras."""

from __future__ import annotations

import numpy as np

from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels
from stdpose_mm.structures.camera import Camera

SKELETON = Skeleton(
    ('head', 'left_hand', 'right_hand', 'left_hip', 'right_hip', 'left_foot', 'right_foot')
)
BODY = np.array(
    [
        (0, 0, 1.7), (0.5, 0.1, 1.1), (-0.6, 0.2, 0.9), (0.15, 0, 0.9), (-0.15, 0, 0.9),
        (0.2, 0.1, 0.1), (-0.1, -0.2, 0.1),
    ]
)  # fmt: skip
NUM_FRAMES = 4


def camera(name: str, x: float, y: float, z: float = 1.5) -> Camera:
    """Build a camera at a place in metres that looks at the middle of the body."""
    centre = np.array([x, y, z])
    ahead = np.array([0, 0, 0.9]) - centre
    ahead /= np.linalg.norm(ahead)
    right = np.cross(ahead, (0, 0, 1))
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(ahead, right), ahead])
    matrix = np.array([(700.0, 0, 400), (0, 700, 300), (0, 0, 1)])
    lens = np.array([-0.1, 0.02, 0, 0])
    return Camera(name, (800, 600), matrix, lens, rotation, -rotation @ centre)


CAMERAS = [
    camera('a', 4, 0),
    camera('b', 0, 4.5, 2),
    camera('c', -4, 1, 1),
    camera('d', 2, -4, 1.8),
]


def body_at(frame: int, person: int = 0) -> np.ndarray:
    """Return the joints of a person; two people pass each other."""
    return BODY + np.array([(0.3 * frame - 0.5) * (-1) ** person, 0.5 * person, 0])


def labels_in(view: Camera, people=(0,), given=(0, 3), ids=None, score=0.9, shift=0.0):
    """Label people where a camera sees them; between the given frames they are off by a shift."""
    persons = [
        PersonLabel(
            frame,
            view.project(body_at(frame, person)) + (0 if frame in given else shift),
            np.full(len(BODY), 2),
            track_id=person if ids is None else ids[person],
            scores=np.full(len(BODY), 1.0 if frame in given else score),
            source='given' if frame in given else 'propagated',
        )
        for frame in range(NUM_FRAMES)
        for person in people
    ]
    frames = tuple(VideoFrame(index) for index in range(NUM_FRAMES))
    return VideoLabels(view.name, SKELETON, frames, tuple(persons))
