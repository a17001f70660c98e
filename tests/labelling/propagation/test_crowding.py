"""People in front of each other: where that is, and whose poses follow from it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stdpose_mm.io.video import ArrayFrames
from stdpose_mm.labelling.propagation import propagate_frames
from stdpose_mm.labelling.propagation.interpolation import LinearPropagator
from stdpose_mm.labelling.propagation.track_plans import TrackPlanner, find_crowded_frames
from stdpose_mm.structures import PersonLabel, Skeleton
from stdpose_mm.structures.boxes import box_ioa
from support.shy_propagator import STEP_ASIDE, ShyPropagator

NUM_FRAMES = 11
SKELETON = Skeleton(('a', 'b'))
FRAMES = ArrayFrames(np.zeros((NUM_FRAMES, 4, 4, 3), np.uint8))


def standing(frame: int, x: float, person: int = 1, width: float = 10.0) -> PersonLabel:
    """A person in a box of 20 pixels of height, from the left side ``x`` on."""
    points = np.array([[x, 0], [x + width, 20]])
    box = np.array([x, 0, width, 20])
    return PersonLabel(frame, points, np.full(2, 2), person, bbox=box)


def walking(person: int, **x_at: float) -> dict[int, PersonLabel]:
    labels = {int(name[1:]): x for name, x in x_at.items()}
    return {frame: standing(frame, x, person) for frame, x in labels.items()}


CROSSING = {1: walking(1, f0=0, f10=100), 2: walking(2, f0=100, f10=0), 3: walking(3, f0=500)}
"""Persons 1 and 2 have their centres 20 pixels apart at frames 4 and 6, and meet at frame 5."""


def poses_of(tracks, propagator=None, cache=None, **options):
    found = propagate_frames(
        FRAMES, tracks, SKELETON, propagator or ShyPropagator(), cache, **options
    )
    return {
        (person.track_id, frame): person.keypoints for frame, people in found for person in people
    }


def test_the_share_of_a_box_that_another_covers():
    boxes = np.array([[0.0, 0, 10, 20], [0, 0, 10, 20], [0, 0, 10, 20], [0, 0, 0, 0]])
    others = np.array([[5.0, 0, 10, 20], [-5, -5, 50, 50], [2, 5, 5, 10], [-5, -5, 50, 50]])
    # The last one has no size, and lies nowhere.
    assert box_ioa(boxes, others).tolist() == [0.5, 1.0, 0.25, 0.0]
    assert box_ioa(others, boxes)[1] == pytest.approx(10 * 20 / 2500)


def test_crowded_is_whoever_is_covered_by_more_than_four_fifths():
    box = np.array([0.0, 0, 10, 20])
    boxes = np.tile(box, (4, 1))
    one = np.array([[3.0, 0, 10, 20], [1, 0, 10, 20], [0, 0, 0, 0], [90, 0, 10, 20]])
    other = np.array([[90.0, 0, 10, 20], [90, 0, 10, 20], [90, 0, 10, 20], [-1, 0, 10, 20]])
    assert find_crowded_frames(boxes, np.stack([one, other])).tolist() == [0, 1, 0, 1]


def test_a_child_does_not_hide_the_grown_up_around_it():
    grown_up, child = np.array([[0.0, 0, 10, 20]]), np.array([[2.0, 10, 5, 10]])
    assert not find_crowded_frames(grown_up, child[None]).any()
    assert find_crowded_frames(child, grown_up[None]).all()


def test_gaps_know_where_their_person_is_covered():
    plans = TrackPlanner(NUM_FRAMES).plan(CROSSING, with_others=True)
    assert [gap.crowded.tolist() for gap in plans[1].gaps] == [[0, 0, 0, 0, 1, 0, 0, 0, 0]]
    assert [gap.crowded.tolist() for gap in plans[2].gaps] == [[0, 0, 0, 0, 1, 0, 0, 0, 0]]
    assert not any(gap.crowded.any() for gap in plans[3].gaps)
    (gap,) = plans[1].gaps
    assert gap.is_crowded([4, 5])
    assert not gap.is_crowded([3, 4, 6])


def test_a_labelled_person_hides_others_as_well():
    tracks = {1: walking(1, f0=0, f10=100), 2: {**walking(2, f0=300), 5: standing(5, 51, 2)}}
    plans = TrackPlanner(NUM_FRAMES).plan(tracks, with_others=True)
    assert plans[1].gaps[0].crowded.tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 0]


def test_an_absent_person_hides_nobody():
    absent = PersonLabel(3, np.zeros((2, 2)), np.zeros(2), 2, keypoint_sources=['absent'] * 2)
    tracks = {1: walking(1, f0=0, f10=100), 2: {0: standing(0, 50, 2), 3: absent}}
    plans = TrackPlanner(NUM_FRAMES).plan(tracks, with_others=True)
    assert not plans[1].gaps[0].crowded.any()


def test_a_part_of_the_work_knows_everyone_too():
    planner = TrackPlanner(NUM_FRAMES)
    # The gap of person 2 in which they meet is none of those that hold frame 0 or 1.
    often = {**CROSSING, 2: walking(2, f0=100, f4=60, f6=40, f10=0)}
    for tracks, planned in ((CROSSING, [1]), (often, [1]), (often, None)):
        (gap,) = planner.plan(tracks, planned, range(2), with_others=True)[1].gaps
        assert gap.crowded.tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 0]
    everything = poses_of(CROSSING)
    part = poses_of(CROSSING, track_ids=[1], within=range(2, 4))
    assert sorted(part) == [(1, 2), (1, 3)]
    for key, pose in part.items():
        np.testing.assert_array_equal(pose, everything[key])
        assert pose[0, 0] > STEP_ASIDE


def test_methods_that_look_at_one_person_take_no_notice():
    alone = poses_of({1: CROSSING[1]}, LinearPropagator(), cache := {})
    kept = dict(cache)
    together = poses_of(CROSSING, LinearPropagator(), cache)
    assert kept.keys() < cache.keys()
    for (_, frame), pose in alone.items():
        np.testing.assert_array_equal(pose, together[1, frame])


def test_poses_in_the_cache_are_not_those_of_other_company():
    cache = {}
    apart = {**CROSSING, 2: walking(2, f0=300, f10=300)}
    assert poses_of(apart, cache=cache)[1, 3][0, 0] == pytest.approx(30)
    assert poses_of(CROSSING, cache=cache)[1, 3][0, 0] == pytest.approx(30 + STEP_ASIDE)


@st.composite
def changes(draw):
    """Person 1 and 2 at random places, and person 1 with another label."""
    places = st.dictionaries(
        st.integers(0, NUM_FRAMES - 1), st.sampled_from([0.0, 1, 12, 30]), min_size=1, max_size=4
    )
    tracks = {
        person: {frame: standing(frame, x, person) for frame, x in draw(places).items()}
        for person in (1, 2)
    }
    later = dict(tracks[1])
    frame = draw(st.integers(0, NUM_FRAMES - 1))
    if frame in later and len(later) > 1 and draw(st.booleans()):
        del later[frame]
    else:
        later[frame] = standing(frame, draw(st.sampled_from([0.0, 1, 12, 30])))
    return tracks, {**tracks, 1: later}


@given(change=changes())
def test_all_poses_of_others_that_change_are_found(change):
    earlier, later = change
    before, after = poses_of(earlier), poses_of(later)
    changed = {
        frame
        for (person, frame), pose in after.items()
        if person == 2 and (pose != before[person, frame]).any()
    }
    found = TrackPlanner(NUM_FRAMES).find_affected(earlier, later, False, with_others=True)
    assert changed <= set(found.get(2, ()))


def test_who_moves_elsewhere_concerns_nobody():
    planner = TrackPlanner(NUM_FRAMES)
    away = {**CROSSING, 3: walking(3, f0=700)}
    assert set(planner.find_affected(CROSSING, away, False, with_others=True)) == {3}
    met = {**CROSSING, 3: walking(3, f0=20)}
    # Person 1 passes there at frame 2, person 2 at frame 8.
    expected = {1: range(1, 10), 2: range(1, 10), 3: range(NUM_FRAMES)}
    assert planner.find_affected(CROSSING, met, False, with_others=True) == expected
    assert set(planner.find_affected(CROSSING, met, False, with_others=False)) == {3}
