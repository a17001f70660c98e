"""Checks of settings, each of which says what was given and what was expected."""

from __future__ import annotations

import pytest

from stdpose_mm.errors import InputError, require_positive


@pytest.mark.parametrize('value', [1, 0.5, 1e-9, float('inf')])
def test_numbers_above_zero_are_positive(value):
    require_positive(minutes=value)


@pytest.mark.parametrize(
    ('value', 'shown'), [(0, '0'), (-1.5, '-1.5'), (float('nan'), 'nan'), ('5', "'5'")]
)
def test_what_is_not_above_zero_is_refused_by_its_name(value, shown):
    with pytest.raises(InputError) as refusal:
        require_positive(hours=1, minutes=value)
    assert str(refusal.value) == f'minutes must be a number above 0, got {shown}'
