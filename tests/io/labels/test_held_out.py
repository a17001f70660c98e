from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import select_held_out

# SHA-256 begins with ca97 for 'a' (0.791 of its range), 3e23 for 'b' (0.243) and ba78 for 'abc'
# (0.728).
FILES = ['labels/a.json', 'labels/abc.json.gz', 'labels/b.json']


@pytest.mark.parametrize(
    ('share', 'held_out'),
    [
        (0.25, ['labels/b.json']),
        (0.75, ['labels/abc.json.gz', 'labels/b.json']),
        (0.8, FILES),
    ],
)
def test_videos_below_the_share_are_held_out(share, held_out):
    assert select_held_out(FILES, share, 'only') == held_out


def test_exclude_leaves_the_others():
    assert select_held_out(FILES, 0.25, 'exclude') == FILES[:2]


@pytest.mark.parametrize('held_out', ['exclude', 'only'])
def test_share_of_zero_selects_every_video(held_out):
    assert select_held_out(FILES, 0, held_out) == FILES


@given(st.sets(st.text('abcdef0123456789_', min_size=1), max_size=30))
def test_other_videos_do_not_change_the_side_of_one(others):
    files = [*FILES, *(f'more/{name}.json' for name in sorted(others))]
    held_out = select_held_out(files, 0.25, 'only')
    assert 'labels/b.json' in held_out
    assert not {'labels/a.json', 'labels/abc.json.gz'} & set(held_out)


def test_the_share_is_about_that_of_many_videos():
    files = [f'{number:06d}.json' for number in range(2000)]
    # The standard deviation of 2000 draws of 0.1 is 0.0067.
    assert len(select_held_out(files, 0.1, 'only')) / 2000 == pytest.approx(0.1, abs=0.03)


@pytest.mark.parametrize(
    ('share', 'held_out', 'message'),
    [
        (0.1, 'only', r"held_out_share=0\.1 with held_out='only' leaves none of the 3 videos of X"),
        (0.8, 'exclude', r"held_out_share=0\.8 with held_out='exclude' leaves none"),
        (1, 'only', 'held_out_share must be at least 0 and less than 1, got 1'),
        (0.1, 'both', "held_out must be one of exclude, only, got 'both'"),
    ],
)
def test_mistakes_are_one_sentence(share, held_out, message):
    with pytest.raises(InputError, match=message):
        select_held_out(FILES, share, held_out, 'X')
