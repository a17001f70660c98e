"""Labels of some joints only: each joint is propagated between its own labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stdpose_mm.constants import WRITE_FORMATS
from stdpose_mm.io.labels import read_labels, write_labels
from stdpose_mm.labelling.propagation import find_gaps, propagate_labels, require_method
from stdpose_mm.labelling.propagation.flow.flow_tracks import follow_joints, pose_size
from stdpose_mm.labelling.propagation.interpolation import LinearPropagator
from stdpose_mm.structures import PersonLabel
from stdpose_mm.tracking.optical_flow import DISFlow
from support.frame_sources import ArrayFrames
from support.planned_gaps import gaps_of_labels

POSE = np.array([[10.0, 10], [40, 10], [10, 60]])
UNSAID = 'propagated'
SHIFT = np.array([24.0, 0])


def partial(frame, points, sources, track_id=0):
    """A label that speaks of the joints whose source is not 'propagated'."""
    flags = np.where(np.array(sources) == 'given', 2, 0)
    return PersonLabel(
        frame, np.array(points, float), flags, track_id=track_id, keypoint_sources=sources
    )


def by_frame(dense):
    return {person.frame_index: person for person in dense.persons}


@pytest.fixture
def dragged(label):
    """Whole poses in frames 0 and 8; the last joint alone, far off, in frame 4."""
    return [
        label(0, POSE),
        partial(4, [[0, 0], [0, 0], [90, 90]], [UNSAID, UNSAID, 'given']),
        label(8, POSE + 8),
    ]


def test_other_joints_are_interpolated_across_a_label_of_one(dragged, video, blank):
    people = by_frame(propagate_labels(blank(9), video(dragged, 9), LinearPropagator()))
    for frame, person in people.items():
        np.testing.assert_allclose(person.keypoints[:2], POSE[:2] + frame, atol=1e-12)
    np.testing.assert_allclose(people[2].keypoints[2], (POSE[2] + 90) / 2)
    np.testing.assert_allclose(people[6].keypoints[2], (POSE[2] + 8 + 90) / 2)


def test_the_frame_of_a_partial_label_says_what_is_given(dragged, video, blank):
    person = by_frame(propagate_labels(blank(9), video(dragged, 9), LinearPropagator()))[4]
    assert person.source == 'given'
    assert person.keypoint_sources.tolist() == ['propagated', 'propagated', 'given']
    assert person.keypoints[2].tolist() == [90, 90]
    assert person.visibility.tolist() == [2, 2, 2]
    # Four frames from the next label, of a half-life of seven.
    np.testing.assert_allclose(person.scores, [2 ** (-4 / 7), 2 ** (-4 / 7), 1])


def test_the_box_of_a_partial_label_is_the_body_s(dragged, video, blank):
    person = by_frame(propagate_labels(blank(9), video(dragged, 9), LinearPropagator()))[4]
    x, y, width, height = person.bbox
    # Between those of the whole poses, 15 % larger than these on each side; up to the given joint.
    assert (x, y) == (pytest.approx(10 + 4 - 0.15 * 30), pytest.approx(10 + 4 - 0.15 * 50))
    assert (x + width, y + height) == (90, 90)


def test_joints_that_are_left_out_stay_left_out(label, video, blank):
    labels = [label(0, POSE), label(4, POSE, [2, 2, 0]), label(8, POSE)]
    person = by_frame(propagate_labels(blank(9), video(labels, 9), LinearPropagator()))[4]
    assert person.keypoint_sources.tolist() == ['given', 'given', 'absent']
    assert person.visibility.tolist() == [2, 2, 0]


def test_joints_with_the_same_labels_share_their_gaps(dragged):
    labels = {person.frame_index: person for person in dragged}
    gaps = find_gaps(0, labels, dict.fromkeys(range(9), np.zeros(4)), range(9))
    assert [(gap.frames, tuple(gap.joints.tolist())) for gap in gaps] == [
        (range(1, 4), (False, False, True)),
        (range(1, 8), (True, True, False)),
        (range(5, 8), (False, False, True)),
    ]


def gap_of_the_others(dragged):
    """The gap across the label of one joint."""
    labels = {person.frame_index: person for person in dragged}
    gaps = find_gaps(0, labels, dict.fromkeys(range(9), np.zeros(4)), range(9))
    (gap,) = (gap for gap in gaps if len(gap.frames) == 7)
    return gap


def test_labels_inside_a_gap_are_the_nearest_of_their_joints(dragged):
    gap = gap_of_the_others(dragged)
    ends = [
        (before.frames.tolist(), after.frames.tolist())
        for before, after in map(gap.nearest_labels, (2, 4, 6))
    ]
    assert ends == [([0, 0, 0], [8, 8, 4]), ([0, 0, 4], [8, 8, 8]), ([0, 0, 4], [8, 8, 8])]


class NoMotion(DISFlow):
    """Flow that is zero everywhere."""

    def __call__(self, source, target):
        return np.zeros((*source.shape[:2], 2), np.float32)


def test_tracks_go_through_the_labels_inside_a_gap(dragged):
    gap = gap_of_the_others(dragged)
    ((_, tracks),) = follow_joints(moving_square(), [gap], NoMotion())
    assert tracks.forward[:, 2].tolist() == [POSE[2].tolist()] * 4 + [[90, 90]] * 5
    assert tracks.backward[:, 2].tolist() == [[90, 90]] * 5 + [(POSE[2] + 8).tolist()] * 4


def test_a_label_of_some_joints_says_nothing_of_the_size_of_the_body(label, video):
    some = partial(4, [[20, 20], [30, 20], [0, 0]], ['given', 'given', UNSAID])
    labels = video([label(0, POSE), some, label(8, POSE)], 9)
    sizes = {gap.frames: pose_size(gap) for gap in gaps_of_labels(labels, 9)}
    # The larger side of POSE, whose box lends it to a gap between two labels of some joints.
    assert sizes == {range(1, 4): 50, range(5, 8): 50, range(1, 8): 50}
    others = video([label(0, POSE), some, replace(some, frame_index=6), label(8, POSE)], 9)
    (between,) = (gap for gap in gaps_of_labels(others, 9) if gap.frames == range(5, 6))
    assert pose_size(between) == pytest.approx(50)


def test_gaps_of_other_joints_or_labels_inside_have_other_fingerprints(dragged):
    gap = gap_of_the_others(dragged)
    (inside,) = gap.inner
    moved = replace(inside, keypoints=inside.keypoints + 1)
    for other in (replace(gap, joints=~gap.joints), replace(gap, inner=(moved,))):
        assert gap.fingerprint(False) != other.fingerprint(False)


def test_gaps_whose_labels_leave_joints_open_have_other_fingerprints(label, video):
    """By these the size of the body is that of its box, see ``pose_size``."""
    some = np.array([[20, 20], [30, 20], [0, 0]])
    left_out, open_ = (partial(0, some, ['given', 'given', third]) for third in ('absent', UNSAID))
    assert left_out.visibility.tolist() == open_.visibility.tolist()
    (gap,) = gaps_of_labels(video([left_out, label(8, POSE)], 9), 9)[-1:]
    assert gap.left is not None
    other = replace(gap, left=open_)
    assert gap.fingerprint(False) != other.fingerprint(False)


def test_a_joint_that_is_left_out_does_not_send_the_person_away(label, video, blank):
    outside = partial(4, np.zeros((3, 2)), [UNSAID, UNSAID, 'absent'])
    labels = video([label(0, POSE), outside], 9)
    people = by_frame(propagate_labels(blank(9), labels, LinearPropagator()))
    assert people[4].keypoint_sources.tolist() == ['propagated', 'propagated', 'absent']
    assert people[8].source == 'propagated'


def test_labels_of_boxes_alone_end_gaps_as_they_always_did(video, blank):
    boxes = [
        PersonLabel(
            frame,
            np.zeros((3, 2)),
            np.zeros(3),
            track_id=0,
            bbox=np.array([0.0, 0, 10, 10]),
            keypoint_sources=[UNSAID] * 3,
        )
        for frame in (0, 4)
    ]
    people = by_frame(propagate_labels(blank(5), video(boxes, 5), LinearPropagator()))
    assert all(not person.labelled.any() for person in people.values())


def moving_square(num_frames=9, speed=3):
    """A bright textured square of 40 pixels that moves right by ``speed`` pixels a frame."""
    rng = np.random.default_rng(0)
    background = rng.integers(0, 40, (120, 160, 3))
    square = rng.integers(100, 255, (40, 40, 3))
    pictures = []
    for frame in range(num_frames):
        picture = background.copy()
        x = 30 + speed * frame
        picture[40:80, x : x + 40] = square
        pictures.append(picture)
    return ArrayFrames(np.array(pictures, np.uint8))


@pytest.mark.parametrize('method', ['flow', 'auto'])
def test_one_joint_corrected_leaves_the_others_within_a_pixel(method, label, video):
    frames = moving_square()
    corners = np.array([[35.0, 45], [65, 45], [35, 75]])
    ends = [label(0, corners), label(8, corners + SHIFT)]
    correction = partial(4, [[0, 0], [0, 0], [48, 75]], [UNSAID, UNSAID, 'given'])
    propagator = require_method(method)()
    before = by_frame(propagate_labels(frames, video(ends, 9), propagator))
    after = by_frame(propagate_labels(frames, video([*ends, correction], 9), propagator))
    assert after[4].keypoints[2].tolist() == [48, 75]
    for frame in range(1, 8):
        moved = np.abs(after[frame].keypoints[:2] - before[frame].keypoints[:2])
        assert moved.max() < 1
        # Both ends still pull: without the label on the right they would lag behind.
        np.testing.assert_allclose(
            after[frame].keypoints[:2], corners[:2] + SHIFT * frame / 8, atol=1.5
        )


def test_a_given_joint_is_evidence_for_the_others_of_its_frame(label, video):
    """Zeroed, the label of one joint in the middle of a gap would change nothing of the others."""
    frames = moving_square()
    corners = np.array([[35.0, 45], [65, 45], [35, 75]])
    ends = [label(0, corners), label(8, corners + SHIFT)]
    near, far = (
        partial(4, [[0, 0], [0, 0], point], [UNSAID, UNSAID, 'given'])
        for point in ([47, 75], [47, 95])
    )
    poses = [
        by_frame(propagate_labels(frames, video([*ends, given_], 9), require_method('auto')()))[4]
        for given_ in (near, far)
    ]
    assert np.abs(poses[0].keypoints[:2] - poses[1].keypoints[:2]).max() > 1e-3


@st.composite
def labelled_joints(draw):
    """Labels of random joints of two people; what each joint's source is in each frame."""
    num_frames = draw(st.integers(2, 14))
    persons = []
    for track_id in range(draw(st.integers(1, 2))):
        frames = sorted(draw(st.sets(st.integers(0, num_frames - 1), min_size=1, max_size=6)))
        for frame in frames:
            sources = draw(
                st.lists(st.sampled_from(['given', UNSAID, 'absent']), min_size=3, max_size=3)
            )
            sources[draw(st.integers(0, 2))] = 'given'
            # Labels that are all near the corner would be fractions of the picture.
            places = st.floats(-50, -3) | st.floats(3, 500)
            points = draw(st.lists(places, min_size=6, max_size=6))
            persons.append(partial(frame, np.reshape(points, (3, 2)), sources, track_id))
    return num_frames, persons


@given(labelled_joints(), st.sampled_from(['linear', 'spline']), st.data())
def test_given_joints_come_out_unchanged_and_no_others_are_given(
    video, blank, tmp_path_factory, labels, method, data
):
    """Through propagation, a file of a format that holds sources, a correction, and again."""
    num_frames, persons = labels
    propagator = require_method(method)()
    format = data.draw(st.sampled_from(['posetrack18', 'posetrack21', 'coco', 'cvat']))
    path = tmp_path_factory.mktemp('labels') / f'labels{WRITE_FORMATS[format][0]}'
    dense = propagate_labels(blank(num_frames), video(persons, num_frames), propagator)
    write_labels(dense, path, format)
    back = read_labels(path)
    position = data.draw(st.integers(0, len(back.persons) - 1))
    corrected = correct(back.persons[position], data.draw(st.integers(0, 2)))
    people = [*back.persons[:position], corrected, *back.persons[position + 1 :]]
    again = propagate_labels(blank(num_frames), back.with_persons(people), propagator)

    def given_joints(labels):
        return {
            (p.track_id, p.frame_index, joint): (*p.keypoints[joint].tolist(), p.visibility[joint])
            for p in labels
            for joint in np.flatnonzero(p.given)
        }

    expected = given_joints(persons)
    assert given_joints(dense.persons) == expected
    assert given_joints(back.persons) == expected
    expected.update(given_joints([corrected]))
    assert given_joints(again.persons) == expected


def correct(person, joint):
    """Move one joint by hand."""
    keypoints, visibility = person.keypoints.copy(), person.visibility.copy()
    sources = person.keypoint_sources.copy()
    keypoints[joint], visibility[joint], sources[joint] = (12.25, 1 / 3), 1, 'given'
    return replace(
        person, keypoints=keypoints, visibility=visibility, source='given', keypoint_sources=sources
    )
