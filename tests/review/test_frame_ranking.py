from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stdpose_mm.io.video import UnavailableFrames
from stdpose_mm.propagation import propagate_labels
from stdpose_mm.propagation.flow import FlowPropagator
from stdpose_mm.propagation.interpolation import LinearPropagator
from stdpose_mm.review import (
    JointCheck,
    calibrate_scores,
    frames_to_check,
    rank_suggestions,
    suggest_frames,
)
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels

PAIR = Skeleton(('tail', 'nose'), category='mouse')
POSE = np.array([[0.0, 0.0], [100.0, 0.0]])

Scores = Sequence[float | tuple[float, float]]


def track(scores: Scores, track_id: int = 0) -> list[PersonLabel]:
    """A person by the score of its joints in each frame; given where it is 1."""
    return [
        PersonLabel(
            frame,
            POSE,
            np.array([2, 2]),
            track_id,
            scores=np.broadcast_to(score, 2),
            source='given' if score == 1 else 'propagated',
        )
        for frame, score in enumerate(scores)
    ]


def video(*tracks: list[PersonLabel]) -> VideoLabels:
    persons = tuple(person for people in tracks for person in people)
    length = max(person.frame_index for person in persons) + 1
    return VideoLabels('clip', PAIR, tuple(VideoFrame(t) for t in range(length)), persons)


def bridge(length: int) -> list[float]:
    """Scores between labels at 0 and ``length``, which both are given: worst in the middle."""
    between = [1 - np.exp(-(length**2) / (6 * t * (length - t))) for t in range(1, length)]
    return [1, *between, 1]


def given_at(poses: Mapping[int, float], length: int) -> VideoLabels:
    """A mouse of 100 px without a propagated label, at some x in its given frames."""
    labels = [
        PersonLabel(t, POSE + np.array([x, 0.0]), np.array([2, 2]), 0) for t, x in poses.items()
    ]
    return VideoLabels('clip', PAIR, tuple(VideoFrame(t) for t in range(length)), tuple(labels))


def test_expected_wrong_joints_and_the_worst_ones() -> None:
    labels = video(
        track([1, (0.9, 0.4), 1]), track([1, (0.2, 0.8), 1], track_id=7), track([1, 1, 1], 8)
    )
    (check,) = frames_to_check(labels, limit=5)
    assert check.frame_index == 1
    assert check.expected_wrong == pytest.approx(0.1 + 0.6 + 0.8 + 0.2)
    assert check.joints == (
        JointCheck(7, 'tail', 0.2),
        JointCheck(0, 'nose', 0.4),
        JointCheck(7, 'nose', 0.8),
    )


def test_frames_to_check_are_spread_out() -> None:
    # The worst frames are neighbours in one segment; the other segment is better throughout.
    first = [1, 0.6, 0.5, 0.31, 0.3, 0.31, 0.5, 0.6]
    labels = video(track([*first, 1, 0.7, 0.65, 0.7, 1]))
    found = [check.frame_index for check in frames_to_check(labels, limit=3)]
    assert found[:2] == [4, 10]
    assert found[2] not in (3, 5)


def test_nothing_is_left_to_check_in_given_and_absent_frames() -> None:
    absent = PersonLabel(1, np.zeros((2, 2)), np.zeros(2), 0, scores=np.zeros(2), source='absent')
    people = track([1, 0.5, 1])
    assert frames_to_check(video([people[0], absent, people[2]]), limit=3) == []
    assert frames_to_check(video(track([1, 0.5, 1])), limit=0) == []


def test_the_middle_of_an_even_segment_helps_most() -> None:
    labels = video(track([1, *[0.7] * 9, 1]))
    (suggestion,) = rank_suggestions(labels, [0, 10], 1)
    assert suggestion.frame_index == 5
    # By hand: frame 4 keeps the share (5 - 4)(10 - 0) / ((5 - 0)(10 - 4)) = 1/3 of the variance.
    shares = {1: 8 / 9, 2: 3 / 4, 3: 4 / 7, 4: 1 / 3}
    around = sum(0.3 - 0.3 ** (1 / share) for share in shares.values())
    assert suggestion.gain == pytest.approx(2 * (0.3 + 2 * around))


def test_a_doubtful_segment_comes_before_a_longer_sure_one() -> None:
    labels = video(track([1, *[0.99] * 30, 1, *[0.4] * 5, 1]))
    assert suggest_frames(labels, [0, 31, 37], 1) == [34]


def test_all_people_of_a_frame_count() -> None:
    one = track([1, *[0.5] * 9, 1, *[0.8] * 9, 1])
    labels = video(one)
    assert suggest_frames(labels, [0, 10, 20], 1) == [5]
    others = [track([1, *[1] * 9, 1, *[0.8] * 9, 1], track_id) for track_id in (1, 2, 3)]
    assert suggest_frames(video(one, *others), [0, 10, 20], 1) == [15]


def test_several_suggestions_spread_and_gain_less_and_less() -> None:
    labels = video(track(bridge(40)))
    suggestions = rank_suggestions(labels, [0, 40], 7)
    frames = sorted(s.frame_index for s in suggestions)
    assert suggestions[0].frame_index == 20
    assert min(b - a for a, b in pairwise([0, *frames, 40])) >= 4
    gains = [s.gain for s in suggestions]
    assert gains == sorted(gains, reverse=True)


def test_planned_labels_count_as_labelled() -> None:
    labels = video(track([1, *[0.6] * 39, 1]))
    assert suggest_frames(labels, [0, 40], 3)[1:] == suggest_frames(labels, [0, 20, 40], 2)


def test_a_person_missing_on_a_labelled_frame_does_not_draw_labels_there() -> None:
    # Person 1 has gone before frame 10, where nobody gave it a label; its doubts go on after it.
    there = track([1, *[0.9] * 9, 1, *[0.9] * 9, 1])
    gone = [p for p in track([1, *[0.1] * 20], 1) if p.frame_index > 8 or p.frame_index == 0]
    labels = video(there, gone)
    assert suggest_frames(labels, [0, 10, 20], 1)[0] in range(12, 19)
    assert suggest_frames(labels, [0, *range(9, 21)], 1)[0] in range(1, 9)


def test_a_person_labelled_at_one_end_only_gains_beyond_it() -> None:
    labels = video(track([1, *(0.9 - 0.04 * t for t in range(1, 21))]))
    (frame,) = suggest_frames(labels, [0], 1)
    assert 12 <= frame < 20


def test_long_videos_are_quick_and_spread() -> None:
    labels = video(track(bridge(2000)))
    frames = sorted(suggest_frames(labels, [0, 2000], 3))
    assert frames[1] == pytest.approx(1000, abs=16)
    assert frames[0] == pytest.approx(500, abs=100)
    assert frames[2] == pytest.approx(1500, abs=100)


def test_without_scores_fast_and_long_segments_come_first() -> None:
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
    assert suggest_frames(video(track([1, 1, 1])), [0, 1, 2], 3) == []
    assert suggest_frames(given_at({0: 0.0, 1: 5.0}, 2), [0, 1], 3) == []


@settings(deadline=None)
@given(
    scores=st.lists(st.floats(0, 0.999), min_size=1, max_size=25),
    labelled=st.sets(st.integers(0, 24)),
    number=st.integers(0, 6),
)
def test_suggestions_are_new_frames_and_gains_are_positive(
    scores: list[float], labelled: set[int], number: int
) -> None:
    marked = [1 if frame in labelled else score for frame, score in enumerate(scores)]
    labels = video(track(marked))
    found = rank_suggestions(labels, labelled, number)
    frames = [suggestion.frame_index for suggestion in found]
    assert len(set(frames)) == len(frames) <= number
    assert not set(frames) & labelled
    assert all(0 <= frame < len(scores) for frame in frames)
    assert all(suggestion.gain > 0 for suggestion in found)
    assert sum(suggestion.gain for suggestion in found) <= 2 * len(scores)


def test_scores_of_flow_become_probabilities_and_given_ones_stay() -> None:
    assert FlowPropagator.reads_pictures
    honest = calibrate_scores(video(track([1, 0.5, 0.1, 1])), 'flow')
    scores = [person.scores[0] for person in honest.persons]
    assert scores[0] == scores[3] == 1
    assert 0.5 < scores[2] < scores[1] < 1
    labels = video(track([1, 0.5, 0.1, 1]))
    assert calibrate_scores(labels, 'auto') is labels


def test_flow_beyond_the_last_label_is_trusted_by_how_far_it_has_come() -> None:
    people = track([1, *[0.9] * 4])
    moved = [
        replace(p, keypoints=p.keypoints + np.array([[0.0, 0.0], [20.0 * p.frame_index, 0.0]]))
        for p in people
    ]
    scores = np.array([p.scores for p in calibrate_scores(video(moved), 'flow').persons])
    assert (scores[0] == 1).all()
    # By hand: two frames on, the nose has moved by 0.4 pose sizes, the tail not at all.
    odds = 0.21 * np.log(2) + 0.98 * np.log([0.03, 0.43]) + 0.1
    assert scores[2] == pytest.approx(1 / (1 + np.exp(odds)))
    assert (np.diff(scores, axis=0) < 0).all()


def test_scores_of_interpolation_are_what_the_labels_tell() -> None:
    labels = given_at({0: 0.0, 10: 5.0, 20: 60.0}, 21)
    dense = propagate_labels(UnavailableFrames(21, 'none'), labels, LinearPropagator())
    by_frame = {p.frame_index: p for p in calibrate_scores(dense, 'linear').persons}
    assert by_frame[15].scores[0] < by_frame[5].scores[0] < by_frame[1].scores[0] < 1
    assert by_frame[10].scores.tolist() == [1, 1]
    assert suggest_frames(calibrate_scores(dense, 'linear'), [0, 10, 20], 1) == suggest_frames(
        labels, [0, 10, 20], 1
    )
