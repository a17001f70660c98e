"""Checked access to the fields of files from others."""

from __future__ import annotations

from typing import Any

import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.io.labels.fields import Record


@pytest.mark.parametrize('value', [3, 3.0])
def test_whole_numbers_may_be_written_as_floating_point_numbers(value: float) -> None:
    """JSON has one kind of number, and pandas writes those of a column with a gap as 3.0."""
    record = Record('a.json', '', {'id': value})
    numbers = record.integer('id'), record.identifier('id'), record.identity('id')
    assert [(type(number), number) for number in numbers] == [(int, 3)] * 3


@pytest.mark.parametrize('value', [3.5, True, '3', 1e300, float('nan')])
def test_what_is_no_whole_number_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match=r'^a\.json: id must be a whole number, got '):
        Record('a.json', '', {'id': value}).integer('id')


def test_a_field_that_was_released_cannot_be_read_as_if_it_were_missing() -> None:
    record = Record('f.json', '', {'keypoints': [1, 2]})
    assert record.numbers('keypoints').tolist() == [1, 2]
    record.release('keypoints')
    with pytest.raises(RuntimeError, match='keypoints was read and released'):
        record.numbers('keypoints', lacking=True)
