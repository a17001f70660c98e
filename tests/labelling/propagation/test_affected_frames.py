"""Which frames follow from a change of labels: never fewer than those whose gaps have changed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stdpose_mm.errors import InputError
from stdpose_mm.io.video import ArrayFrames
from stdpose_mm.labelling.propagation import propagate_frames, require_method
from stdpose_mm.labelling.propagation.track_plans import TrackPlanner
from stdpose_mm.structures import PersonLabel, Skeleton

NUM_FRAMES = 20
SKELETON = Skeleton(('a', 'b', 'c'))
FRAMES = ArrayFrames(np.zeros((NUM_FRAMES, 4, 4, 3), np.uint8))


@st.composite
def labels(draw: st.DrawFn, frame: int) -> PersonLabel:
    sources = draw(
        st.lists(
            st.sampled_from(['given', 'given', 'propagated', 'absent']), min_size=3, max_size=3
        )
    )
    if draw(st.integers(0, 5)) == 0:
        sources = ['absent'] * 3
    seed = draw(st.integers(0, 10**6))
    return PersonLabel(
        frame,
        np.random.default_rng(seed).uniform(0, 100, (3, 2)),
        np.where(np.array(sources) == 'given', 2, 0),
        1,
        bbox=draw(st.sampled_from([None, np.array([0.0, 0, 99, 99]), np.array([0.0, 0, 50, 80])])),
        keypoint_sources=np.array(sources),
    )


@st.composite
def changes(draw: st.DrawFn) -> tuple[dict[int, PersonLabel], dict[int, PersonLabel]]:
    frames = draw(st.sets(st.integers(0, NUM_FRAMES - 1), min_size=1, max_size=7))
    earlier = {frame: draw(labels(frame)) for frame in frames}
    later = dict(earlier)
    for frame in draw(st.sets(st.integers(0, NUM_FRAMES - 1), min_size=1, max_size=2)):
        if frame in later and draw(st.booleans()):
            del later[frame]
        else:
            later[frame] = draw(labels(frame))
    return earlier, later


def all_poses(track: dict[int, PersonLabel], method: str) -> list[PersonLabel] | None:
    propagator = require_method(method)()
    try:
        results = propagate_frames(FRAMES, {1: track}, SKELETON, propagator)
        return [people[0] for _, people in results]
    except InputError:
        # Nobody has a place.
        return None


def same(one: PersonLabel, other: PersonLabel) -> bool:
    return (
        one.source == other.source
        and np.array_equal(one.keypoints, other.keypoints)
        and np.array_equal(one.visibility, other.visibility)
        and np.array_equal(one.scores, other.scores)
        and np.array_equal(one.bbox, other.bbox)
    )


Track = dict[int, PersonLabel]


def affected_frames(earlier: Track, later: Track, reads_second_labels: bool = False) -> range:
    planner = TrackPlanner(NUM_FRAMES)
    found = planner.find_affected({1: earlier}, {1: later}, reads_second_labels, with_others=False)
    return found.get(1, range(0))


def gaps_at(track: Track, second: bool) -> list[set[str]]:
    """What fills the gaps of each frame depends on."""
    plan = TrackPlanner(NUM_FRAMES).plan({1: track})[1]
    content = {gap: gap.fingerprint(second) for gap in plan.gaps}
    return [{content[gap] for gap in plan.gaps_at.get(n, ())} for n in range(NUM_FRAMES)]


@given(change=changes())
def test_gaps_of_other_frames_do_not_change(change) -> None:
    for second in (False, True):
        before, after = (gaps_at(track, second) for track in change)
        affected = affected_frames(*change, second)
        assert {n for n in range(NUM_FRAMES) if before[n] != after[n]} <= {*affected}


def test_a_label_of_some_joints_has_a_box_by_other_labels() -> None:
    alone = partial(0, {0, 2}, None)
    later = {0: alone, 1: partial(1, {0, 2}, np.array([0.0, 0, 99, 99]))}
    assert affected_frames({0: alone}, later) == range(NUM_FRAMES)


def test_gaps_of_joints_that_did_not_change_reach_further() -> None:
    """The gap of a from 1 to 9 sees the label of b at 20."""
    box = np.array([0.0, 0, 20, 20])

    def of(frame: int, joints: set[int], shift: float = 0.0) -> PersonLabel:
        label = partial(frame, joints | {2}, box)
        return replace(label, keypoints=label.keypoints + np.array([[0, 0], [shift, 0], [0, 0]]))

    earlier = {0: of(0, {0, 1}), 5: of(5, {1}), 10: of(10, {0}), 14: of(14, {0, 1})}
    later = {**earlier, 14: of(14, {0, 1}, 3.0)}
    assert gaps_at(earlier, False)[3] != gaps_at(later, False)[3]
    assert affected_frames(earlier, later) == range(1, NUM_FRAMES)


@given(change=changes())
def test_no_other_frame_changes(change) -> None:
    earlier, later = change
    for method in ('linear', 'spline'):
        before, after = all_poses(earlier, method), all_poses(later, method)
        if before is None or after is None:
            return
        affected = affected_frames(earlier, later, method == 'spline')
        changed = [n for n in range(NUM_FRAMES) if not same(before[n], after[n])]
        assert set(changed) <= set(affected)


def whole(frame: int, x: float = 0.0) -> PersonLabel:
    return PersonLabel(frame, np.array([[x, 0], [x, 9], [9, 9]]), np.full(3, 2), 1)


def test_the_frames_between_the_labels_around_a_new_one_are_affected() -> None:
    earlier = {n: whole(n) for n in (0, 5, 10, 15)}
    later = {**earlier, 7: whole(7, 3.0)}
    assert affected_frames(earlier, later) == range(6, 10)
    assert affected_frames(earlier, later, reads_second_labels=True) == range(1, 15)
    assert affected_frames(earlier, dict(earlier)) == range(0)


def partial(frame: int, given: set[int], bbox: np.ndarray | None = None) -> PersonLabel:
    sources = np.array(['given' if joint in given else 'propagated' for joint in range(3)])
    visibility = np.where(sources == 'given', 2, 0)
    return PersonLabel(
        frame, whole(frame).keypoints, visibility, 1, bbox=bbox, keypoint_sources=sources
    )


def test_boxes_change_as_far_as_the_next_whole_pose() -> None:
    earlier = {2: whole(2), 6: partial(6, {2}), 8: partial(8, {0, 1}), 12: whole(12)}
    later = {**earlier, 12: whole(12, 30.0)}
    before, after = all_poses(earlier, 'linear'), all_poses(later, 'linear')
    assert [n for n in range(NUM_FRAMES) if not same(before[n], after[n])] == [*range(3, 20)]
    assert affected_frames(earlier, later) == range(3, 20)


def test_frames_are_affected_back_to_labels_of_the_joints_that_did_not_change() -> None:
    box = np.array([0.0, 0, 20, 20])
    earlier = {2: whole(2), 6: partial(6, {2}, box), 8: partial(8, {0, 1}, box), 12: whole(12)}
    moved = np.array([[30.0, 0], [0, 9], [9, 9]])
    later = {**earlier, 12: PersonLabel(12, moved, np.full(3, 2), 1)}
    # The gap of joint 2 begins at 6, and what fills it sees the whole pose at 12.
    assert affected_frames(earlier, later) == range(7, 20)


def test_frames_beyond_the_last_label_are_affected_to_the_end() -> None:
    earlier = {n: whole(n) for n in (0, 5)}
    assert affected_frames(earlier, {**earlier, 8: whole(8)}) == range(6, NUM_FRAMES)


@given(change=changes(), start=st.integers(0, NUM_FRAMES - 1), length=st.integers(1, NUM_FRAMES))
def test_a_part_of_the_frames_is_that_part_of_all(change, start: int, length: int) -> None:
    track = change[0]
    expected = all_poses(track, 'linear')
    if expected is None:
        return
    within = range(start, min(start + length, NUM_FRAMES))
    tracks = {1: track, 2: {3: whole(3)}}
    found = propagate_frames(
        FRAMES, tracks, SKELETON, require_method('linear')(), track_ids=[1], within=within
    )
    poses = dict(found)
    assert list(poses) == list(within)
    assert all(len(people) == 1 and same(people[0], expected[n]) for n, people in poses.items())
