from __future__ import annotations

import numpy as np
import pytest

from stdpose_mm.datasets.transforms import WindowDegradation
from stdpose_mm.errors import InputError


def window(number: int = 0) -> dict:
    pictures = np.random.default_rng(3).integers(0, 256, (3, 64, 48, 3), dtype=np.uint8)
    return {'img': list(pictures), 'id': number}


def changed(results: dict) -> list[bool]:
    return [not np.array_equal(*pair) for pair in zip(results['img'], window()['img'], strict=True)]


def test_a_frame_is_blurred_or_a_rectangle_of_one_colour_covers_it():
    transform = WindowDegradation(1.0, test_mode=True)
    original = window()['img'][1]
    covered = 0
    for number in range(60):
        picture = transform(window(number))['img'][1]
        rows, columns = np.nonzero((picture != original).any(-1))
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        part = picture[rows.min() :, columns.min() :][:height, :width].reshape(-1, 3)
        if (part == part[0]).all():
            covered += 1
            assert 19 <= height <= 39
            assert 14 <= width <= 29
        else:
            assert picture.astype(float).std() < 0.5 * original.astype(float).std()
    assert 15 <= covered <= 45


def test_testing_degrades_the_key_frame_alone_and_the_same_way_every_time():
    transform = WindowDegradation(1.0, test_mode=True)
    np.random.seed(0)
    state = np.random.get_state()[1].copy()
    first, again, other = (transform(window(number))['img'] for number in (7, 7, 8))
    assert changed({'img': first}) == [False, True, False]
    np.testing.assert_array_equal(first[1], again[1])
    assert not np.array_equal(first[1], other[1])
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_training_degrades_frames_each_by_itself():
    np.random.seed(0)
    transform = WindowDegradation(0.5)
    seen = {tuple(changed(transform(window()))) for _ in range(100)}
    assert len(seen) == 8


@pytest.mark.parametrize(('prob', 'test_mode'), [(0.0, False), (0.0, True), (1.0, True)])
def test_nothing_changes_without_probability_or_without_a_number_in_testing(prob, test_mode):
    results = window()
    del results['id']
    assert changed(WindowDegradation(prob, test_mode=test_mode)(results)) == [False] * 3


def test_pictures_that_came_in_are_not_written_to():
    results = window()
    before = [picture.copy() for picture in results['img']]
    given = list(results['img'])
    WindowDegradation(1.0)(results)
    for picture, copy in zip(given, before, strict=True):
        np.testing.assert_array_equal(picture, copy)


def test_an_impossible_probability_is_refused():
    with pytest.raises(InputError, match=r'prob must be in 0\.\.1, got 1\.5'):
        WindowDegradation(prob=1.5)
