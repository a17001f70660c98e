"""Windows: hand-computed cases, and what holds for every range."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stdpose_mm.errors import InputError
from stdpose_mm.structures import (
    Window,
    estimation_window,
    fill_window,
    given_frames,
    person_window,
    propagation_window,
    snap_window,
)


@pytest.mark.parametrize(
    ('interval', 'count'), [(15, 3), (9, 4), (7, 5), (5, 7), (4, 8), (3, 11), (2, 15)]
)
def test_labelled_ratios_of_the_paper(interval, count):
    assert len(given_frames(range(100, 130), interval)) == count


@pytest.mark.parametrize(
    ('frames', 'interval', 'offset', 'given'),
    [
        (range(30), 7, 0, [0, 7, 14, 21, 28]),
        # The last frame is given if it is far enough.
        (range(30), 9, 0, [0, 9, 18, 27]),
        (range(33), 9, 0, [0, 9, 18, 27, 32]),
        # The distance counts in frames, not in labels.
        ([0, 4, 8, 10, 11, 12, 13, 14, 15], 7, 0, [0, 8, 15]),
        # With an offset, the first frame is kept by the rule of the last.
        (range(20), 7, 5, [0, 5, 12, 19]),
        (range(20), 7, 3, [3, 10, 17]),
        ([], 7, 0, []),
    ],
)
def test_given_frames(frames, interval, offset, given):
    assert given_frames(frames, interval, offset) == given


@pytest.mark.parametrize(
    ('key', 'given', 'window'),
    [
        (9, [0, 7, 14], Window(7, 9, 14, (True, True))),
        # A given frame is its own window.
        (7, [0, 7, 14], Window(7, 7, 7, (True, True))),
        # After the last label and before the first one, the distance is mirrored, and clipped.
        (17, [0, 14], Window(14, 17, 20, (True, False))),
        (10, [14], Window(6, 10, 14, (False, True))),
        (2, [14], Window(0, 2, 14, (False, True))),
    ],
)
def test_propagation_window(key, given, window):
    assert propagation_window(key, given, 0, 29) == window


@pytest.mark.parametrize(
    ('key', 'number', 'frames'),
    [
        (0, 3, (0, 0, 1)),
        (9, 3, (8, 9, 9)),
        (5, 5, (3, 4, 5, 6, 7)),
        (1, 5, (0, 0, 1, 2, 3)),
        (9, 5, (7, 8, 9, 9, 9)),
    ],
)
def test_estimation_window(key, number, frames):
    assert estimation_window(key, 0, 9, num_frames=number).frames == frames


def test_given_frames_refuses_an_interval_of_nothing():
    with pytest.raises(InputError, match='at least 1, got 0'):
        given_frames(range(5), 0)


ORDER, PAIRS = 'left <= key <= right', 'must be in pairs and in time order'
NO_MIDDLE = 'num_frames must be odd and at least 3, .* got'


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda: propagation_window(10, [3], 0, 9), f'{ORDER}, got 3, 10, 9'),
        (lambda: estimation_window(-1, 0, 9), ORDER),
        (lambda: estimation_window(10, 0, 9), ORDER),
        (lambda: estimation_window(5, 0, 9, num_frames=2), f'{NO_MIDDLE} 2'),
        (lambda: fill_window(Window(0, 3, 8), 4), f'{NO_MIDDLE} 4'),
        (lambda: fill_window(Window(0, 3, 8), 1), f'{NO_MIDDLE} 1'),
        (lambda: Window(3, 2, 5), f'{ORDER}, got 3, 2, 5'),
        (lambda: Window(0, 4, 8, further=(2,)), PAIRS),
        (lambda: Window(0, 4, 8, further=(5, 2)), PAIRS),
        (lambda: Window(0, 4, 8, further=(2, 9)), PAIRS),
    ],
)
def test_windows_that_are_none_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ('key', 'own', 'given', 'count', 'window'),
    [
        # A labelled key: from the label before to the one after.
        (7, [0, 7, 14], [0, 7, 14], 30, Window(0, 7, 14, (True, True))),
        # The person's own labels come first.
        (9, [0, 14], [0, 7, 14], 30, Window(0, 9, 14, (True, True))),
        # Without any, the given frames are shown without labels.
        (9, [], [0, 7, 14], 30, Window(7, 9, 14, (False, False))),
        # Its only label.
        (7, [7], [7], 30, Window(6, 7, 8, (False, False))),
        # The last frame.
        (9, [0], [0], 10, Window(0, 9, 9, (True, False))),
    ],
)
def test_person_window(key, own, given, count, window):
    assert person_window(key, own, given, range(count)) == window


def test_person_window_avoids_frames_that_do_not_exist():
    known = [f for f in range(30) if f not in (20, 19)]
    assert person_window(17, [14], [14], known) == Window(14, 17, 18, (True, False))


ranges = st.lists(st.integers(0, 200), min_size=1, max_size=60, unique=True).map(sorted)


@given(ranges, st.integers(1, 20), st.data())
def test_no_frame_is_far_from_a_given_one(frames, interval, data):
    offset = data.draw(st.integers(0, interval - 1))
    chosen = given_frames(frames, interval, offset)
    assert set(chosen) <= set(frames)
    assert chosen == sorted(set(chosen))
    assert frames[-1] - chosen[-1] <= interval // 2
    assert chosen[0] - frames[0] <= interval // 2
    if offset == 0:
        assert chosen[0] == frames[0]
    for left, right in pairwise(chosen):
        skipped = [f for f in frames if left < f < right]
        assert all(f - left < interval for f in skipped)


@given(ranges, st.data())
def test_window_properties(given_indices, data):
    first, last = 0, 200
    key = data.draw(st.integers(first, last))
    window = propagation_window(key, given_indices, first, last)
    assert first <= window.left <= window.key <= window.right <= last
    assert 0.0 <= window.position <= 1.0
    assert window.given[0] or window.given[1]
    if window.given[0]:
        assert window.left in given_indices
        assert not any(window.left < g <= key for g in given_indices)
    else:
        assert not any(g <= key for g in given_indices)
    if window.given[1]:
        assert window.right in given_indices
        assert not any(key <= g < window.right for g in given_indices)
    else:
        assert not any(g >= key for g in given_indices)


@pytest.mark.parametrize(
    ('window', 'frames'),
    [
        # Evenly between the labels and the key.
        ((0, 6, 14), (0, 3, 6, 10, 14)),
        ((0, 6, 14), (0, 2, 4, 6, 8, 11, 14)),
        # Between two, the one nearer to the key.
        ((0, 3, 8), (0, 2, 3, 5, 8)),
        # Where there is no room, they repeat.
        ((3, 4, 5), (3, 4, 4, 4, 5)),
        ((0, 3, 12), (0, 3, 12)),
    ],
)
def test_further_frames(window, frames):
    assert fill_window(Window(*window), len(frames)).frames == frames


def test_further_frames_leave_labels_and_position_as_they_are():
    filled = fill_window(Window(0, 3, 12, (True, False)), 5)
    assert filled.given == (True, False)
    assert filled.position == 0.25
    assert Window(7, 7, 7).position == 0.5
    assert (filled.before, filled.after) == ((0, 2), (7, 12))


def test_window_of_a_person_has_further_frames_with_and_without_labels():
    frames = range(30)
    assert person_window(5, [0, 10], [0, 10], frames, num_frames=5).frames == (0, 3, 5, 7, 10)
    others = person_window(5, [], [0, 10], frames, num_frames=5)
    assert others == Window(0, 5, 10, further=(3, 7))
    assert person_window(5, [], [], frames, num_frames=5).frames == (3, 4, 5, 6, 7)


def test_further_frames_that_do_not_exist_give_way_towards_the_key():
    window = snap_window(Window(0, 4, 8, further=(2, 6)), [0, 3, 4, 5, 8])
    assert window.frames == (0, 3, 4, 5, 8)


@given(st.data())
def test_windows_of_any_length_stay_within_their_three_frames(data):
    left, key, right = sorted(data.draw(st.tuples(*[st.integers(0, 60)] * 3)))
    number = data.draw(st.sampled_from([3, 5, 7, 9]))
    frames = fill_window(Window(left, key, right), number).frames
    assert len(frames) == number
    assert (frames[0], frames[number // 2], frames[-1]) == (left, key, right)
    assert list(frames) == sorted(frames)
    # Even: no step is more than a frame longer than another one of its side.
    for side in (frames[: number // 2 + 1], frames[number // 2 :]):
        steps = [b - a for a, b in pairwise(side)]
        assert max(steps) - min(steps) <= 1
