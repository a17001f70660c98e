from __future__ import annotations

import numpy as np

from research.comparison.prediction_cache import open_prediction_cache
from stdpose_mm.structures import PersonLabel

PEOPLE = [
    PersonLabel(
        frame_index=3,
        keypoints=np.array([[1.25, 2], [0, 0]]),
        visibility=np.array([2, 0]),
        track_id=7,
        scores=np.array([0.3, 0.0]),
        bbox=np.array([1.0, 2, 3, 4]),
        source='propagated',
    ),
    PersonLabel(4, np.zeros((2, 2)), np.zeros(2), track_id=7, scores=np.zeros(2), source='absent'),
]


def test_people_come_back_as_they_were(tmp_path):
    open_prediction_cache(tmp_path)['key'] = PEOPLE
    back = open_prediction_cache(tmp_path)['key']
    for found, expected in zip(back, PEOPLE, strict=True):
        for name in ('frame_index', 'track_id', 'source'):
            assert getattr(found, name) == getattr(expected, name)
        for name in ('keypoints', 'visibility', 'scores', 'bbox'):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_a_video_without_people(tmp_path):
    open_prediction_cache(tmp_path)['key'] = []
    assert open_prediction_cache(tmp_path)['key'] == []
