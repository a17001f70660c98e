"""One hand-computed case per rule. Heads are 10 px, so joints match within 5 px."""

from __future__ import annotations

import numpy as np
import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.evaluation.functional import (
    PoseTrackScores,
    evaluate_posetrack,
    format_table,
    group_means,
    mean_of_known,
)
from stdpose_mm.evaluation.functional.average_precision import ApAccumulator
from stdpose_mm.evaluation.functional.clear_mot import MotAccumulator
from stdpose_mm.evaluation.functional.padded_poses import PaddedPoses, strictly_inside
from stdpose_mm.structures import PersonLabel, PolygonRegion, Skeleton, VideoFrame, VideoLabels
from support.posetrack_videos import HEAD_BOX, of, person, video


def _evaluate(gt, pred, num_frames: int = 1, frames=None) -> PoseTrackScores:
    return evaluate_posetrack([video(gt, num_frames, frames=frames)], [video(pred, num_frames)])


# Points and frames


def test_head_size_is_six_tenths_of_the_diagonal() -> None:
    gt = [person(0, {'nose': (100.0, 100.0)})]
    inside = _evaluate(gt, [person(0, {'nose': (103.0, 104.0)}, scores=0.5)])
    outside = _evaluate(gt, [person(0, {'nose': (103.1, 104.1)}, scores=0.5)])
    assert of(inside.ap, 'nose') == 100
    assert of(outside.ap, 'nose') == 0


def test_a_head_box_without_extent_matches_nothing() -> None:
    gt = [person(0, {'nose': (5.0, 5.0)}, head_box=np.zeros(4))]
    assert of(_evaluate(gt, [person(0, {'nose': (5.0, 5.0)}, scores=1.0)]).ap, 'nose') == 0


def test_visibility_does_not_matter_as_long_as_the_joint_is_there() -> None:
    occluded = person(0, {'nose': (1.0, 1.0)})
    occluded = PersonLabel(
        0, occluded.keypoints, np.minimum(occluded.visibility, 1), 0, head_box=HEAD_BOX
    )
    assert (
        of(_evaluate([occluded], [person(0, {'nose': (1.0, 1.0)}, scores=1.0)]).ap, 'nose') == 100
    )


def test_frames_that_name_nothing_pair_by_position() -> None:
    gt = video([person(3, {'nose': (1.0, 1.0)})], 0, frames=[VideoFrame(3), VideoFrame(1)])
    pred = video([person(0, {'nose': (1.0, 1.0)}, scores=1.0)], 2)
    assert of(evaluate_posetrack([gt], [pred]).ap, 'nose') == 100


@pytest.mark.parametrize(
    'frames',
    [
        [VideoFrame(0, 'a.jpg', 7), VideoFrame(1, 'b.jpg', 8)],
        [VideoFrame(0, 'a.jpg'), VideoFrame(1, 'b.jpg')],
        [VideoFrame(0, '', 7), VideoFrame(1, '', 8)],
    ],
)
def test_frames_in_another_order_pair_by_file_name_or_id(frames: list[VideoFrame]) -> None:
    places = {0: {'nose': (1.0, 1.0)}, 1: {'nose': (90.0, 90.0)}}
    gt = video([person(i, places[i]) for i in (0, 1)], 0, frames=frames)
    pred = video([person(i, places[i], scores=1.0) for i in (0, 1)], 0, frames=frames[::-1])
    assert of(evaluate_posetrack([gt], [pred]).ap, 'nose') == 100


def test_poses_in_pictures_of_another_size_are_refused() -> None:
    nose = {'nose': (1.0, 1.0)}
    gt, same, other = (
        video([person(0, nose, scores=scores)], 0, frames=[VideoFrame(0, 'a.jpg', 7, *size)])
        for scores, size in ((None, (64, 48)), (1.0, (64, None)), (1.0, (128, 96)))
    )
    assert of(evaluate_posetrack([gt], [same]).ap, 'nose') == 100
    with pytest.raises(InputError, match=r'frame 0: .* 128x96 pixels, the ground truth .* 64x48'):
        evaluate_posetrack([gt], [other])


def test_file_names_and_ids_of_different_frames_are_refused() -> None:
    nose = {'nose': (1.0, 1.0)}
    frames = [VideoFrame(0, 'a.jpg', 7), VideoFrame(1, 'b.jpg', 8)]
    crossed = [VideoFrame(0, 'a.jpg', 8), VideoFrame(1, 'b.jpg', 7)]
    gt = video([person(0, nose)], 0, frames=frames)
    pred = video([person(0, nose, scores=1.0)], 0, frames=crossed)
    with pytest.raises(InputError, match='ids match the frames of the prediction with different'):
        evaluate_posetrack([gt], [pred])


def test_frame_without_annotated_people_is_dropped_with_its_predictions() -> None:
    gt = [person(0, {'nose': (1.0, 1.0)})]
    pred = [
        person(0, {'nose': (1.0, 1.0)}, scores=0.5),
        person(1, {'nose': (1.0, 1.0)}, scores=0.9),
    ]
    assert of(_evaluate(gt, pred, num_frames=2).precision, 'nose') == 100


def test_frame_whose_people_have_no_keypoints_stays() -> None:
    gt = [person(0, {'nose': (1.0, 1.0)}), person(1, {})]
    pred = [
        person(0, {'nose': (1.0, 1.0)}, scores=0.5),
        person(1, {'nose': (1.0, 1.0)}, scores=0.9),
    ]
    assert of(_evaluate(gt, pred, num_frames=2).precision, 'nose') == 50


def test_is_labeled_is_not_read() -> None:
    gt = [person(0, {'nose': (1.0, 1.0)})]
    pred = [person(0, {'nose': (1.0, 1.0)}, scores=1.0)]
    scores = _evaluate(gt, pred, frames=[VideoFrame(0, is_labeled=False)])
    assert of(scores.recall, 'nose') == 100


# Ignore regions

SQUARE = PolygonRegion(np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0]]))


@pytest.mark.parametrize(
    ('point', 'inside'),
    [((5, 5), True), ((10, 5), False), ((0, 0), False), ((9.999, 9.999), True), ((11, 5), False)],
)
def test_a_point_on_the_edge_is_outside(point: tuple[float, float], inside: bool) -> None:
    assert strictly_inside(np.array(point, dtype=float), [SQUARE]) == inside


def test_a_point_in_the_notch_of_a_polygon_is_outside() -> None:
    notched = PolygonRegion(
        np.array([[0.0, 0.0], [10.0, 0.0], [5.0, 5.0], [10.0, 10.0], [0.0, 10.0]])
    )
    assert not strictly_inside(np.array([8.0, 5.0]), [notched])
    assert strictly_inside(np.array([2.0, 5.0]), [notched])


def test_a_polygon_of_two_corners_has_no_inside() -> None:
    line = PolygonRegion(np.array([[0.0, 0.0], [10.0, 10.0]]))
    assert not strictly_inside(np.array([5.0, 5.0]), [line])


def test_joints_in_a_region_are_removed_from_both_sides() -> None:
    gt = [person(0, {'nose': (5.0, 5.0), 'head_top': (50.0, 50.0)})]
    pred = [
        person(0, {'nose': (5.0, 5.0), 'head_top': (50.0, 50.0)}, scores=1.0),
        person(0, {'nose': (6.0, 6.0)}, track_id=1, scores=0.9),
    ]
    scores = _evaluate(gt, pred, frames=[VideoFrame(0, ignore_regions=(SQUARE,))])
    assert of(scores.ap, 'head_top') == 100
    # Without prediction and without truth: the official evaluator's 0.
    assert of(scores.ap, 'nose') == 0


def test_a_frame_emptied_by_regions_stays_and_its_predictions_are_wrong() -> None:
    gt = [person(0, {'nose': (5.0, 5.0)}), person(1, {'nose': (50.0, 50.0)})]
    pred = [
        person(0, {'nose': (50.0, 50.0)}, scores=0.9),
        person(1, {'nose': (50.0, 50.0)}, scores=0.5),
    ]
    frames = [VideoFrame(0, ignore_regions=(SQUARE,)), VideoFrame(1)]
    scores = _evaluate(gt, pred, num_frames=2, frames=frames)
    assert of(scores.precision, 'nose') == 50
    assert of(scores.recall, 'nose') == 100


def test_people_emptied_by_regions_are_absent_for_tracking() -> None:
    # Frame 0: nobody left in the truth, one miss and one false positive per joint.
    gt = [person(t, {'nose': (5.0, 5.0) if t == 0 else (50.0, 50.0)}) for t in range(3)]
    pred = [person(t, {'nose': (50.0, 50.0)}, scores=0.9) for t in range(3)]
    frames = [VideoFrame(0, ignore_regions=(SQUARE,)), VideoFrame(1), VideoFrame(2)]
    scores = _evaluate(gt, pred, num_frames=3, frames=frames)
    # Frames 0 and 1 count: 2 objects, 1 detection, 1 miss, 1 false positive.
    assert of(scores.mota, 'nose') == 0
    assert of(scores.mota, 'left_hip') == -100


# Average precision


def test_a_prediction_keeps_its_best_truth_only() -> None:
    near = {'nose': (0.0, 1.0), 'head_top': (0.0, 11.0)}
    gt = [
        person(0, {'nose': (0.0, 0.0), 'head_top': (0.0, 30.0)}, 0),
        person(0, near, 1),
    ]
    scores = _evaluate(gt, [person(0, near, 0, scores=1.0)])
    assert of(scores.ap, 'head_top') == 50
    assert of(scores.recall, 'nose') == 50


@pytest.mark.parametrize(('first', 'nose', 'hip'), [(0, 100, 0), (1, 0, 100)])
def test_the_first_truth_wins_a_tie(first: int, nose: float, hip: float) -> None:
    # Of either truth the prediction has one joint of two.
    gt = [
        person(0, {'nose': (0.0, 0.0), 'left_hip': (0.0, 90.0)}, 0),
        person(0, {'nose': (50.0, 0.0), 'left_hip': (0.0, 20.0)}, 1),
    ]
    pred = [person(0, {'nose': (0.0, 0.0), 'left_hip': (0.0, 20.0)}, scores=1.0)]
    scores = _evaluate([gt[first], gt[1 - first]], pred)
    assert of(scores.precision, 'nose') == nose
    assert of(scores.precision, 'left_hip') == hip


def test_the_first_prediction_wins_a_tie() -> None:
    gt = [person(0, {'nose': (0.0, 0.0), 'head_top': (0.0, 20.0)})]
    first = person(0, {'nose': (0.0, 0.0)}, 0, scores=0.1)
    second = person(0, {'head_top': (0.0, 20.0)}, 1, scores=0.9)
    scores = _evaluate(gt, [first, second])
    assert of(scores.ap, 'nose') == 100
    assert of(scores.ap, 'head_top') == 0


def test_scores_play_no_part_in_the_assignment() -> None:
    gt = [person(0, {'nose': (0.0, 0.0), 'head_top': (0.0, 20.0)})]
    whole = person(0, {'nose': (0.0, 0.0), 'head_top': (0.0, 20.0)}, 0, scores=0.1)
    half = person(0, {'nose': (0.0, 0.0)}, 1, scores=0.9)
    # The duplicate ranks first and is wrong: precision 0, then 1/2 at full recall.
    assert of(_evaluate(gt, [half, whole]).ap, 'nose') == 50


def test_there_is_no_second_round() -> None:
    gt = [
        person(0, {'nose': (0.0, 0.0)}, 0),
        person(0, {'nose': (4.0, 0.0)}, 1),
    ]
    # Both predictions prefer the first truth on the tie; the second truth stays without.
    pred = [
        person(0, {'nose': (2.0, 0.0)}, 0, scores=0.9),
        person(0, {'nose': (3.0, 0.0)}, 1, scores=0.8),
    ]
    scores = _evaluate(gt, pred)
    assert of(scores.recall, 'nose') == 50
    assert of(scores.precision, 'nose') == 50


def test_joints_that_the_truth_lacks_are_false_positives() -> None:
    gt = [person(0, {'nose': (0.0, 0.0)}, 0), person(0, {'left_hip': (90.0, 90.0)}, 1)]
    pred = [person(0, {'nose': (0.0, 0.0), 'left_hip': (50.0, 50.0)}, scores=1.0)]
    scores = _evaluate(gt, pred)
    assert of(scores.precision, 'nose') == 100
    assert of(scores.precision, 'left_hip') == 0


def test_interpolated_average_precision() -> None:
    # Ranked: hit, miss, hit, and one of 3 truths not found. Recall 1/3 at precision 1,
    # 2/3 at 2/3: 1/3 + 1/3 * 2/3 = 5/9.
    gt = [person(t, {'nose': (0.0, 0.0)}) for t in range(3)]
    pred = [
        person(0, {'nose': (0.0, 0.0)}, scores=0.9),
        person(1, {'nose': (99.0, 0.0)}, 1, scores=0.8),
        person(1, {'nose': (0.0, 0.0)}, 0, scores=0.7),
    ]
    scores = _evaluate(gt, pred, num_frames=3)
    assert of(scores.ap, 'nose') == pytest.approx(100 * 5 / 9)
    assert of(scores.precision, 'nose') == pytest.approx(100 * 2 / 3)
    assert of(scores.recall, 'nose') == pytest.approx(100 * 2 / 3)


def test_a_missing_score_ranks_last() -> None:
    gt = [person(t, {'nose': (0.0, 0.0)}) for t in range(2)]
    pred = [
        person(0, {'nose': (99.0, 0.0)}, scores=-50.0),
        person(1, {'nose': (0.0, 0.0)}),
    ]
    # The wrong one is ranked first, in spite of its score of -50.
    assert of(_evaluate(gt, pred, num_frames=2).ap, 'nose') == 25


def test_joints_are_pooled_over_videos() -> None:
    gt = [video([person(0, {'nose': (0.0, 0.0)})], 1) for _ in range(2)]
    pred = [
        video([person(0, {'nose': (99.0, 0.0)}, scores=0.9)], 1),
        video([person(0, {'nose': (0.0, 0.0)}, scores=0.1)], 1),
    ]
    # Ranked over both: miss, hit. One video by itself would give 0 and 100.
    assert of(evaluate_posetrack(gt, pred).ap, 'nose') == 25


def test_predictions_without_truth_are_nan_and_left_out_of_the_mean() -> None:
    gt = [person(0, {'nose': (0.0, 0.0)})]
    pred = [person(0, {'nose': (0.0, 0.0), 'left_hip': (9.0, 9.0)}, scores=1.0)]
    scores = _evaluate(gt, pred)
    assert np.isnan(of(scores.ap, 'left_hip'))
    assert np.isnan(of(scores.recall, 'left_hip'))
    assert of(scores.precision, 'left_hip') == 0
    # 100 for the nose, 0 for 13 joints without prediction, NaN for the hip.
    assert mean_of_known(scores.ap) == pytest.approx(100 / 14)


def test_no_prediction_is_zero() -> None:
    scores = _evaluate([person(0, {'nose': (0.0, 0.0)})], [])
    assert (of(scores.ap, 'nose'), of(scores.precision, 'nose'), of(scores.recall, 'nose')) == (
        0,
        0,
        0,
    )


# Tracking


def _track(points, ids, num_frames: int, joint: str = 'nose', **fields):
    """One person per frame at ``points`` with ``ids``; None leaves the frame out."""
    return [
        person(t, {joint: (float(x), 0.0)}, i, **fields)
        for t, (x, i) in enumerate(zip(points, ids, strict=True))
        if i is not None
    ][:num_frames]


def test_the_last_kept_frame_takes_no_part_in_tracking() -> None:
    gt = _track([0, 0, 0], [0, 0, 0], 3)
    pred = _track([0, 0, 99], [7, 7, 7], 3, scores=1.0)
    scores = _evaluate(gt, pred, num_frames=3)
    assert of(scores.mota, 'nose') == 100
    assert of(scores.recall, 'nose') == pytest.approx(200 / 3)


def test_the_last_kept_frame_is_counted_after_dropping_empty_ones() -> None:
    gt = _track([0, 0, 0, 0], [0, 0, None, None], 4)
    pred = _track([0, 99, 0, 0], [7, 7, None, None], 4, scores=1.0)
    assert of(_evaluate(gt, pred, num_frames=4).mota, 'nose') == 100


def test_a_video_of_one_frame_has_no_tracking() -> None:
    scores = _evaluate(_track([0], [0], 1), _track([0], [7], 1, scores=1.0))
    assert np.isnan(of(scores.mota, 'nose'))
    assert of(scores.motp, 'nose') == 0


def test_a_frame_without_predictions_counts_one_miss_and_one_false_positive() -> None:
    gt = [person(t, {'nose': (99.0 * i, 0.0)}, i) for t in range(3) for i in range(3)]
    pred = [p for p in gt if p.frame_index != 0]
    scores = _evaluate(gt, pred, num_frames=3)
    # Frame 0: 1 object, 1 miss, 1 false positive; frame 1: 3 objects found.
    assert of(scores.mota, 'nose') == pytest.approx(100 * (1 - 2 / 4))
    assert of(scores.tracking_recall, 'nose') == pytest.approx(75)
    assert of(scores.tracking_precision, 'nose') == pytest.approx(75)


def test_mota_counts_misses_switches_and_false_positives() -> None:
    gt = _track([0, 0, 0, 0, 0], [0] * 5, 5)
    pred = _track([0, 0, 99, 0, 0], [7, 8, 8, 8, 8], 5, scores=1.0)
    # 4 objects: 1 switch, 1 miss, 1 false positive.
    assert of(_evaluate(gt, pred, num_frames=5).mota, 'nose') == pytest.approx(25)


def test_an_identity_is_remembered_without_time_limit() -> None:
    gt = _track([0] * 6, [0, None, None, None, 0, 0], 6) + [
        person(t, {'nose': (50.0, 50.0)}, 1) for t in range(6)
    ]
    pred = [person(t, {'nose': (50.0, 50.0)}, 1, scores=1.0) for t in range(6)]
    returned = [person(t, {'nose': (0.0, 0.0)}, 7, scores=1.0) for t in (0, 4, 5)]
    changed = [person(t, {'nose': (0.0, 0.0)}, i, scores=1.0) for t, i in ((0, 7), (4, 8), (5, 8))]
    # 7 objects in the 5 counted frames.
    assert of(_evaluate(gt, pred + returned, num_frames=6).mota, 'nose') == 100
    assert of(_evaluate(gt, pred + changed, num_frames=6).mota, 'nose') == pytest.approx(600 / 7)


def test_the_last_identity_is_kept_although_another_one_is_nearer() -> None:
    gt = _track([0, 0, 0], [0] * 3, 3)
    pred = [
        person(0, {'nose': (0.0, 0.0)}, 7, scores=1.0),
        *(person(t, {'nose': (0.0, 4.0)}, 7, scores=1.0) for t in (1, 2)),
        *(person(t, {'nose': (0.0, 0.0)}, 8, scores=1.0) for t in (1, 2)),
    ]
    scores = _evaluate(gt, pred, num_frames=3)
    # 2 objects, 1 false positive, no switch; distances 0 and 0.4.
    assert of(scores.mota, 'nose') == pytest.approx(50)
    assert of(scores.motp, 'nose') == pytest.approx(80)


def test_of_two_objects_that_remember_an_identity_the_first_in_the_list_keeps_it() -> None:
    def people(t: int, first: int) -> list[PersonLabel]:
        both = {i: person(t, {'nose': (0.0, float(i))}, i) for i in (0, 1)}
        return [both[first], both[1 - first]]

    # Object 0 is matched by 7, goes; 7 then matches object 1; both are back in frame 2.
    start = [person(0, {'nose': (0.0, 0.0)}, 0), person(1, {'nose': (0.0, 1.0)}, 1)]
    pred = [person(t, {'nose': (0.0, 0.0)}, 7, scores=1.0) for t in range(4)]
    other = person(2, {'nose': (0.0, 2.0)}, 9, scores=1.0)
    results = [
        _evaluate([*start, *people(2, first), *people(3, first)], [*pred, other], num_frames=4)
        for first in (0, 1)
    ]
    # Either way the other object switches to 9; matched distances tell who kept 7.
    assert [of(scores.mota, 'nose') for scores in results] == pytest.approx([75, 75])
    # First 0: 0 + 0.1 + (0 + 0.1); first 1: 0 + 0.1 + (0.1 + 0.2), over 4 matches.
    assert [of(s.motp, 'nose') for s in results] == pytest.approx([95, 90])


def test_the_most_pairs_are_matched_before_the_nearest() -> None:
    gt = [person(t, {'nose': (x, 0.0)}, i) for t in range(2) for i, x in enumerate((0.0, 4.0))]
    # 7 lies on the second object, but is the only one within reach of the first.
    pred = [
        person(t, {'nose': (x, 0.0)}, i, scores=1.0)
        for t in range(2)
        for i, x in ((7, 4.0), (8, 8.0))
    ]
    scores = _evaluate(gt, pred, num_frames=2)
    assert of(scores.mota, 'nose') == 100
    assert of(scores.motp, 'nose') == pytest.approx(60)


def test_the_nearest_of_equally_many_pairs_are_matched() -> None:
    gt = [person(t, {'nose': (x, 0.0)}, i) for t in range(2) for i, x in enumerate((0.0, 2.0))]
    pred = [
        person(t, {'nose': (x, 0.0)}, i, scores=1.0)
        for t in range(2)
        for i, x in ((7, 2.0), (8, 0.5))
    ]
    assert of(_evaluate(gt, pred, num_frames=2).motp, 'nose') == pytest.approx(100 * (1 - 0.025))


def test_a_remembered_identity_beyond_the_threshold_is_given_up() -> None:
    gt = _track([0, 0, 0], [0] * 3, 3)
    pred = [
        person(0, {'nose': (0.0, 0.0)}, 7, scores=1.0),
        person(1, {'nose': (6.0, 0.0)}, 7, scores=1.0),
        person(1, {'nose': (0.0, 0.0)}, 8, scores=1.0),
    ]
    # 2 objects, 1 switch, 1 false positive.
    assert of(_evaluate(gt, pred, num_frames=3).mota, 'nose') == 0


def test_tracking_ignores_the_assignment_of_whole_poses() -> None:
    gt = [
        person(t, {'nose': (0.0, 0.0), 'head_top': (0.0, 20.0), 'left_hip': (0.0, 60.0)})
        for t in range(2)
    ]
    pred = [
        person(t, joints, i, scores=1.0)
        for t in range(2)
        for i, joints in enumerate(
            ({'nose': (0.0, 0.0), 'head_top': (0.0, 20.0)}, {'left_hip': (0.0, 60.0)})
        )
    ]
    scores = _evaluate(gt, pred, num_frames=2)
    assert of(scores.ap, 'left_hip') == 0
    assert of(scores.mota, 'left_hip') == 100


def test_every_video_starts_without_identities() -> None:
    gt = [video(_track([0, 0], [0, 0], 2), 2) for _ in range(2)]
    pred = [video(_track([0, 0], [i, i], 2, scores=1.0), 2) for i in (7, 8)]
    assert of(evaluate_posetrack(gt, pred).mota, 'nose') == 100


def test_tracking_is_unknown_without_track_ids() -> None:
    gt = [person(t, {'nose': (0.0, 0.0)}) for t in range(2)]
    pred = [person(t, {'nose': (0.0, 0.0)}, None, scores=1.0) for t in range(2)]
    scores = _evaluate(gt, pred, num_frames=2)
    assert np.isnan(scores.mota).all()
    assert of(scores.ap, 'nose') == 100


# MetricSummary and errors


def test_groups_are_plain_means_and_the_mean_is_over_joints() -> None:
    values = np.arange(15.0)
    means = group_means(values)
    assert means['Head'] == 1
    assert means['Shoulder'] == 3.5
    assert means['Ankle'] == 13.5
    assert means['Mean'] == 7
    assert list(means) == ['Head', 'Shoulder', 'Elbow', 'Wrist', 'Hip', 'Knee', 'Ankle', 'Mean']


def test_table_prints_unknown_values_as_a_dash() -> None:
    values = np.full(15, 50.0)
    values[-2:] = np.nan
    lines = format_table({'AP': values}, 'ground-truth boxes').splitlines()
    assert lines[0] == 'ground-truth boxes'
    assert lines[2].split() == ['AP', *['50.0'] * 6, '-', '50.0']


def test_a_person_without_head_box_is_an_error() -> None:
    with pytest.raises(InputError, match=r"video 'video', frame 0: .*no head box"):
        _evaluate([person(0, {'nose': (0.0, 0.0)}, head_box=None)], [])


def test_another_number_of_frames_is_an_error() -> None:
    with pytest.raises(InputError, match='has 3 frames, expected the 2 frames'):
        evaluate_posetrack([video([], 2)], [video([], 3)])


def test_another_number_of_videos_is_an_error() -> None:
    with pytest.raises(InputError, match=r'0 predicted videos .* each of the 1 '):
        evaluate_posetrack([video([], 1)], [])


def test_a_skeleton_without_an_evaluated_joint_is_an_error() -> None:
    labels = VideoLabels('v', Skeleton(('nose',)), (VideoFrame(0),))
    with pytest.raises(InputError, match="lack 'head_bottom'"):
        evaluate_posetrack([labels], [labels])


def test_absent_people_are_nobody_on_either_side() -> None:
    nobody = PersonLabel(0, np.zeros((17, 2)), np.zeros(17), 7, source='absent')
    gt, pred = person(0, {'nose': (1.0, 1.0)}), person(0, {'nose': (1.0, 1.0)}, scores=1.0)
    without = _evaluate([gt], [pred], 2)
    for truth, found in (([gt, nobody], [pred]), ([gt], [nobody, pred]), ([gt, nobody], [pred])):
        assert repr(_evaluate(truth, found, 2)) == repr(without)


# Accumulators


def _poses(track_ids: list[list[int]] | None, num_people: int = 2) -> PaddedPoses:
    """Two frames of people with one joint each."""
    shape = (2, num_people)
    return PaddedPoses(
        keypoints=np.zeros((*shape, 1, 2)),
        exists=np.ones((*shape, 1), bool),
        present=np.ones(shape, bool),
        scores=np.ones((*shape, 1)),
        track_ids=None if track_ids is None else np.array(track_ids),
        head_sizes=np.full(shape, 10.0),
    )


def test_as_many_pairs_as_possible_match_though_all_are_at_no_distance() -> None:
    known = _poses([[0, 1]] * 2)
    accumulator = MotAccumulator(1)
    accumulator.start_video(known, known)
    # The second object may only match the first hypothesis.
    match = np.array([[[[True, True], [True, False]]]] * 2)
    accumulator.add(0, match, np.zeros(match.shape))
    assert accumulator.result().detections.tolist() == [2]


def test_tracking_needs_the_identities_of_both_sides() -> None:
    known, unknown = _poses([[0, 1]] * 2), _poses(None)
    for gt, pred in ((known, unknown), (unknown, known)):
        with pytest.raises(ValueError, match='needs the track ids'):
            MotAccumulator(1).start_video(gt, pred)


def test_precision_of_videos_that_were_collected_apart() -> None:
    poses = _poses([[0, 1]] * 2)
    together, apart = ApAccumulator(1), [ApAccumulator(1), ApAccumulator(1)]
    for accumulator, own in zip(apart, (True, False), strict=True):
        match = np.broadcast_to(np.eye(2, dtype=bool) & own, (2, 1, 2, 2))
        for each in (accumulator, together):
            each.add(poses, poses, match)
    apart[0].update(apart[1])
    assert apart[0].num_truth.tolist() == [8]
    # Four right ones and four wrong ones of equal scores, the right ones first.
    assert apart[0].result().recall.tolist() == together.result().recall.tolist() == [50]
    assert apart[0].result().ap.tolist() == together.result().ap.tolist() == [50]
