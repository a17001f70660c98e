from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stdpose_mm.errors import InputError
from stdpose_mm.evaluation.functional import (
    format_accuracy,
    keypoint_accuracy,
    label_sizes,
    pose_sizes,
)
from stdpose_mm.evaluation.functional.keypoint_accuracy import POINT_SIZE, pair_tracks
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels

PAIR = Skeleton(('tail', 'nose'), category='mouse')
Points = Sequence[tuple[float, float] | None]


def _video(
    poses: Mapping[int, Points], track_id: int | None = 0, skeleton: Skeleton = PAIR
) -> VideoLabels:
    """One subject; frame -> its joints, None for a joint that is not there."""
    people = []
    for frame, points in poses.items():
        there = np.array([point is not None for point in points])
        keypoints = np.array([point or (0.0, 0.0) for point in points], dtype=float)
        people.append(PersonLabel(frame, keypoints, 2 * there, track_id))
    return VideoLabels('v', skeleton, tuple(VideoFrame(t) for t in range(10)), tuple(people))


def _measure(truth: Mapping[int, Points], predicted: Mapping[int, Points], **options):
    return keypoint_accuracy([_video(truth)], [_video(predicted)], **options)


# A pose of 100 px.
TRUTH: Points = [(0.0, 0.0), (100.0, 30.0)]


def test_pose_size_is_the_larger_side_of_the_box_around_labelled_joints():
    keypoints = np.array([[[0.0, 0.0], [40.0, 30.0], [900.0, 900.0]]] * 2)
    labelled = np.array([[True, True, False], [True, False, False]])
    assert pose_sizes(keypoints, labelled).tolist() == [40, 0]


def sizes_of(*labels: tuple[int, tuple[float, float] | None]) -> list[float]:
    """Measure labels of one or two joints, 40 pixels apart, with the sides of their boxes."""
    joints = np.array([[5.0, 5.0], [45.0, 35.0]])
    people = [
        PersonLabel(0, joints, np.arange(2) < number, 0, bbox=box and np.array([0, 0, *box]))
        for number, box in labels
    ]
    return label_sizes(people).tolist()


def test_the_size_of_a_single_joint_is_its_box_or_that_of_other_labels():
    labels = [(2, None), (2, (90, 90)), (1, (20, 70)), (1, None), (1, (8, 8)), (0, None)]
    # Boxes of 8 pixels stand in for missing ones in outputs; the median of 40, 40 and 70 is 40.
    assert sizes_of(*labels) == [40, 40, 70, 40, 40, 40]
    assert sizes_of((1, (20, 70)), (1, (24, 40)), (1, None)) == [70, 40, 55]
    assert sizes_of((1, None), (1, (8, 8))) == [POINT_SIZE] * 2


def test_pck_is_relative_to_the_pose_size_and_includes_the_threshold():
    accuracy = _measure({0: TRUTH}, {0: [(0.0, 5.0), (100.0, 41.0)]})
    assert accuracy.metrics['PCK@0.05'].tolist() == [100, 0]
    assert accuracy.metrics['PCK@0.1'].tolist() == [100, 0]
    assert accuracy.metrics['PCK@0.2'].tolist() == [100, 100]


def test_errors_in_pixels_and_per_cent_of_the_pose_size():
    truth = {0: TRUTH, 1: [(0.0, 0.0), (50.0, 0.0)]}
    predicted = {0: [(3.0, 4.0), (100.0, 30.0)], 1: [(0.0, 1.0), (50.0, 0.0)]}
    accuracy = _measure(truth, predicted)
    assert accuracy.metrics['error_px'].tolist() == [3, 0]
    assert accuracy.metrics['error_percent'].tolist() == pytest.approx([(5 + 2) / 2, 0])
    assert accuracy.means()['error_px'] == 1.5


def test_counts_are_of_the_joints_that_a_metric_is_measured_on():
    # The tail is labelled thrice and right twice, the nose once and wrong.
    truth = {0: TRUTH, 1: [(0.0, 0.0), None], 2: [(0.0, 0.0), None]}
    predicted = {0: [(0.0, 0.0), (100.0, 60.0)], 1: [(0.0, 0.0), None], 2: [(9.0, 0.0), None]}
    accuracy = _measure(truth, predicted)
    assert accuracy.counts['error_px'].tolist() == [3, 1]
    assert accuracy.metrics['error_px'].tolist() == [3, 30]
    assert accuracy.means()['error_px'] == pytest.approx((3 + 30) / 2)
    # Poses of a single joint have no size, so that PCK is measured on frame 0 alone.
    assert accuracy.counts['PCK@0.1'].tolist() == [1, 1]


def test_area_under_the_pck_curve():
    # At 5 % of the size, the joint is right over three quarters of the thresholds to 20 %.
    accuracy = _measure({0: TRUTH}, {0: [(0.0, 5.0), (100.0, 130.0)]})
    assert accuracy.metrics['AUC'].tolist() == pytest.approx([75, 0])


def test_a_missing_prediction_is_wrong_but_has_no_error():
    accuracy = _measure({0: TRUTH, 1: TRUTH}, {0: [(0.0, 0.0), None]})
    assert accuracy.metrics['PCK@0.2'].tolist() == [50, 0]
    assert accuracy.metrics['predicted'].tolist() == [50, 0]
    assert accuracy.metrics['error_px'][0] == 0
    assert np.isnan(accuracy.metrics['error_px'][1])


def test_an_unlabelled_joint_does_not_count():
    accuracy = _measure({0: TRUTH, 1: [(0.0, 0.0), None]}, {0: TRUTH, 1: [(0.0, 0.0), (9.0, 9.0)]})
    assert accuracy.metrics['PCK@0.05'].tolist() == [100, 100]


def test_a_pose_without_extent_has_an_error_in_pixels_only():
    accuracy = _measure({0: [(0.0, 0.0), None]}, {0: [(3.0, 4.0), None]})
    assert accuracy.metrics['error_px'][0] == 5
    assert np.isnan(accuracy.metrics['PCK@0.2'][0])
    assert np.isnan(accuracy.metrics['error_percent'][0])


def test_jitter_is_the_error_of_the_acceleration():
    truth = {t: [(10.0 * t * t, 0.0), (100.0, 100.0)] for t in range(3)}
    predicted = {t: [(0.0, 0.0), (100.0, 100.0)] for t in range(3)}
    # True acceleration 20 px/frame^2, predicted 0; the other joint stands still in both.
    accuracy = _measure(truth, predicted)
    assert accuracy.metrics['jitter'].tolist() == [20, 0]


def test_a_constant_offset_or_drift_is_no_jitter():
    truth = dict.fromkeys(range(4), TRUTH)
    predicted = {t: [(7.0 + 3.0 * t, 0.0), (100.0, 30.0)] for t in range(4)}
    assert _measure(truth, predicted).metrics['jitter'].tolist() == [0, 0]


def test_jitter_needs_three_consecutive_frames():
    truth = dict.fromkeys((0, 1, 3, 4), TRUTH)
    predicted = {t: [(50.0 * (t % 2), 0.0), (100.0, 30.0)] for t in (0, 1, 3, 4)}
    assert np.isnan(_measure(truth, predicted).metrics['jitter']).all()


@pytest.mark.parametrize('missing', [0, 1, 2])
def test_jitter_needs_the_joint_in_all_three_frames(missing):
    truth: dict[int, Points] = {n: [(0.0, 0.0), (100.0, 0.0)] for n in range(3)}
    truth[missing] = [None, (100.0, 0.0)]
    jitter = _measure(truth, truth).metrics['jitter']
    assert np.isnan(jitter[0])
    assert jitter[1] == 0


@pytest.mark.parametrize(('truths', 'predictions'), [(0, 0), (2, 1)])
def test_videos_go_in_pairs(truths, predictions):
    video = _video({0: TRUTH})
    with pytest.raises(InputError, match=f'{predictions} predicted videos were given, .* {truths}'):
        keypoint_accuracy([video] * truths, [video] * predictions)


def test_videos_in_another_order_are_refused_but_other_names_are_not():
    one, other, third = (replace(_video({0: TRUTH}), name=name) for name in ('a', 'b', 'c.json'))
    with pytest.raises(InputError, match="from 'a' on, the predicted videos are not in the order"):
        keypoint_accuracy([one, other], [other, one])
    assert keypoint_accuracy([one, other], [one, third]).metrics['PCK@0.05'].tolist() == [100, 100]


def test_jitter_does_not_run_on_from_one_track_to_the_next():
    first, second = _video({0: TRUTH, 1: TRUTH}), _video({2: TRUTH, 3: TRUTH}, track_id=1)
    both = first.with_persons([*first.persons, *second.persons])
    assert np.isnan(keypoint_accuracy([both], [both]).metrics['jitter']).all()


def test_jitter_uses_the_frames_around_a_measured_one():
    truth = dict.fromkeys(range(3), TRUTH)
    predicted = {t: [(6.0 * (t == 1), 0.0), (100.0, 30.0)] for t in range(3)}
    accuracy = _measure(truth, predicted, frames=[[1]])
    assert accuracy.metrics['jitter'].tolist() == [12, 0]
    elsewhere = _measure(truth, predicted, frames=[[0, 2]])
    assert np.isnan(elsewhere.metrics['jitter']).all()


def test_only_the_chosen_frames_are_measured():
    truth = {0: TRUTH, 1: TRUTH}
    predicted = {0: TRUTH, 1: [(50.0, 0.0), (100.0, 80.0)]}
    accuracy = _measure(truth, predicted, frames=[[1]])
    assert accuracy.metrics['PCK@0.2'].tolist() == [0, 0]
    assert accuracy.metrics['error_px'].tolist() == [50, 50]


def test_people_pair_by_identity_not_by_place():
    truth = _video({0: TRUTH})
    far = _video({0: [(500.0, 0.0), (600.0, 30.0)]})
    near = _video({0: TRUTH}, track_id=1)
    predicted = truth.with_persons([*near.persons, *far.persons])
    assert keypoint_accuracy([truth], [predicted]).metrics['PCK@0.2'].tolist() == [0, 0]


def test_means_leave_out_joints_without_a_value():
    accuracy = keypoint_accuracy(
        [_video({0: [(0.0, 0.0), (100.0, 0.0), None]}, skeleton=Skeleton(('a', 'b', 'c')))],
        [_video({0: [(0.0, 0.0), (0.0, 0.0), None]}, skeleton=Skeleton(('a', 'b', 'c')))],
    )
    assert accuracy.means()['PCK@0.1'] == 50


def test_nobody_labelled_gives_unknown_figures():
    accuracy = _measure({}, {})
    assert all(np.isnan(value) for value in accuracy.means().values())


@given(st.integers(0, 2**32 - 1), st.sampled_from((0.5, 2.0, 4.0)))
def test_relative_figures_do_not_change_with_the_size_of_the_picture(seed, factor):
    rng = np.random.default_rng(seed)
    points = rng.uniform(1, 100, (2, 6, 2, 2))
    points[1] = points[0] + rng.normal(0, 10, points[0].shape)

    def measure(scale: float):
        truth, predicted = (
            _video({t: [tuple(p) for p in pose * scale] for t, pose in enumerate(side)})
            for side in points
        )
        return keypoint_accuracy([truth], [predicted])

    one, other = measure(1.0), measure(factor)
    for name in ('PCK@0.05', 'PCK@0.1', 'PCK@0.2', 'AUC', 'error_percent'):
        np.testing.assert_allclose(one.metrics[name], other.metrics[name], rtol=1e-9)
    np.testing.assert_allclose(one.metrics['error_px'] * factor, other.metrics['error_px'])
    np.testing.assert_allclose(one.metrics['jitter'] * factor, other.metrics['jitter'])


def test_a_person_without_track_id_is_an_error():
    with pytest.raises(InputError, match="video 'v', frame 0: a person has no track id"):
        keypoint_accuracy([_video({0: TRUTH}, track_id=None)], [_video({0: TRUTH})])


def test_another_skeleton_is_an_error():
    other = _video({0: TRUTH}, skeleton=Skeleton(('tail', 'ear')))
    with pytest.raises(InputError, match=r"has keypoints \['tail', 'ear'\], expected"):
        keypoint_accuracy([_video({0: TRUTH})], [other])


def test_table_has_a_line_per_joint_and_the_mean():
    accuracy = _measure({0: TRUTH}, {0: TRUTH})
    lines = format_accuracy(accuracy, 'mice').splitlines()
    assert lines[0] == 'mice'
    assert lines[1].split()[0] == 'PCK@0.05'
    assert lines[2].split() == ['tail', *['100.00'] * 4, '0.00', '0.00', '-', '100.00']
    assert [line.split()[0] for line in lines[2:]] == ['tail', 'nose', 'Mean']


def test_of_a_label_of_some_joints_the_others_are_predictions():
    skeleton = Skeleton(('nose', 'tail'))
    frames = (VideoFrame(0), VideoFrame(1))
    truth, whole, mixed = (
        PersonLabel(frame, np.array([[1.0, 2], [30, 40]]), np.array([2, 2]), 0, **fields)
        for frame, fields in (
            (0, {}),
            (1, {}),
            (0, {'keypoint_sources': np.array(['given', 'propagated'])}),
        )
    )
    pairs = pair_tracks(
        VideoLabels('clip', skeleton, frames, (truth, whole)),
        VideoLabels('clip', skeleton, frames, (mixed, whole)),
        skeleton.keypoint_names,
        None,
    )
    assert pairs.given.tolist() == [[True, False], [True, True]]
