from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels

SKELETON = Skeleton(('head', 'left_hand', 'right_hand'), limbs=((0, 1), (0, 2)))

LabelMaker = Callable[..., PersonLabel]


@pytest.fixture(scope='session')
def skeleton() -> Skeleton:
    return SKELETON


@pytest.fixture(scope='session')
def label() -> LabelMaker:
    def make(
        frame: int,
        keypoints: Sequence[Sequence[float]],
        visibility: Sequence[int] | None = None,
        track_id: int | None = 0,
        **fields: object,
    ) -> PersonLabel:
        flags = [2] * len(keypoints) if visibility is None else visibility
        return PersonLabel(
            frame, np.array(keypoints, float), np.array(flags), track_id=track_id, **fields
        )

    return make


@pytest.fixture(scope='session')
def video() -> Callable[..., VideoLabels]:
    def make(persons: Sequence[PersonLabel], num_frames: int) -> VideoLabels:
        return VideoLabels(
            'clip', SKELETON, tuple(VideoFrame(n) for n in range(num_frames)), tuple(persons)
        )

    return make


@pytest.fixture(scope='session')
def blank() -> Callable[[int], np.ndarray]:
    """Frames for propagators that read no picture."""

    def make(num_frames: int) -> np.ndarray:
        return np.zeros((num_frames, 2, 2, 3), np.uint8)

    return make
