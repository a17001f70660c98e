from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.evaluation.functional import evaluate_posetrack
from stdpose_mm.labelling.comparison import (
    Comparison,
    MetricSummary,
    compare_propagators,
    comparison_csv,
)
from stdpose_mm.labelling.comparison.compare_propagators import bootstrap_draws, interval_95
from stdpose_mm.labelling.propagation.flow import FlowPropagator
from stdpose_mm.labelling.propagation.interpolation import LinearPropagator
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels
from support.comparison_videos import (
    KnowingPropagator,
    SpyPropagator,
    Unreadable,
    mouse_video,
    posetrack_video,
)

# Every second frame is given. The mouse of 100 px jumps in the hidden frames of `jumping`: linear
# interpolation is off by 8 px in frame 1 and by 30 px in frame 3. `still` is hidden in frame 1.
JUMPING = mouse_video('jumping', {0: 0.0, 1: 8.0, 2: 0.0, 3: 30.0, 4: 0.0})
STILL = mouse_video('still', {0: 5.0, 1: 5.0, 2: 5.0})


def compare(*videos: VideoLabels, interval: int = 2, **propagators) -> Comparison:
    frames = [Unreadable(max(frame.index for frame in v.frames) + 1) for v in videos]
    return compare_propagators(list(zip(frames, videos, strict=True)), propagators, interval)


@pytest.fixture(scope='module')
def comparison() -> Comparison:
    return compare(
        JUMPING, STILL, linear=LinearPropagator(), perfect=KnowingPropagator(JUMPING, STILL)
    )


def test_metrics_of_linear_interpolation_by_hand(comparison):
    values = comparison.unlabelled['linear'].values
    # Six hidden joints: two off by 8 %, two by 30 %, two right.
    assert values['PCK@0.05'] == pytest.approx(100 / 3)
    assert values['PCK@0.1'] == pytest.approx(200 / 3)
    assert values['PCK@0.2'] == pytest.approx(200 / 3)
    assert values['error_px'] == pytest.approx((8 + 30) / 3)
    assert values['error_percent'] == pytest.approx((8 + 30) / 3)


def test_given_frames_count_among_all_frames_only(comparison):
    # 16 joints, ten of which are given.
    assert comparison.all_frames['linear'].values['PCK@0.1'] == pytest.approx(100 * 14 / 16)
    assert comparison.all_frames['linear'].num_joints == 16
    assert comparison.unlabelled['linear'].num_joints == 6


def test_every_joint_counts_once():
    # Hidden are three joints in frame 1, all right, and two in frame 3, of which the tail is
    # wrong; the mean over the three joints would be (50 + 100 + 100) / 3.
    people = [
        PersonLabel(t, np.array([[0.0, 50.0 * (t == 3)], [100.0, 0.0], [0.0, 100.0]]), flags, 4)
        for t, flags in enumerate([[2, 2, 2], [2, 2, 2], [2, 2, 2], [2, 0, 2], [2, 2, 2]])
    ]
    skeleton = Skeleton(('tail', 'nose', 'paw'), category='mouse')
    video = VideoLabels('v', skeleton, tuple(VideoFrame(t) for t in range(5)), tuple(people))
    values = compare(video, linear=LinearPropagator()).unlabelled['linear'].values
    assert values['PCK@0.2'] == pytest.approx(100 * 4 / 5)


def test_hidden_labels_are_hidden_from_the_propagator():
    spy = SpyPropagator()
    compare(JUMPING, STILL, spy=spy)
    assert spy.num_frames == [5, 3]
    shown = set()
    for gap in spy.gaps:
        shown |= {label.frame_index for label in (gap.left, gap.right) if label is not None}
        for anchors in (gap.before, gap.after):
            shown |= set(anchors.frames.tolist())
            assert not set(anchors.keypoints[:, 1]) & {8.0, 30.0}
    assert shown == {0, 2, 4}
    assert [list(gap.frames) for gap in spy.gaps] == [[1], [3], [1]]


def test_frames_that_start_late_and_have_gaps_pair_with_the_truth():
    # Given are frames 10 and 16; frame 13 lies in the middle, though three are listed before it.
    heights = {10: 0.0, 11: 1.0, 12: 2.0, 13: 12.0, 16: 42.0, 17: 42.0}
    spy = SpyPropagator()
    predicted = {}
    compare_propagators(
        [(Unreadable(18), mouse_video('late', heights))],
        {'linear': LinearPropagator(), 'spy': spy},
        4,
        lambda method, labels: predicted.update({method: labels}),
    )
    linear = predicted['linear']
    assert [frame.index for frame in linear.frames] == list(heights)
    found = {p.frame_index: (p.source, p.keypoints[0, 1]) for p in linear.persons}
    assert list(found) == list(heights)
    assert found[10] == ('given', 0.0)
    assert found[16] == ('given', 42.0)
    assert found[13] == ('propagated', 21.0)
    assert spy.num_frames == [8]


def test_pictures_are_read_by_frame_index():
    class Pictures(Unreadable):
        def _read(self, index: int) -> np.ndarray:
            read.append(index)
            return np.zeros((40, 120, 3), np.uint8)

    read: list[int] = []
    video = mouse_video('late', dict.fromkeys([10, 11, 12], 1.0))
    pictures = Pictures(13)
    pictures.size = (120, 40)
    compare_propagators([(pictures, video)], {'flow': FlowPropagator()}, 2)
    assert sorted(set(read)) == [10, 11, 12]


def test_predictions_pair_with_the_posetrack_evaluation():
    video = posetrack_video('pt', range(5, 11), acceleration=20.0)
    whole = posetrack_video('pt', range(6), acceleration=20.0)
    predicted: dict[str, VideoLabels] = {}
    comparison = compare_propagators(
        [(Unreadable(11), video)],
        {'linear': LinearPropagator(), 'perfect': KnowingPropagator(whole)},
        3,
        lambda method, labels: predicted.update({method: labels}),
    )
    scores = evaluate_posetrack([video], [predicted['perfect']])
    assert set(scores.ap) == {100.0}
    assert comparison.unlabelled['perfect'].values['AP'] == 100
    unlabelled = comparison.unlabelled['linear'].values['AP']
    assert unlabelled < comparison.all_frames['linear'].values['AP'] < 100
    assert comparison.num_ap_videos == 1


def test_ap_is_measured_where_there_are_head_boxes():
    video = posetrack_video('pt', range(4), acceleration=0.0)
    headless = video.with_persons([replace(p, head_box=None) for p in video.persons])
    comparison = compare(video, headless, linear=LinearPropagator())
    assert (comparison.num_ap_videos, comparison.num_videos) == (1, 2)
    assert comparison.unlabelled['linear'].values['AP'] == 100
    assert '| AP (1 video) |' in comparison.table()


def test_someone_labelled_on_no_given_frame_counts_as_wrong():
    video = mouse_video('v', {0: 0.0, 1: 0.0, 2: 0.0})
    passing = replace(mouse_video('v', {1: 60.0}).persons[0], track_id=9)
    crowd = video.with_persons([*video.persons, passing])
    values = compare(crowd, linear=LinearPropagator()).unlabelled['linear'].values
    assert values['PCK@0.2'] == 50
    assert values['predicted'] == 50


def test_the_tables_have_a_column_per_known_metric(comparison):
    lines = comparison.table({'linear': 'straight lines'}).splitlines()
    assert lines[0] == (
        '| T = 2, unlabelled frames of 2 videos | PCK@0.05 | PCK@0.1 | PCK@0.2 | error % | '
        'error px | jitter |'
    )
    assert lines[1] == '|---|' + '---:|' * 6
    assert lines[2].startswith('| straight lines | 33.3 | 66.7 [50.0, 100.0] | 66.7 |')
    assert lines[3].startswith('| perfect | 100.0 | 100.0 [100.0, 100.0] | 100.0 | 0.00 [0.00')
    assert comparison.table(frames='all').startswith('| T = 2, all frames of 2 videos |')


def test_the_json_form_has_null_for_what_is_unknown(comparison):
    fields = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))
    linear = fields['unlabelled_frames']['linear']
    assert linear['AP'] is None
    assert linear['PCK@0.1'] == 66.6667
    assert linear['error px'] == 12.6667
    assert fields['intervals']['unlabelled_frames']['linear']['PCK@0.1'] == [50, 100]
    assert fields['joints'] == {'unlabelled_frames': 6, 'all_frames': 16}
    assert (fields['interval'], fields['videos'], fields['videos_of_ap']) == (2, 2, 0)


def test_the_csv_has_a_row_for_every_method_and_group_of_frames(comparison):
    rows = [*csv.DictReader(comparison_csv([comparison]).splitlines())]
    assert [(row['frames'], row['method']) for row in rows] == [
        ('unlabelled', 'linear'),
        ('unlabelled', 'perfect'),
        ('all', 'linear'),
        ('all', 'perfect'),
    ]
    assert (rows[0]['T'], rows[0]['joints'], rows[0]['PCK@0.1']) == ('2', '6', '66.6667')
    assert (rows[0]['PCK@0.1 low'], rows[0]['PCK@0.1 high']) == ('50.0000', '100.0000')


def interval(sums: list[float], counts: list[int], num_draws: int) -> tuple[float, float]:
    draws = bootstrap_draws(len(sums), num_draws)
    with np.errstate(invalid='ignore'):
        return interval_95(draws @ np.array(sums) / (draws @ np.array(counts)))


def test_the_bootstrap_interval_holds_the_mean_and_is_the_same_each_time():
    rng = np.random.default_rng(3)
    counts = rng.integers(1, 50, 40)
    sums = counts * rng.uniform(0, 100, 40)
    low, high = interval(sums, counts, 500)
    assert (low, high) == interval(sums, counts, 500)
    assert low < sums.sum() / counts.sum() < high


def test_the_bootstrap_interval_of_few_videos_by_hand():
    # Two videos give means 0, 50 and 100 with probability 1/4, 1/2 and 1/4.
    assert interval([0.0, 100.0], [1, 1], 1000) == (0, 100)
    # A video without anything measured changes nothing.
    assert interval([0.0, 60.0], [0, 2], 1000) == (30, 30)
    assert np.isnan(interval([0.0, 0.0], [0, 0], 10)).all()


@pytest.mark.parametrize('num_bootstrap', [0, 100])
def test_no_interval_of_a_single_video_or_without_draws(num_bootstrap):
    videos = [(Unreadable(5), JUMPING)] * (1 if num_bootstrap else 2)
    comparison = compare_propagators(
        videos, {'linear': LinearPropagator()}, 2, num_bootstrap=num_bootstrap
    )
    summary: MetricSummary = comparison.unlabelled['linear']
    assert summary.intervals == {}
    assert '[' not in comparison.table()


@pytest.mark.parametrize(
    ('videos', 'interval', 'message'),
    [
        ([], 2, 'there is no video'),
        ([JUMPING], 1, 'hides no label'),
        ([JUMPING], 0, 'must be at least 1, got 0'),
        ([STILL, STILL.keep_frames([])], 2, "'still' has no labelled people"),
    ],
)
def test_what_cannot_be_compared_is_refused(videos, interval, message):
    with pytest.raises(InputError, match=message):
        compare(*videos, interval=interval, linear=LinearPropagator())


@pytest.mark.parametrize(('use_truth_boxes', 'left'), [(False, 15.0), (True, 90.0)])
def test_boxes_of_hidden_frames(use_truth_boxes, left):
    people = [
        replace(person, bbox=np.array([x, 0.0, 100.0, 40.0]))
        for person, x in zip(STILL.persons, (10.0, 90.0, 20.0), strict=True)
    ]
    spy = SpyPropagator()
    compare_propagators(
        [(Unreadable(3), STILL.with_persons(people))],
        {'spy': spy},
        interval=2,
        use_truth_boxes=use_truth_boxes,
    )
    assert [gap.bbox_of(1)[0] for gap in spy.gaps] == [left]
