from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stdpose_mm.cli.propagation_advice import list_advice
from stdpose_mm.labelling.review import (
    HiddenLabel,
    LabelAccuracy,
    TrackErrors,
    errors_beside_labels,
    expect_errors_left,
    rank_gains,
    rank_suggestions,
)
from stdpose_mm.structures import VideoLabels
from support.scored_videos import bridge_scores, given_at, scored_track, scored_video


def suggest_frames(labels: VideoLabels, given: Collection[int], num: int) -> list[int]:
    return [suggestion.frame_index for suggestion in rank_suggestions(labels, given, num)]


def test_the_middle_of_an_even_gap_helps_most() -> None:
    labels = scored_video(scored_track([1, *[0.7] * 9, 1]))
    (suggestion,) = rank_suggestions(labels, [0, 10], 1)
    assert suggestion.frame_index == 5
    # By hand: frame 4 keeps the share (5 - 4)(10 - 0) / ((5 - 0)(10 - 4)) = 1/3 of the variance.
    shares = {1: 8 / 9, 2: 3 / 4, 3: 4 / 7, 4: 1 / 3}
    around = sum(0.3 - 0.3 ** (1 / share) for share in shares.values())
    assert suggestion.gain == pytest.approx(2 * (0.3 + 2 * around))


def test_a_doubtful_gap_comes_before_a_longer_sure_one() -> None:
    labels = scored_video(scored_track([1, *[0.99] * 30, 1, *[0.4] * 5, 1]))
    assert suggest_frames(labels, [0, 31, 37], 1) == [34]


def test_all_people_of_a_frame_count() -> None:
    one = scored_track([1, *[0.5] * 9, 1, *[0.8] * 9, 1])
    labels = scored_video(one)
    assert suggest_frames(labels, [0, 10, 20], 1) == [5]
    others = [scored_track([1, *[1] * 9, 1, *[0.8] * 9, 1], track_id) for track_id in (1, 2, 3)]
    assert suggest_frames(scored_video(one, *others), [0, 10, 20], 1) == [15]


def test_several_suggestions_spread_and_gain_less_and_less() -> None:
    labels = scored_video(scored_track(bridge_scores(40)))
    suggestions = rank_suggestions(labels, [0, 40], 7)
    frames = sorted(s.frame_index for s in suggestions)
    assert suggestions[0].frame_index == 20
    assert min(b - a for a, b in pairwise([0, *frames, 40])) >= 4
    gains = [s.gain for s in suggestions]
    assert gains == sorted(gains, reverse=True)


def test_planned_labels_count_as_labelled() -> None:
    labels = scored_video(scored_track([1, *[0.6] * 39, 1]))
    # Both sides are alike, so that rounding decides which comes first.
    first, *others = suggest_frames(labels, [0, 40], 3)
    assert first == 20
    assert {*others} == {*suggest_frames(labels, [0, 20, 40], 2)}


def test_a_person_missing_on_a_labelled_frame_does_not_draw_labels_there() -> None:
    # Person 1 has gone before frame 10, where nobody gave it a label; its doubts go on after it.
    there = scored_track([1, *[0.9] * 9, 1, *[0.9] * 9, 1])
    gone = [p for p in scored_track([1, *[0.1] * 20], 1) if p.frame_index > 8 or p.frame_index == 0]
    labels = scored_video(there, gone)
    assert suggest_frames(labels, [0, 10, 20], 1)[0] in range(12, 19)
    assert suggest_frames(labels, [0, *range(9, 21)], 1)[0] in range(1, 9)


def test_a_person_labelled_at_one_end_only_gains_beyond_it() -> None:
    labels = scored_video(scored_track([1, *(0.9 - 0.04 * t for t in range(1, 21))]))
    (frame,) = suggest_frames(labels, [0], 1)
    assert 12 <= frame < 20


def test_long_videos_are_quick_and_spread() -> None:
    labels = scored_video(scored_track(bridge_scores(2000)))
    frames = sorted(suggest_frames(labels, [0, 2000], 3))
    assert frames[1] == pytest.approx(1000, abs=16)
    assert frames[0] == pytest.approx(500, abs=100)
    assert frames[2] == pytest.approx(1500, abs=100)


def test_without_scores_fast_and_long_gaps_come_first() -> None:
    fast = given_at({0: 0.0, 10: 5.0, 20: 60.0, 30: 65.0}, 31)
    (frame,) = suggest_frames(fast, [0, 10, 20, 30], 1)
    assert 10 < frame < 20
    long = given_at({0: 0.0, 4: 10.0, 24: 10.0}, 25)
    (frame,) = suggest_frames(long, [0, 4, 24], 1)
    assert 4 < frame < 24


def test_labels_that_their_neighbours_foretell_are_less_urgent() -> None:
    # Both halves move as far; the first does so evenly, the second to and fro.
    even = [(t, 4.0 * t) for t in range(0, 41, 10)]
    swinging = [(50, 200.0), (60, 160.0), (70, 200.0), (80, 160.0)]
    labels = given_at(dict(even + swinging), 81)
    (frame,) = suggest_frames(labels, range(0, 81, 10), 1)
    assert frame > 50


def test_a_frame_beyond_the_last_label_may_be_suggested_without_scores() -> None:
    labels = given_at({0: 0.0, 4: 20.0}, 40)
    (frame,) = suggest_frames(labels, [0, 4], 1)
    assert frame > 10


def test_nothing_to_suggest() -> None:
    assert suggest_frames(scored_video(scored_track([1, 1, 1])), [0, 1, 2], 3) == []
    assert suggest_frames(given_at({0: 0.0, 1: 5.0}, 2), [0, 1], 3) == []


@given(
    scores=st.lists(st.floats(0, 0.999), min_size=1, max_size=25),
    labelled=st.sets(st.integers(0, 24)),
    number=st.integers(0, 6),
)
def test_suggestions_are_new_frames_and_gains_are_positive(
    scores: list[float], labelled: set[int], number: int
) -> None:
    marked = [1 if frame in labelled else score for frame, score in enumerate(scores)]
    labels = scored_video(scored_track(marked))
    found = rank_suggestions(labels, labelled, number)
    frames = [suggestion.frame_index for suggestion in found]
    assert len(set(frames)) == len(frames) <= number
    assert not set(frames) & labelled
    assert all(0 <= frame < len(scores) for frame in frames)
    assert all(suggestion.gain > 0 for suggestion in found)
    assert sum(suggestion.gain for suggestion in found) <= 2 * len(scores)


def errors_after(tracks: list[TrackErrors], frames: tuple[int, ...]) -> float:
    """Label frames one after the other, and sum what is expected to be wrong then."""
    left = 0.0
    for track in tracks:
        labelled = TrackErrors(track.times, track.given, track.errors)
        for frame in frames:
            labelled.label(frame)
        left += float(labelled.errors.sum())
    return left


@st.composite
def two_people(draw: st.DrawFn) -> list[TrackErrors]:
    """Two people of 2 joints in 10 frames, each with labels of its own."""
    tracks = []
    for _ in range(2):
        given = np.array(
            draw(st.lists(st.sampled_from([False] * 4 + [True]), min_size=10, max_size=10))
        )
        errors = draw(st.lists(st.floats(0.01, 0.97), min_size=20, max_size=20))
        tracks.append(TrackErrors(np.arange(10), given, np.array(errors).reshape(10, 2)))
    return tracks


@given(tracks=two_people(), number=st.integers(1, 3))
def test_no_other_frames_help_more_together(tracks: list[TrackErrors], number: int) -> None:
    before = errors_after(tracks, ())
    found = rank_gains(tracks, number)
    frames = tuple(suggestion.frame_index for suggestion in found)
    best = min(errors_after(tracks, some) for some in combinations(range(10), number))
    assert errors_after(tracks, frames) == pytest.approx(best)
    assert sum(suggestion.gain for suggestion in found) == pytest.approx(before - best)
    assert errors_after(tracks, ()) == before


@given(tracks=two_people())
def test_errors_left_fall_to_nothing_as_labels_are_made(tracks: list[TrackErrors]) -> None:
    left = expect_errors_left(tracks)
    assert left[0] == pytest.approx(errors_after(tracks, ()))
    assert left[-1] == pytest.approx(0, abs=1e-6)
    assert len(left) <= 11
    # No more is promised than any frames keep, and no step saves more than the one before it.
    for number in range(1, min(3, len(left))):
        best = min(errors_after(tracks, some) for some in combinations(range(10), number))
        assert left[number] <= best + 1e-6
    assert (np.diff(left, 2) >= -1e-6).all()


def test_nothing_is_forgotten_where_there_are_more_frames_than_candidates() -> None:
    # Gaps of two frames overlap with one of 150, of which 64 frames are looked at.
    often = np.arange(152) % 3 == 0
    ends = np.isin(np.arange(152), [0, 151])
    tracks = [TrackErrors(np.arange(152), given, np.full((152, 2), 0.2)) for given in (often, ends)]
    assert expect_errors_left(tracks)[0] == pytest.approx(0.4 * ((~often).sum() + 150))
    before = errors_after(tracks, ())
    for number in (1, 40):
        ranked = rank_gains(tracks, number)
        left = errors_after(tracks, tuple(suggestion.frame_index for suggestion in ranked))
        # The long gap is summed over 128 of its frames.
        gains = sum(suggestion.gain for suggestion in ranked)
        assert gains == pytest.approx(before - left, rel=0.03)


@pytest.mark.parametrize(
    ('scores', 'outlook'),
    [
        # Of 10 joints half a one may be wrong. A label in the middle leaves 4 * 0.4 ** 1.5, since
        # two thirds of the variance are left beside it; labels on both sides leave 2 * 0.4 ** 2.
        (
            [1, 0.6, 0.6, 0.6, 1],
            '76.0% of joints are expected to be right, but too little was measured to '
            'know whether that is enough: give --measure',
        ),
        (
            [1, *[0.99] * 9, 1],
            '99.2% of joints are expected to be right, but too little was measured to '
            'know whether that is enough: give --measure',
        ),
        # Beyond the last label: four of six joints, each wrong with a probability of 0.4.
        (
            [1, 0.6, 0.6],
            '73.3% of joints are expected to be right, but too little was measured to '
            'know whether that is enough: give --measure',
        ),
        ([1, 1, 1], 'no joint was propagated, so there is no accuracy to estimate'),
    ],
)
def test_advice_says_how_many_labels_are_left_to_make(scores: list[float], outlook: str) -> None:
    assert list_advice(scored_video(scored_track(scores)), 0, 1)[-1] == outlook


@pytest.mark.parametrize(
    ('scores', 'outlook'),
    [
        # Six of 20 joints are wrong with a probability of 0.4: log odds of -1.99, which become
        # -1.69 with a deviation of 0.71. As above, a label leaves log odds of -2.93, and two leave
        # -4.12: -2.94 is possible from -2.54 on, and certain from -3.95 on.
        (
            [1, 0.6, 0.6, 0.6, *[1] * 6],
            '84.5% [72.8%, 91.7%] of joints are expected to be right, 1 to 2 more labels would '
            'make it 95%',
        ),
        (
            [1, 0.99, *[1] * 8],
            '99.9% [99.7%, 99.9%] of joints are expected to be right: stop here if 95% is enough',
        ),
    ],
)
def test_once_it_is_measured_a_range_is_told(scores: list[float], outlook: str) -> None:
    hidden = [HiddenLabel(0, n - 1, n, n + 1) for n in (5, 6, 7)]
    accuracy = LabelAccuracy(hidden, np.full(20, 'nose'), np.zeros(20), np.ones(20))
    assert list_advice(scored_video(scored_track(scores)), 0, 1, accuracy)[-1] == outlook


def test_no_advice_is_given_where_none_is_asked_for() -> None:
    assert list_advice(scored_video(scored_track([1, 0.99, 1])), 0, 0) == []


def test_labels_of_others_do_not_make_a_person_right_who_is_there() -> None:
    # Each is labelled where the other is not, but for frame 2, where a joint of person 1 is given.
    one = scored_track([1, 0.6, 0.6, 0.6, 1, 0.6, 0.6, 0.6, 1])
    other = scored_track([0.6, 1, 0.6, 0.6, 0.6, 0.6, 0.6, 1, 0.6], 1)
    other[2] = replace(other[2], source='given', keypoint_sources=np.array(['given', 'propagated']))
    *_, outlook = list_advice(scored_video(one, other), 0, 2)
    # In frames 0 and 8 person 1 is taken to be out of the picture, so that 21 joints are in doubt.
    assert outlook.startswith('76.7% of joints are expected to be right, but too little was ')


def test_frames_that_other_views_know_count_as_labelled():
    dense = scored_video(scored_track([0.5] * 20))
    (track,) = errors_beside_labels(dense, known=(0, 12, 19))
    assert track.given.nonzero()[0].tolist() == [0, 12, 19]
    (best,) = rank_gains([track], 1)
    # The middle of the longest gap.
    assert best.frame_index == 6
