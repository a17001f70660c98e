"""Finished propagations of a benchmark, so that it goes on where it was stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from stdpose_mm.io import atomic_path
from stdpose_mm.structures import PersonLabel, VideoLabels
from stdpose_mm.version import __version__

ROOT = Path(__file__).resolve().parents[1]

NOT_DECIDING = ('apis', 'evaluation', 'visualization')
"""The subpackages that what is predicted does not depend on."""


class PredictionCache:
    """Predicted labels by everything that decides them.

    An entry is one file that is either complete or not there; one that cannot be read counts as
    not there.

    Args:
        folder: Where the entries lie.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, key: Mapping[str, Any], truth: VideoLabels) -> VideoLabels | None:
        """The labels stored under a key; None if there are none.

        Args:
            key: Plain values by name.
            truth: The labels that give the frames and joints.
        """
        try:
            with np.load(self._path(key)) as stored:
                columns = dict(stored)
            persons = [
                PersonLabel(
                    frame_index=int(columns['frame'][n]),
                    keypoints=columns['keypoints'][n],
                    visibility=columns['visibility'][n],
                    track_id=int(columns['track'][n]),
                    scores=columns['scores'][n],
                    bbox=None if np.isnan(columns['bbox'][n]).any() else columns['bbox'][n],
                    source=str(columns['source'][n]),  # type: ignore[arg-type]
                )
                for n in range(len(columns['frame']))
            ]
            return truth.with_persons(persons)
        except (OSError, ValueError, KeyError, IndexError, EOFError, BadZipFile):
            return None

    def store(self, key: Mapping[str, Any], prediction: VideoLabels) -> None:
        """Keep labels that a propagator made."""
        people = prediction.persons
        num_joints = prediction.skeleton.num_keypoints
        boxes = [np.full(4, np.nan) if p.bbox is None else p.bbox for p in people]
        scores = [np.zeros(num_joints) if p.scores is None else p.scores for p in people]
        columns = {
            'frame': np.array([p.frame_index for p in people], dtype=np.int64),
            'track': np.array([p.track_id for p in people], dtype=np.int64),
            'keypoints': np.array([p.keypoints for p in people]).reshape(-1, num_joints, 2),
            'visibility': np.array([p.visibility for p in people]).reshape(-1, num_joints),
            'scores': np.array(scores).reshape(-1, num_joints),
            'bbox': np.array(boxes).reshape(-1, 4),
            'source': np.array([p.source for p in people], dtype=np.str_),
        }
        with atomic_path(self._path(key)) as temporary, temporary.open('wb') as file:
            np.savez(file, **columns)

    def _path(self, key: Mapping[str, Any]) -> Path:
        text = json.dumps({**key, 'code': code_digest()}, sort_keys=True)
        return self.folder / f'{hashlib.sha256(text.encode()).hexdigest()[:32]}.npz'


def file_digest(path: str | Path) -> str:
    """SHA-256 of a file."""
    digest = hashlib.sha256()
    with Path(path).open('rb') as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def label_digest(labels: VideoLabels) -> str:
    """SHA-256 of the frames, people and joints of a video."""
    digest = hashlib.sha256()
    frames = [(frame.index, frame.file_name) for frame in labels.frames]
    digest.update(repr((labels.name, labels.skeleton.keypoint_names, frames)).encode())
    for person in labels.persons:
        digest.update(repr((person.frame_index, person.track_id, person.source)).encode())
        for array in (person.keypoints, person.visibility, person.bbox, person.head_box):
            digest.update(b'-' if array is None else array.tobytes())
    return digest.hexdigest()


@cache
def code_digest() -> str:
    """SHA-256 of the package's version, and of its code and weights that decide predictions."""
    digest = hashlib.sha256(__version__.encode())
    for path in sorted(ROOT.rglob('*')):
        name = path.relative_to(ROOT)
        if path.is_file() and path.suffix != '.pyc' and name.parts[0] not in NOT_DECIDING:
            digest.update(f'{name}\0'.encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
