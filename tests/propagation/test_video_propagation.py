from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stdpose_mm.errors import InputError
from stdpose_mm.propagation import (
    LinearPropagator,
    build_propagator,
    keep_every,
    propagate_frames,
    propagate_labels,
    repropagate,
)
from stdpose_mm.structures import PersonLabel


@st.composite
def sparse_videos(draw):
    """(number of frames, labels of up to 3 people on random frames, joints missing at random)."""
    num_frames = draw(st.integers(1, 25))
    coordinate = st.floats(-50, 500, allow_nan=False)
    persons = []
    for track_id in draw(st.lists(st.integers(0, 99), min_size=1, max_size=3, unique=True)):
        for frame in sorted(draw(st.sets(st.integers(0, num_frames - 1), min_size=1, max_size=6))):
            flags = draw(st.lists(st.integers(0, 2), min_size=3, max_size=3))
            points = draw(st.lists(coordinate, min_size=6, max_size=6))
            persons.append(
                PersonLabel(
                    frame,
                    np.reshape(points, (3, 2)),
                    np.array(flags),
                    track_id=track_id,
                    bbox=np.array([1.0, 2.0, 30.0, 40.0]),
                )
            )
    return num_frames, persons


@settings(max_examples=60, deadline=None)
@given(sparse=sparse_videos())
def test_every_person_is_in_every_frame_and_given_labels_are_unchanged(video, blank, sparse):
    num_frames, persons = sparse
    dense = propagate_labels(blank(num_frames), video(persons, num_frames), LinearPropagator())

    tracks = {person.track_id for person in persons}
    found = [(person.frame_index, person.track_id) for person in dense.persons]
    assert found == [(n, track) for n in range(num_frames) for track in sorted(tracks)]
    assert [frame.index for frame in dense.frames] == list(range(num_frames))
    results = {(p.frame_index, p.track_id): p for p in dense.persons}
    for person in persons:
        result = results.pop((person.frame_index, person.track_id))
        np.testing.assert_array_equal(result.keypoints, person.keypoints)
        np.testing.assert_array_equal(result.visibility, person.visibility)
        np.testing.assert_array_equal(result.bbox, person.bbox)
        assert result.source == 'given'
    for person in results.values():
        assert person.source == 'propagated'
        assert ((person.scores > 0) == person.labelled).all()
        assert (person.scores <= 1).all()


POSE = [[10, 10], [20, 10], [10, 30]]


def test_people_without_ids_get_them(label, video, blank):
    far = [[x + 300, y] for x, y in POSE]
    persons = [
        label(0, POSE, track_id=None),
        label(0, far, track_id=None),
        label(4, far, track_id=None),
        label(4, POSE, track_id=None),
    ]
    dense = propagate_labels(blank(5), video(persons, 5), LinearPropagator())
    assert dense.track_ids == (0, 1)
    assert [p.keypoints[0, 0] for p in dense.persons if p.track_id == 1] == [310] * 5


def test_labels_that_were_propagated_before_do_not_count_as_given(label, video, blank):
    persons = [label(0, POSE), label(1, np.zeros((3, 2)), source='propagated')]
    dense = propagate_labels(blank(3), video(persons, 3), LinearPropagator())
    np.testing.assert_array_equal(dense.persons[1].keypoints, POSE)


def test_boxes_are_interpolated_between_labelled_boxes(label, video, blank):
    persons = [label(0, POSE, bbox=[0, 0, 10, 20]), label(4, POSE, bbox=[8, 4, 10, 40])]
    dense = propagate_labels(blank(5), video(persons, 5), LinearPropagator())
    np.testing.assert_allclose(dense.persons[1].bbox, [2, 1, 10, 25])


def test_a_person_of_whom_nothing_is_known_appears_where_given_only(label, video, blank):
    persons = [label(0, POSE), label(1, np.zeros((3, 2)), [0, 0, 0], track_id=7)]
    dense = propagate_labels(blank(3), video(persons, 3), LinearPropagator())
    assert [p.frame_index for p in dense.persons if p.track_id == 7] == [1]


def test_frames_come_in_order_and_as_soon_as_they_are_known(label, video, blank, skeleton):
    seen = []

    class Watching(LinearPropagator):
        def propagate(self, frames, gaps, skeleton):
            for pose in super().propagate(frames, gaps, skeleton):
                seen.append(pose.frame_index)
                yield pose

    labels = video([label(0, POSE), label(3, POSE)], 9)
    results = propagate_frames(blank(9), labels.tracks(), skeleton, Watching())
    assert next(results)[0] == 0
    assert next(results)[0] == 1
    assert seen == [1]
    assert [frame for frame, _ in results] == list(range(2, 9))


@pytest.mark.parametrize(
    'changes',
    [
        {'keypoints': np.add(POSE, 5)},
        {'visibility': [2, 1, 2]},
        {'visibility': [2, 0, 2]},
        {'bbox': [0, 0, 99, 99]},
    ],
    ids=['pose', 'occluded', 'removed joint', 'box'],
)
def test_a_correction_redoes_only_the_gaps_it_touches(label, video, blank, skeleton, changes):
    asked = []

    class Watching(LinearPropagator):
        def propagate(self, frames, gaps, skeleton):
            asked.append([gap.frames for gap in gaps])
            return super().propagate(frames, gaps, skeleton)

    cache = {}
    tracks = {0: {n: label(n, POSE) for n in (0, 5, 10, 15)}}
    before = dict(propagate_frames(blank(16), tracks, skeleton, Watching(), cache))
    tracks[0][10] = label(10, **{'keypoints': POSE, **changes})
    after = dict(propagate_frames(blank(16), tracks, skeleton, Watching(), cache))
    fresh = dict(propagate_frames(blank(16), tracks, skeleton, LinearPropagator()))

    assert asked[1] == [range(6, 10), range(11, 15)]
    np.testing.assert_array_equal(after[3][0].keypoints, before[3][0].keypoints)
    for frame in range(16):
        np.testing.assert_array_equal(after[frame][0].keypoints, fresh[frame][0].keypoints)
        np.testing.assert_array_equal(after[frame][0].visibility, fresh[frame][0].visibility)
        np.testing.assert_array_equal(after[frame][0].bbox, fresh[frame][0].bbox)


def test_a_correction_reaches_gaps_further_away_for_a_joint_missing_between(
    label, video, blank, skeleton
):
    cache = {}
    tracks = {0: {0: label(0, POSE), 4: label(4, POSE, [2, 2, 0]), 8: label(8, POSE)}}
    dict(propagate_frames(blank(9), tracks, skeleton, LinearPropagator(), cache))
    moved = [*POSE[:2], [POSE[2][0] + 8, POSE[2][1]]]
    tracks[0][8] = label(8, moved)
    after = dict(propagate_frames(blank(9), tracks, skeleton, LinearPropagator(), cache))
    np.testing.assert_allclose(after[2][0].keypoints[2], [POSE[2][0] + 2, POSE[2][1]])


def test_a_label_beyond_the_video_is_refused(label, video, blank):
    with pytest.raises(InputError, match=r'on frame 7, but the video has 5 frames \(0\.\.4\)'):
        propagate_labels(blank(5), video([label(7, POSE)], 8), LinearPropagator())


def test_no_labels_are_refused(video, blank):
    with pytest.raises(InputError, match='no given labels to propagate'):
        propagate_labels(blank(5), video([], 5), LinearPropagator())


def test_a_propagator_that_leaves_someone_out_is_a_bug(label, video, blank):
    class Lazy(LinearPropagator):
        def propagate(self, frames, gaps, skeleton):
            yield from list(super().propagate(frames, gaps, skeleton))[:-1]

    with pytest.raises(RuntimeError, match='Lazy left out 1 people of frame 2'):
        propagate_labels(blank(3), video([label(0, POSE)], 3), Lazy())


def test_an_unknown_method_is_refused_with_the_choices():
    with pytest.raises(InputError, match="no propagation method 'magic', choose one of flow, lin"):
        build_propagator('magic')


def test_keep_every_follows_the_labelled_frame_rule(label, video):
    truth = video([label(n, POSE) for n in range(12)], 12)
    assert keep_every(truth, 7).labelled_frame_indices == (0, 7, 11)
    with pytest.raises(InputError, match='must be at least 1, got 0'):
        keep_every(truth, 0)


def test_repropagation_returns_the_people_and_frames_of_the_truth(label, video, blank):
    persons = [label(n, np.add(POSE, n), track_id=1) for n in range(2, 9)]
    persons += [label(n, POSE, track_id=2) for n in range(2, 5)]
    dense = repropagate(blank(12), video(persons, 12), 3, LinearPropagator())
    found = [(p.frame_index, p.track_id) for p in dense.persons]
    assert found == sorted((p.frame_index, p.track_id) for p in persons)
    given_frames = [p.frame_index for p in dense.persons if p.source == 'given']
    assert given_frames == [2, 2, 5, 8]
    moved = {p.frame_index: p for p in dense.persons if p.track_id == 1}
    np.testing.assert_allclose(moved[6].keypoints, np.add(POSE, 6))


def test_repropagation_with_true_boxes_uses_them(label, video, blank):
    persons = [label(n, POSE, bbox=[n * n, 0, 10, 10]) for n in range(5)]
    dense = repropagate(blank(5), video(persons, 5), 4, LinearPropagator(), use_truth_boxes=True)
    assert [p.bbox[0] for p in dense.persons] == [0, 1, 4, 9, 16]
