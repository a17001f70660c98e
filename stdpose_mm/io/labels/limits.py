"""Limits within which written labels can be read again."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.structures import PersonLabel, VideoLabels

from .fields import MAX_COORDINATE


def require_readable(labels: VideoLabels) -> None:
    """Refuse labels that the readers of this package refuse: coordinates beyond any picture.

    Labels from files lie within these limits, but rescaled and propagated labels may exceed them.

    Raises:
        InputError: If a joint, a corner of a box or of an ignore region lies beyond
            ``MAX_COORDINATE``.
    """
    regions = ((frame.index, r.points) for frame in labels.frames for r in frame.ignore_regions)
    people = ((p.frame_index, points) for p in labels.persons for points in _places(p))
    for frame_index, points in chain(regions, people):
        furthest = float(np.abs(points).max(initial=0))
        # Tolerates the rounding of x + width and y + height.
        if furthest > MAX_COORDINATE + 1e-6:
            raise InputError(
                f'labels of frame {frame_index} of {labels.name} lie {furthest:.6g} pixels away, '
                'beyond the 1e7 that can be read again: check where the given labels lie, and '
                '--labels-size if that is given'
            )


def _places(person: PersonLabel) -> Iterator[np.ndarray]:
    """Yield the points [N, 2] of a label: its joints and the corners of its boxes."""
    yield person.keypoints
    for box in (person.bbox, person.head_box):
        if box is not None:
            yield np.stack([box[:2], box[:2] + box[2:]])
