"""When a person is there, and what a gap knows of its labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stdpose_mm.labelling.propagation.gaps import NEVER, find_gaps, find_presence_intervals
from stdpose_mm.structures import PersonLabel

POSE = [[10, 10], [0, 30], [20, 30]]


@pytest.mark.parametrize(
    ('life_span', 'frames'),
    [('video', [range(6), range(8, 12)]), ('labels', [range(2, 6), range(8, 11)])],
)
def test_a_person_is_there_until_a_label_says_otherwise(label, life_span, frames):
    track = {n: label(n, POSE) for n in (2, 4, 8, 10)}
    track[6] = label(6, POSE, [0, 0, 0])
    intervals = find_presence_intervals(track, 12, life_span)
    assert [interval.frames for interval in intervals] == frames
    assert [[*interval.labels] for interval in intervals] == [[2, 4], [8, 10]]


def test_the_nearest_label_of_a_joint_says_how_far_and_how_visible_it_is(label):
    # Nothing is known of the last joint after the gap.
    labels = {2: label(2, POSE, [1, 2, 2]), 8: label(8, POSE, [2, 1, 0])}
    boxes = {frame: np.zeros(4) for frame in range(10)}
    (gap,) = (gap for gap in find_gaps(0, labels, boxes, range(10)) if gap.first == 2 != gap.last)
    assert gap.distance_to_label(3).tolist() == [1, 1, 1]
    assert gap.distance_to_label(7).tolist() == [1, 1, 5]
    # At equal distance the label before counts.
    assert gap.visibility_at(5).tolist() == [1, 2, 2]
    assert gap.visibility_at(6).tolist() == [2, 1, 2]


NUM_FRAMES = 12
SOURCES = st.lists(st.sampled_from(['given', 'absent', 'propagated']), min_size=3, max_size=3)


def partial(frame, sources):
    """A label of the joints whose source is 'given', at a place of its own."""
    flags = np.where(np.array(sources) == 'given', 1 + frame % 2, 0)
    return PersonLabel(frame, np.array(POSE) + frame, flags, keypoint_sources=np.array(sources))


def gaps_between(labels):
    return find_gaps(0, labels, dict.fromkeys(range(NUM_FRAMES), np.zeros(4)), range(NUM_FRAMES))


@given(st.dictionaries(st.integers(0, NUM_FRAMES - 1), SOURCES, min_size=1))
def test_the_fingerprints_of_gaps_are_different(sources):
    labels = {frame: partial(frame, found) for frame, found in sources.items()}
    keys = [gap.fingerprint(with_second_labels=False) for gap in gaps_between(labels)]
    assert len({*keys}) == len(keys)


@given(st.dictionaries(st.integers(0, NUM_FRAMES - 1), SOURCES, min_size=1))
def test_the_nearest_labels_of_every_frame_are_those_that_a_search_finds(sources):
    labels = {frame: partial(frame, found) for frame, found in sources.items()}
    for gap in gaps_between(labels):
        for frame in gap.frames:
            before, after = gap.nearest_labels(frame)
            for joint in range(3):
                given = [time for time in labels if labels[time].given[joint]]
                earlier = max((time for time in given if time <= frame), default=NEVER)
                later = min((time for time in given if time > frame), default=NEVER)
                for nearest, expected in ((before, earlier), (after, later)):
                    assert nearest.frames[joint] == expected
                    place, flag = np.zeros(2), 0
                    if expected != NEVER:
                        label = labels[expected]
                        place, flag = label.keypoints[joint], label.visibility[joint]
                    np.testing.assert_array_equal(nearest.keypoints[joint], place)
                    assert nearest.visibility[joint] == flag


def test_the_labels_inside_a_gap_are_looked_through_once_for_all_frames(monkeypatch):
    """An hour of video with a joint that is labelled once would take hours otherwise."""
    labels = {frame: partial(frame, ['given', 'given', 'propagated']) for frame in range(1, 11)}
    labels[0] = partial(0, ['given'] * 3)
    gap = max(gaps_between(labels), key=lambda gap: len(gap.frames))
    assert (len(gap.frames), len(gap.inner)) == (11, 10)
    looked_at = []
    given_of = PersonLabel.given.fget
    monkeypatch.setattr(
        PersonLabel,
        'given',
        property(lambda label: (looked_at.append(label.frame_index), given_of(label))[1]),
    )
    for frame in gap.frames:
        gap.nearest_labels(frame)
    assert len(looked_at) == len(gap.inner)
