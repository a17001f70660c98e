"""Poses in several calibrated views of a scene."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stdpose_mm.labelling.evidence.views import (
    View,
    borrow_labels,
    check_views,
    correct_cameras,
    deviations_of,
    find_exchanged,
    fuse_views,
    guess_unit,
    match_people,
    scores_of,
)
from stdpose_mm.structures import PersonLabel, VideoFrame, VideoLabels
from stdpose_mm.structures.camera import Camera
from support.view_scene import CAMERAS, NUM_FRAMES, SKELETON, body_at, labels_in


def fuse(views):
    return fuse_views(views, match_people(views))


def noisy(labels: VideoLabels, pixels: float, rng: np.random.Generator) -> VideoLabels:
    persons = [
        replace(p, keypoints=p.keypoints + rng.normal(0, pixels, p.keypoints.shape))
        for p in labels.persons
    ]
    return labels.with_persons(persons)


def error_in(
    view: Camera, labels: VideoLabels, frame: int, person: int = 0, time: int | None = None
) -> float:
    """Compute the largest distance in pixels from where the camera sees a person."""
    label = labels.tracks()[person][frame]
    assert label.labelled.all()
    return float(
        np.linalg.norm(
            label.keypoints - view.project(body_at(frame if time is None else time, person)), axis=1
        ).max()
    )


def test_a_view_without_labels_gets_the_joints_that_two_others_know():
    views = [View(c, labels_in(c, people=(0,) if c.name in 'ab' else ())) for c in CAMERAS]
    fused, scene = fuse(views)
    for view, labels in zip(CAMERAS[2:], fused[2:], strict=True):
        assert max(error_in(view, labels, frame) for frame in range(NUM_FRAMES)) < 0.01
        assert {person.source for person in labels.persons} == {'propagated'}
    expected = np.stack([body_at(frame) for frame in range(NUM_FRAMES)])
    np.testing.assert_allclose(scene.points[:, 0], expected, atol=1e-4)
    assert np.unique(scene.views).tolist() == [2]
    assert scene.errors.max() < 0.01


def test_joints_outside_the_picture_are_not_labelled():
    near = replace(CAMERAS[2], matrix=np.array([(2800.0, 0, 400), (0, 2800, 300), (0, 0, 1)]))
    views = [View(c, labels_in(c)) for c in CAMERAS[:2]]
    (*_, labels), _ = fuse([*views, View(near, labels_in(near, people=()))])
    for label in labels.persons[1:3]:
        # The picture shows 0.6 m around the middle of the body: no head and no feet.
        assert label.labelled.tolist() == [False, True, True, True, True, False, False]


@pytest.mark.parametrize(
    ('x', 'is_inside'), [(-0.7, False), (-0.3, True), (799.3, True), (799.7, False)]
)
def test_the_picture_ends_at_the_outer_edge_of_its_pixels(x, is_inside):
    shift = x - CAMERAS[2].project(body_at(1))[0, 0]
    aside = replace(CAMERAS[2], matrix=CAMERAS[2].matrix + np.outer([1, 0, 0], [0, 0, shift]))
    views = [View(c, labels_in(c)) for c in CAMERAS[:2]]
    (*_, labels), _ = fuse([*views, View(aside, labels_in(aside, people=()))])
    assert labels.persons[1].labelled[0] == is_inside


def test_given_joints_stay_to_the_digit():
    views = [View(c, labels_in(c, shift=3.0)) for c in CAMERAS]
    fused, _ = fuse(views)
    for view, labels in zip(views, fused, strict=True):
        for before, after in zip(view.labels.persons, labels.persons, strict=True):
            if before.is_given:
                assert after is before


def test_left_out_joints_and_absent_people_stay():
    first = labels_in(CAMERAS[0])
    left_out = replace(first.persons[0], visibility=np.array([0, 2, 2, 2, 2, 2, 2]))
    nobody = PersonLabel(1, np.zeros((7, 2)), np.zeros(7), track_id=0, source='absent')
    first = first.with_persons([left_out, nobody, *first.persons[2:]])
    (labels, *_), _ = fuse([View(CAMERAS[0], first), *(View(c, labels_in(c)) for c in CAMERAS[1:])])
    assert not labels.persons[0].labelled[0]
    assert labels.persons[1] is nobody


def test_a_sure_view_improves_an_unsure_one():
    unsure = labels_in(CAMERAS[0], score=0.3, shift=15.0)
    views = [View(CAMERAS[0], unsure), *(View(c, labels_in(c, score=0.99)) for c in CAMERAS[1:])]
    (labels, *_), _ = fuse(views)
    assert error_in(CAMERAS[0], labels, 1) < 3
    assert labels.persons[1].scores.min() > 0.9


def test_an_estimate_that_does_not_fit_the_others_does_not_pull():
    wrong = labels_in(CAMERAS[3], score=0.99, shift=150.0)
    views = [*(View(c, labels_in(c, score=0.99)) for c in CAMERAS[:3]), View(CAMERAS[3], wrong)]
    fused, scene = fuse(views)
    assert error_in(CAMERAS[0], fused[0], 1) < 0.1
    assert error_in(CAMERAS[3], fused[3], 1) < 1
    assert np.unique(scene.views[1:3]).tolist() == [3]


@pytest.mark.parametrize('which', [0, 2])
def test_exchanged_sides_in_one_of_three_views_are_put_right(which):
    views = [View(c, labels_in(c)) for c in CAMERAS[:3]]
    order = SKELETON.flip_indices
    persons = [p if p.is_given else p.reordered(order) for p in views[which].labels.persons]
    views[which] = replace(views[which], labels=views[which].labels.with_persons(persons))
    fused, scene = fuse(views)
    assert max(error_in(c, f, 1) for c, f in zip(CAMERAS, fused, strict=False)) < 0.1
    assert np.unique(scene.views).tolist() == [3]


def test_a_view_without_estimates_for_some_frames_gets_them_back():
    blind = labels_in(CAMERAS[0])
    unseen = replace(blind.persons[1], keypoints=np.full((7, 2), 50.0), scores=np.full(7, 0.05))
    blind = blind.with_persons([blind.persons[0], unseen, *blind.persons[2:]])
    (labels, *_), _ = fuse([View(CAMERAS[0], blind), *(View(c, labels_in(c)) for c in CAMERAS[1:])])
    assert error_in(CAMERAS[0], labels, 1) < 1


def test_a_point_that_ends_behind_a_camera_has_scores():
    # Each video has the calibration of another camera.
    cameras = [CAMERAS[number] for number in (2, 0, 1, 3)]
    people = [(0,), (0,), (), ()]
    views = [View(c, labels_in(o, p)) for c, o, p in zip(cameras, CAMERAS, people, strict=True)]
    fused, scene = fuse(views)
    assert (scene.views < 2).any()
    assert all(np.isfinite(person.scores).all() for labels in fused for person in labels.persons)


def test_cameras_that_start_late_are_matched_in_time():
    late = labels_in(CAMERAS[1])
    frames = tuple(VideoFrame(index) for index in range(NUM_FRAMES - 1))
    persons = [replace(p, frame_index=p.frame_index - 1) for p in late.persons if p.frame_index]
    late = replace(late, frames=frames, persons=tuple(persons))
    views = [View(CAMERAS[0], labels_in(CAMERAS[0])), View(CAMERAS[1], late, start=1)]
    fused, scene = fuse([*views, View(CAMERAS[2], labels_in(CAMERAS[2], people=()))])
    assert scene.views[:, 0, 0].tolist() == [0, 2, 2, 2]
    assert np.isnan(scene.points[0]).all()
    np.testing.assert_allclose(scene.points[1, 0], body_at(1), atol=1e-4)
    assert [p.source for p in fused[2].persons] == ['absent', *['propagated'] * 3]


def test_people_are_matched_by_geometry_whatever_their_ids():
    ids = ((0, 1), (7, 3), (1, 0))
    views = [View(c, labels_in(c, (0, 1), ids=i)) for c, i in zip(CAMERAS, ids, strict=False)]
    views.append(View(CAMERAS[3], labels_in(CAMERAS[3], (1,))))
    people = match_people(views)
    assert sorted(people) == [[0, 7, 1, None], [1, 3, 0, 1]]
    fused, scene = fuse_views(views, people)
    assert scene.people == tuple(ids[0] for ids in people)
    # The second person of the last view gets an id that is free there.
    assert error_in(CAMERAS[3], fused[3], 2, person=0) < 0.1
    assert error_in(CAMERAS[3], fused[3], 2, person=1) < 0.1


def test_someone_whom_one_view_alone_knows_stays_alone():
    views = [
        View(CAMERAS[0], labels_in(CAMERAS[0], (0, 1))),
        View(CAMERAS[1], labels_in(CAMERAS[1])),
    ]
    assert sorted(match_people(views), key=str) == [[0, 0], [1, None]]


def test_a_view_borrows_what_others_are_sure_of_where_they_have_labels():
    views = [View(c, labels_in(c, score=0.2)) for c in CAMERAS[:3]]
    views.append(View(CAMERAS[3], labels_in(CAMERAS[3], people=()), start=-1))
    fused, _ = fuse(views)
    assert borrow_labels(views, 0, fused[0]).persons == ()
    labels = borrow_labels(views, 3, fused[3])
    # The others have labels at the times 0 and 3, its frames 1 and 4, of which it has one.
    (label,) = labels.persons
    assert (label.frame_index, label.source, label.given.all()) == (1, 'given', True)
    assert error_in(CAMERAS[3], labels, 1, time=0) < 0.01


def test_a_view_borrows_no_joint_that_is_not_sure():
    first = labels_in(CAMERAS[0])
    unsure = replace(
        first.persons[0], scores=np.zeros(7), source='propagated', keypoint_sources=None
    )
    views = [View(CAMERAS[0], first.with_persons([unsure, *first.persons[1:]]))]
    views += [View(c, labels_in(c, people=())) for c in CAMERAS[2:]]
    other = labels_in(CAMERAS[1])
    hidden = replace(other.persons[0], visibility=np.array([2, 0, 2, 2, 2, 2, 2]))
    views.append(View(CAMERAS[1], other.with_persons([hidden, *other.persons[1:]])))
    labels = borrow_labels(views, 1, fuse(views)[0][1])
    assert [label.frame_index for label in labels.persons] == [3]


def test_nothing_contradicts_right_labels():
    views = [View(c, labels_in(c)) for c in CAMERAS]
    assert check_views(views) == (views, [])


@pytest.mark.parametrize(
    ('num_labelled', 'named'),
    [(2, 'one of the cameras a and b'), (3, 'the camera b'), (4, 'the camera b')],
)
def test_a_wrong_calibration_is_told_from_labels(num_labelled, named):
    labels = [labels_in(c, people=(0,) if n < num_labelled else ()) for n, c in enumerate(CAMERAS)]
    given = [c.turned(np.radians([1, 1, 0])) if c.name == 'b' else c for c in CAMERAS]
    views = [View(c, of_view) for c, of_view in zip(given, labels, strict=True)]
    _, (warning, *_) = check_views(views)
    assert warning.startswith(f'the calibration of {named} seems to be wrong')


def test_a_camera_with_a_wrong_calibration_is_turned_to_fit_the_labels():
    labels = [labels_in(c, people=(0,) if n < 3 else ()) for n, c in enumerate(CAMERAS)]
    given = [c.turned(np.radians([0, 1, 0])) if c.name == 'b' else c for c in CAMERAS]
    wrong = [View(c, of_view) for c, of_view in zip(given, labels, strict=True)]
    corrected, _ = check_views(wrong)
    before, after = (error_in(CAMERAS[3], fuse(views)[0][3], 0) for views in (wrong, corrected))
    assert before > 8
    assert after < 2


def test_two_cameras_share_the_turn_that_makes_their_labels_fit():
    labels = [labels_in(c) for c in CAMERAS[:2]]
    given = [CAMERAS[0], CAMERAS[1].turned(np.radians([1, 0, 0]))]
    wrong = [View(c, of_view) for c, of_view in zip(given, labels, strict=True)]
    corrected, _ = check_views(wrong)
    before, after = (fuse(views)[1].errors.max() for views in (wrong, corrected))
    assert before > 3
    assert after < 0.5
    assert all(view.camera is not c for view, c in zip(corrected, given, strict=True))


def test_labels_that_differ_by_chance_are_no_wrong_calibration():
    rng = np.random.default_rng(0)
    views = [View(view, noisy(labels_in(view), 6, rng)) for view in CAMERAS[:3]]
    assert [view.camera for view in check_views(views)[0]] == CAMERAS[:3]


def test_noise_hides_no_wrong_calibration_and_makes_none():
    rng = np.random.default_rng(1)
    views = [View(c, noisy(labels_in(c), 4, rng)) for c in CAMERAS]
    assert correct_cameras(views) == (views, None)
    views[1] = replace(views[1], camera=CAMERAS[1].turned(np.radians([0, 1, 0])))
    corrected, warning = correct_cameras(views)
    assert warning is not None
    assert warning.startswith('the calibration of the camera b seems to be wrong')
    assert [new.camera is old.camera for new, old in zip(corrected, views, strict=True)] == [
        True,
        False,
        True,
        True,
    ]


def test_a_mistake_with_one_kind_of_joint_is_no_wrong_calibration():
    views = [View(c, labels_in(c)) for c in CAMERAS[:3]]
    # Whoever labels the third view takes the head and the hands for lower than they are.
    shift = np.zeros((len(SKELETON.keypoint_names), 2))
    shift[:3, 1] = 8
    persons = [replace(p, keypoints=p.keypoints + shift) for p in views[2].labels.persons]
    views[2] = replace(views[2], labels=views[2].labels.with_persons(persons))
    assert correct_cameras(views) == (views, None)


@pytest.mark.parametrize('num_labelled', [2, 4])
def test_exchanged_videos_are_named(num_labelled):
    labels = [labels_in(c, (0, 1) if n < num_labelled else ()) for n, c in enumerate(CAMERAS)]
    cameras = [CAMERAS[0], CAMERAS[3], CAMERAS[2], CAMERAS[1]]
    views = [View(c, of_view) for c, of_view in zip(cameras, labels, strict=True)]
    assert correct_cameras(views) == (
        views,
        'the videos of the cameras d and b seem to be exchanged, judging by the labels: '
        'exchange their names',
    )


def test_a_camera_that_started_at_another_time_is_named():
    # A person who jumps: one who walks on the ground looks much the same at another time.
    heights = np.array([0, 0.5, 0.1, 0.7])
    views = []
    for camera in CAMERAS[:3]:
        labels = labels_in(camera)
        persons = []
        for person in labels.persons:
            points = body_at(person.frame_index)
            points[:, 2] += heights[person.frame_index]
            persons.append(replace(person, keypoints=camera.project(points)))
        views.append(View(camera, labels.with_persons(persons)))
    views[2] = replace(views[2], start=1)
    assert correct_cameras(views) == (
        views,
        'c seems to have started 1 frame earlier relative to a, b than it was said, judging by the '
        'labels: give --offset c=0',
    )


def test_contradicting_labels_are_told_with_their_distance():
    views = [View(c, labels_in(c)) for c in CAMERAS]
    first = views[1].labels.persons[0]
    moved = replace(first, keypoints=first.keypoints + np.eye(7)[:, :1] * [[40, 0]])
    labels = views[1].labels.with_persons([moved, *views[1].labels.persons[1:]])
    views[1] = replace(views[1], labels=labels)
    _, (warning,) = check_views(views)
    what, joint = warning.split(': ')
    assert what == 'joints are not where other views have them'
    assert joint == 'head of person 0 in frame 0 of b (40 pixels)'


def test_exchanged_sides_of_a_label_are_told():
    # The first and the third camera stand opposite each other, where a mirrored person fits, too.
    views = [View(c, labels_in(c)) for c in CAMERAS[:3]]
    first, *others = views[2].labels.persons
    labels = views[2].labels.with_persons([first.reordered(SKELETON.flip_indices), *others])
    views[2] = replace(views[2], labels=labels)
    _, (warning,) = check_views(views)
    assert warning.startswith('left and right of person 0 in frame 0 of c seem to be exchanged')
    exchanged = find_exchanged(views, match_people(views))
    assert np.argwhere(exchanged).tolist() == [[2, 0, 0]]


def test_scores_and_deviations():
    # A planar Laplace error of scale 0.1 size is within 0.1 size with probability 1 - 2 / e.
    assert deviations_of(1 - 2 / np.e, 200.0) == pytest.approx(np.sqrt(3) * 20)
    assert scores_of(np.sqrt(3) * 20, 200.0) == pytest.approx(1 - 2 / np.e)


def test_unit_is_guessed_from_the_distance_of_cameras():
    views = [View(c, labels_in(c)) for c in CAMERAS]
    assert guess_unit(views) == 'm'
    far = [
        replace(v, camera=replace(v.camera, translation=1000 * v.camera.translation)) for v in views
    ]
    assert guess_unit(far) == 'mm'
