"""One hand-computed case per rule. Heads are 10 px, so joints match within 5 px."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

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
from support.posetrack_videos import of, person, video

SQUARE = PolygonRegion(np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0]]))
UNKNOWN = float('nan')


def truth(frame: int, track: int | None = 0, **joints: tuple[float, float]) -> PersonLabel:
    return person(frame, joints, track)


def found(
    frame: int, track: int | None = 0, score: float | None = 1.0, **joints: tuple[float, float]
) -> PersonLabel:
    return person(frame, joints, track, score)


def _track(points: Sequence[float], ids: Sequence[int | None], score: float | None = None):
    """One person per frame with the nose at ``points``; None leaves the frame out."""
    return [
        found(t, i, score, nose=(float(x), 0.0))
        for t, (x, i) in enumerate(zip(points, ids, strict=True))
        if i is not None
    ]


def _evaluate(gt, pred, num_frames: int = 1, frames=None) -> PoseTrackScores:
    return evaluate_posetrack([video(gt, num_frames, frames=frames)], [video(pred, num_frames)])


class Rule(NamedTuple):
    """A video, and the scores that follow from it: of the nose, or of another joint."""

    gt: Sequence[PersonLabel]
    pred: Sequence[PersonLabel]
    expected: Mapping[str, float]
    frames: Sequence[VideoFrame] | None = None


def check(rule: Rule) -> None:
    num_frames = 1 + max(p.frame_index for p in [*rule.gt, *rule.pred])
    if rule.frames is not None:
        num_frames = len(rule.frames)
    scores = _evaluate(rule.gt, rule.pred, num_frames, rule.frames)
    names = [f'{name} of nose'.split(' of ')[:2] for name in rule.expected]
    values = [of(getattr(scores, measure), joint) for measure, joint in names]
    assert values == pytest.approx([*rule.expected.values()], rel=1e-12, abs=1e-12, nan_ok=True)


def table(rules: Mapping[str, Rule]):
    return pytest.mark.parametrize('rule', rules.values(), ids=rules)


@table(
    {
        'a head size is six tenths of the diagonal: inside': Rule(
            [truth(0, nose=(100, 100))], [found(0, nose=(103, 104))], {'ap': 100}
        ),
        'a head size is six tenths of the diagonal: outside': Rule(
            [truth(0, nose=(100, 100))], [found(0, nose=(103.1, 104.1))], {'ap': 0}
        ),
        'a head box without extent matches nothing': Rule(
            [replace(truth(0, nose=(5, 5)), head_box=np.zeros(4))],
            [found(0, nose=(5, 5))],
            {'ap': 0},
        ),
        'visibility does not matter as long as the joint is there': Rule(
            [replace(truth(0, nose=(1, 1)), visibility=np.eye(17, dtype=np.int8)[0])],
            [found(0, nose=(1, 1))],
            {'ap': 100},
        ),
        'frames that name nothing pair by position': Rule(
            [truth(3, nose=(1, 1))],
            [found(0, nose=(1, 1))],
            {'ap': 100},
            [VideoFrame(3), VideoFrame(1)],
        ),
        'a frame without annotated people is dropped with its predictions': Rule(
            [truth(0, nose=(1, 1))],
            [found(0, score=0.5, nose=(1, 1)), found(1, score=0.9, nose=(1, 1))],
            {'precision': 100},
        ),
        'a frame whose people have no keypoints stays': Rule(
            [truth(0, nose=(1, 1)), truth(1)],
            [found(0, score=0.5, nose=(1, 1)), found(1, score=0.9, nose=(1, 1))],
            {'precision': 50},
        ),
        'is_labeled is not read': Rule(
            [truth(0, nose=(1, 1))],
            [found(0, nose=(1, 1))],
            {'recall': 100},
            [VideoFrame(0, is_labeled=False)],
        ),
        # Without prediction and without truth, the nose has the official evaluator's 0.
        'joints in an ignore region are removed from both sides': Rule(
            [truth(0, nose=(5, 5), head_top=(50, 50))],
            [found(0, nose=(5, 5), head_top=(50, 50)), found(0, track=1, score=0.9, nose=(6, 6))],
            {'ap': 0, 'ap of head_top': 100},
            [VideoFrame(0, ignore_regions=(SQUARE,))],
        ),
        'a frame emptied by regions stays and its predictions are wrong': Rule(
            [truth(0, nose=(5, 5)), truth(1, nose=(50, 50))],
            [found(0, score=0.9, nose=(50, 50)), found(1, score=0.5, nose=(50, 50))],
            {'precision': 50, 'recall': 100},
            [VideoFrame(0, ignore_regions=(SQUARE,)), VideoFrame(1)],
        ),
        # Frame 0: nobody left in the truth, one miss and one false positive per joint.
        # Frames 0 and 1 count: 2 objects, 1 detection, 1 miss, 1 false positive.
        'people emptied by regions are absent for tracking': Rule(
            [truth(0, nose=(5, 5)), truth(1, nose=(50, 50)), truth(2, nose=(50, 50))],
            [found(t, nose=(50, 50)) for t in range(3)],
            {'mota': 0, 'mota of left_hip': -100},
            [VideoFrame(0, ignore_regions=(SQUARE,)), VideoFrame(1), VideoFrame(2)],
        ),
    }
)
def test_which_joints_and_frames_count(rule):
    check(rule)


@pytest.mark.parametrize(
    'frames',
    [
        [VideoFrame(0, 'a.jpg', 7), VideoFrame(1, 'b.jpg', 8)],
        [VideoFrame(0, 'a.jpg'), VideoFrame(1, 'b.jpg')],
        [VideoFrame(0, '', 7), VideoFrame(1, '', 8)],
    ],
)
def test_frames_in_another_order_pair_by_file_name_or_id(frames):
    places = {0: {'nose': (1.0, 1.0)}, 1: {'nose': (90.0, 90.0)}}
    gt = video([person(i, places[i]) for i in (0, 1)], 0, frames=frames)
    pred = video([person(i, places[i], scores=1.0) for i in (0, 1)], 0, frames=frames[::-1])
    assert of(evaluate_posetrack([gt], [pred]).ap, 'nose') == 100


def test_poses_in_pictures_of_another_size_are_refused():
    nose = {'nose': (1.0, 1.0)}
    gt, same, other = (
        video([person(0, nose, scores=scores)], 0, frames=[VideoFrame(0, 'a.jpg', 7, *size)])
        for scores, size in ((None, (64, 48)), (1.0, (64, None)), (1.0, (128, 96)))
    )
    assert of(evaluate_posetrack([gt], [same]).ap, 'nose') == 100
    with pytest.raises(InputError, match=r'frame 0: .* 128x96 pixels, the ground truth .* 64x48'):
        evaluate_posetrack([gt], [other])


def test_file_names_and_ids_of_different_frames_are_refused():
    nose = {'nose': (1.0, 1.0)}
    frames = [VideoFrame(0, 'a.jpg', 7), VideoFrame(1, 'b.jpg', 8)]
    crossed = [VideoFrame(0, 'a.jpg', 8), VideoFrame(1, 'b.jpg', 7)]
    gt = video([person(0, nose)], 0, frames=frames)
    pred = video([person(0, nose, scores=1.0)], 0, frames=crossed)
    with pytest.raises(InputError, match='ids match the frames of the prediction with different'):
        evaluate_posetrack([gt], [pred])


@pytest.mark.parametrize(
    ('corners', 'inside', 'outside'),
    [
        pytest.param(
            [(0, 0), (10, 0), (10, 10), (0, 10)],
            [(5, 5), (9.999, 9.999)],
            [(10, 5), (0, 0), (11, 5)],
            id='a point on the edge is outside',
        ),
        pytest.param(
            [(0, 0), (10, 0), (5, 5), (10, 10), (0, 10)],
            [(2, 5)],
            [(8, 5)],
            id='a point in a notch is outside',
        ),
        pytest.param([(0, 0), (9, 0), (0, 9)], [(2, 2)], [(8, 8)], id='three corners have one'),
        pytest.param([(0, 0), (10, 10)], [], [(5, 5)], id='two corners have no inside'),
    ],
)
def test_what_lies_inside_a_region(corners, inside, outside):
    region = PolygonRegion(np.array(corners, dtype=float))
    found = [strictly_inside(np.array(point, dtype=float), [region]) for point in inside + outside]
    assert found == [True] * len(inside) + [False] * len(outside)


# Of either truth the prediction has one joint of two.
TIED_TRUTHS = [
    truth(0, 0, nose=(0, 0), left_hip=(0, 90)),
    truth(0, 1, nose=(50, 0), left_hip=(0, 20)),
]
TIED = [found(0, nose=(0, 0), left_hip=(0, 20))]


@table(
    {
        'a prediction keeps its best truth only': Rule(
            [
                truth(0, 0, nose=(0, 0), head_top=(0, 30)),
                truth(0, 1, nose=(0, 1), head_top=(0, 11)),
            ],
            [found(0, nose=(0, 1), head_top=(0, 11))],
            {'ap of head_top': 50, 'recall': 50},
        ),
        'the first truth wins a tie': Rule(
            TIED_TRUTHS, TIED, {'precision': 100, 'precision of left_hip': 0}
        ),
        'the first truth wins a tie: the other one first': Rule(
            TIED_TRUTHS[::-1], TIED, {'precision': 0, 'precision of left_hip': 100}
        ),
        'the first prediction wins a tie': Rule(
            [truth(0, nose=(0, 0), head_top=(0, 20))],
            [found(0, 0, 0.1, nose=(0, 0)), found(0, 1, 0.9, head_top=(0, 20))],
            {'ap': 100, 'ap of head_top': 0},
        ),
        # The duplicate ranks first and is wrong: precision 0, then 1/2 at full recall.
        'scores play no part in the assignment': Rule(
            [truth(0, nose=(0, 0), head_top=(0, 20))],
            [found(0, 1, 0.9, nose=(0, 0)), found(0, 0, 0.1, nose=(0, 0), head_top=(0, 20))],
            {'ap': 50},
        ),
        # Both predictions prefer the first truth on the tie; the second truth stays without.
        'there is no second round': Rule(
            [truth(0, 0, nose=(0, 0)), truth(0, 1, nose=(4, 0))],
            [found(0, 0, 0.9, nose=(2, 0)), found(0, 1, 0.8, nose=(3, 0))],
            {'recall': 50, 'precision': 50},
        ),
        'joints that the truth lacks are false positives': Rule(
            [truth(0, 0, nose=(0, 0)), truth(0, 1, left_hip=(90, 90))],
            [found(0, nose=(0, 0), left_hip=(50, 50))],
            {'precision': 100, 'precision of left_hip': 0},
        ),
        # Ranked: hit, miss, hit, and one of 3 truths not found. Recall 1/3 at precision 1,
        # 2/3 at 2/3: 1/3 + 1/3 * 2/3 = 5/9.
        'average precision is interpolated': Rule(
            _track([0, 0, 0], [0, 0, 0]),
            [
                found(0, 0, 0.9, nose=(0, 0)),
                found(1, 1, 0.8, nose=(99, 0)),
                found(1, 0, 0.7, nose=(0, 0)),
            ],
            {'ap': 500 / 9, 'precision': 200 / 3, 'recall': 200 / 3},
        ),
        # The wrong one is ranked first, in spite of its score of -50.
        'a missing score ranks last': Rule(
            _track([0, 0], [0, 0]),
            [found(0, 0, -50.0, nose=(99, 0)), found(1, 0, None, nose=(0, 0))],
            {'ap': 25},
        ),
        'no prediction is zero': Rule(
            [truth(0, nose=(0, 0))], [], {'ap': 0, 'precision': 0, 'recall': 0}
        ),
    }
)
def test_average_precision(rule):
    check(rule)


def test_joints_are_pooled_over_videos():
    gt = [video([person(0, {'nose': (0.0, 0.0)})], 1) for _ in range(2)]
    pred = [
        video([person(0, {'nose': (99.0, 0.0)}, scores=0.9)], 1),
        video([person(0, {'nose': (0.0, 0.0)}, scores=0.1)], 1),
    ]
    # Ranked over both: miss, hit. One video by itself would give 0 and 100.
    assert of(evaluate_posetrack(gt, pred).ap, 'nose') == 25


def test_predictions_without_truth_are_nan_and_left_out_of_the_mean():
    gt = [person(0, {'nose': (0.0, 0.0)})]
    pred = [person(0, {'nose': (0.0, 0.0), 'left_hip': (9.0, 9.0)}, scores=1.0)]
    scores = _evaluate(gt, pred)
    assert np.isnan(of(scores.ap, 'left_hip'))
    assert np.isnan(of(scores.recall, 'left_hip'))
    assert of(scores.precision, 'left_hip') == 0
    # 100 for the nose, 0 for 13 joints without prediction, NaN for the hip.
    assert mean_of_known(scores.ap) == pytest.approx(100 / 14)


# Someone who stands still, and someone who is away for three frames.
STANDING = [truth(t, 1, nose=(50, 50)) for t in range(6)]
AWAY = [*_track([0] * 6, [0, None, None, None, 0, 0]), *STANDING]
STANDING_FOUND = [found(t, 1, nose=(50, 50)) for t in range(6)]


@table(
    {
        'the last kept frame takes no part': Rule(
            _track([0, 0, 0], [0, 0, 0]),
            _track([0, 0, 99], [7, 7, 7], 1.0),
            {'mota': 100, 'recall': 200 / 3},
        ),
        'the last kept frame is counted after dropping empty ones': Rule(
            _track([0, 0, 0, 0], [0, 0, None, None]),
            _track([0, 99, 0, 0], [7, 7, None, None], 1.0),
            {'mota': 100},
            [VideoFrame(t) for t in range(4)],
        ),
        'a video of one frame has no tracking': Rule(
            _track([0], [0]), _track([0], [7], 1.0), {'mota': UNKNOWN, 'motp': 0}
        ),
        # Frame 0: 1 object, 1 miss, 1 false positive; frame 1: 3 objects found.
        'a frame without predictions counts one miss and one false positive': Rule(
            [truth(t, i, nose=(99.0 * i, 0)) for t in range(3) for i in range(3)],
            [truth(t, i, nose=(99.0 * i, 0)) for t in (1, 2) for i in range(3)],
            {'mota': 50},
        ),
        # 4 objects: 1 switch, 1 miss, 1 false positive.
        'misses, switches and false positives count': Rule(
            _track([0] * 5, [0] * 5), _track([0, 0, 99, 0, 0], [7, 8, 8, 8, 8], 1.0), {'mota': 25}
        ),
        # 7 objects in the 5 counted frames.
        'an identity is remembered without time limit': Rule(
            AWAY, [*STANDING_FOUND, *(found(t, 7, nose=(0, 0)) for t in (0, 4, 5))], {'mota': 100}
        ),
        'another identity after an absence is a switch': Rule(
            AWAY,
            [*STANDING_FOUND, *(found(t, i, nose=(0, 0)) for t, i in ((0, 7), (4, 8), (5, 8)))],
            {'mota': 600 / 7},
        ),
        # 2 objects, 1 false positive, no switch; distances 0 and 0.4.
        'the last identity is kept although another one is nearer': Rule(
            _track([0, 0, 0], [0, 0, 0]),
            [
                found(0, 7, nose=(0, 0)),
                *(found(t, 7, nose=(0, 4)) for t in (1, 2)),
                *(found(t, 8, nose=(0, 0)) for t in (1, 2)),
            ],
            {'mota': 50, 'motp': 80},
        ),
        # 7 lies on the second object, but is the only one within reach of the first.
        'the most pairs are matched before the nearest': Rule(
            _track([0, 0], [0, 0]) + _track([4, 4], [1, 1]),
            _track([4, 4], [7, 7], 1.0) + _track([8, 8], [8, 8], 1.0),
            {'mota': 100, 'motp': 60},
        ),
        'the nearest of equally many pairs are matched': Rule(
            _track([0, 0], [0, 0]) + _track([2, 2], [1, 1]),
            _track([2, 2], [7, 7], 1.0) + _track([0.5, 0.5], [8, 8], 1.0),
            {'motp': 100 * (1 - 0.025)},
        ),
        # 2 objects, 1 switch, 1 false positive.
        'a remembered identity beyond the threshold is given up': Rule(
            _track([0, 0, 0], [0, 0, 0]),
            [found(0, 7, nose=(0, 0)), found(1, 7, nose=(6, 0)), found(1, 8, nose=(0, 0))],
            {'mota': 0},
        ),
        'the assignment of whole poses is ignored': Rule(
            [truth(t, nose=(0, 0), head_top=(0, 20), left_hip=(0, 60)) for t in range(2)],
            [found(t, 0, nose=(0, 0), head_top=(0, 20)) for t in range(2)]
            + [found(t, 1, left_hip=(0, 60)) for t in range(2)],
            {'ap of left_hip': 0, 'mota of left_hip': 100, 'motp of left_hip': 100},
        ),
        'tracking is unknown without track ids': Rule(
            _track([0, 0], [0, 0]),
            [found(t, None, nose=(0, 0)) for t in range(2)],
            {'mota': UNKNOWN, 'mota of left_hip': UNKNOWN, 'ap': 100},
        ),
    }
)
def test_tracking(rule):
    check(rule)


def test_of_two_objects_that_remember_an_identity_the_first_in_the_list_keeps_it():
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


def test_every_video_starts_without_identities():
    gt = [video(_track([0, 0], [0, 0]), 2) for _ in range(2)]
    pred = [video(_track([0, 0], [i, i], 1.0), 2) for i in (7, 8)]
    assert of(evaluate_posetrack(gt, pred).mota, 'nose') == 100


# MetricSummary and errors


def test_groups_are_plain_means_and_the_mean_is_over_joints():
    values = np.arange(15.0)
    means = group_means(values)
    assert means['Head'] == 1
    assert means['Shoulder'] == 3.5
    assert means['Ankle'] == 13.5
    assert means['Mean'] == 7
    assert list(means) == ['Head', 'Shoulder', 'Elbow', 'Wrist', 'Hip', 'Knee', 'Ankle', 'Mean']


def test_table_prints_unknown_values_as_a_dash():
    values = np.full(15, 50.0)
    values[-2:] = np.nan
    lines = format_table({'AP': values}, 'ground-truth boxes').splitlines()
    assert lines[0] == 'ground-truth boxes'
    assert lines[2].split() == ['AP', *['50.0'] * 6, '-', '50.0']


OTHER_JOINTS = VideoLabels('v', Skeleton(('nose',)), (VideoFrame(0),))


@pytest.mark.parametrize(
    ('gt', 'pred', 'message'),
    [
        (
            [video([person(0, {'nose': (0.0, 0.0)}, head_box=None)], 1)],
            [video([], 1)],
            r"video 'video', frame 0: .*no head box",
        ),
        ([video([], 2)], [video([], 3)], 'has 3 frames, expected the 2 frames'),
        ([video([], 1)], [], r'0 predicted videos .* each of the 1 '),
        ([OTHER_JOINTS], [OTHER_JOINTS], "lack 'head_bottom'"),
    ],
)
def test_videos_that_cannot_be_evaluated_are_refused(gt, pred, message):
    with pytest.raises(InputError, match=message):
        evaluate_posetrack(gt, pred)


def test_absent_people_are_nobody_on_either_side():
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


def test_as_many_pairs_as_possible_match_though_all_are_at_no_distance():
    known = _poses([[0, 1]] * 2)
    accumulator = MotAccumulator(1)
    accumulator.start_video(known, known)
    # The second object may only match the first hypothesis.
    match = np.array([[[[True, True], [True, False]]]] * 2)
    accumulator.add(0, match, np.zeros(match.shape))
    assert accumulator.result().detections.tolist() == [2]


def test_tracking_needs_the_identities_of_both_sides():
    known, unknown = _poses([[0, 1]] * 2), _poses(None)
    for gt, pred in ((known, unknown), (unknown, known)):
        with pytest.raises(ValueError, match='needs the track ids'):
            MotAccumulator(1).start_video(gt, pred)


def test_precision_of_videos_that_were_collected_apart():
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
