from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData
from mmpose.structures import PoseDataSample

from stdpose_mm.errors import InputError
from stdpose_mm.evaluation.functional import evaluate_posetrack, mean_of_known
from stdpose_mm.evaluation.metrics import PoseTrackMetric
from stdpose_mm.io.labels import read_posetrack18, write_posetrack18
from stdpose_mm.structures import POSETRACK_SKELETON, PersonLabel, VideoFrame, VideoLabels
from support.metric_samples import sample, samples
from support.posetrack_videos import GOLDEN, HEAD_BOX

GT, PRED = GOLDEN / 'dense' / 'gt', GOLDEN / 'dense' / 'pred'
# Joints that the golden predictions lack have score 0, all others more.
PRESENT = 1e-6
NUM_FRAMES = 9


def _golden(folder: Path) -> list[VideoLabels]:
    return [read_posetrack18(file) for file in sorted(folder.iterdir())]


@pytest.fixture
def walk(tmp_path: Path) -> VideoLabels:
    """Two people, 9 frames, whole poses, stored in ``walk.json``."""
    rng = np.random.default_rng(0)
    people = [
        PersonLabel(t, rng.uniform(0, 90, (17, 2)) + 300 * i, np.full(17, 2), i, head_box=HEAD_BOX)
        for t in range(NUM_FRAMES)
        for i in range(2)
    ]
    frames = tuple(VideoFrame(t, file_name=f'{t:06d}.jpg') for t in range(NUM_FRAMES))
    labels = VideoLabels('walk', POSETRACK_SKELETON, frames, tuple(people))
    write_posetrack18(labels, tmp_path / 'walk.json')
    return labels


def _metric(tmp_path: Path, **kwargs) -> PoseTrackMetric:
    return PoseTrackMetric(str(tmp_path / 'walk.json'), **kwargs)


def _evaluate(metric: PoseTrackMetric, data_samples: list[dict]) -> dict[str, float]:
    metric.process({}, data_samples)
    return metric.evaluate(len(data_samples))


def _moved(labels: VideoLabels, by: float) -> VideoLabels:
    return labels.with_persons([replace(p, keypoints=p.keypoints + by) for p in labels.persons])


def test_equals_the_function_on_the_same_data():
    metric = PoseTrackMetric(str(GT), keypoint_threshold=PRESENT)
    results = _evaluate(metric, samples(_golden(PRED)))
    expected = evaluate_posetrack(_golden(GT), _golden(PRED))
    assert results['posetrack/AP'] == pytest.approx(73.89956320526, abs=1e-6)
    for name in ('ap', 'precision', 'recall', 'mota', 'motp'):
        key = name if name in ('precision', 'recall') else name.upper()
        assert results[f'posetrack/{key}'] == pytest.approx(mean_of_known(getattr(expected, name)))
    assert not [name for name in results if '_all' in name]
    assert results['posetrack/Head AP'] == pytest.approx(75.79425868594537)
    assert results['posetrack/Ankle AP'] == pytest.approx(79.27970345134744)


def test_perfect_predictions(walk, tmp_path):
    results = _evaluate(_metric(tmp_path), samples([walk]))
    for name in ('AP', 'MOTA', 'MOTP', 'PCK@0.05', 'AUC', 'predicted', 'Wrist AP'):
        assert results[f'posetrack/{name}'] == pytest.approx(100)
    for name in ('error_px', 'error_percent', 'jitter'):
        assert results[f'posetrack/{name}'] == pytest.approx(0)


def test_given_labels_count_in_the_figure_over_all_frames_only(walk, tmp_path):
    # T = 4: frames 0, 4, 8 of 9 are given, all other predictions are wrong.
    moved = _moved(walk, 100.0).keep_frames([1, 2, 3, 5, 6, 7])
    wrong = moved.with_persons([replace(p, scores=np.full(17, 0.9)) for p in moved.persons])
    results = _evaluate(_metric(tmp_path, given_interval=4), samples([wrong]))
    assert results['posetrack/AP'] == 0
    # With score 1 they rank before all others: a third of the recall at precision 1.
    assert results['posetrack/AP_all'] == pytest.approx(100 * 3 / 9)
    assert results['posetrack/recall_all'] == pytest.approx(100 * 3 / 9)
    assert results['posetrack/precision_all'] == pytest.approx(100 * 3 / 9)
    assert results['posetrack/PCK@0.2'] == 0
    assert results['posetrack/PCK@0.2_all'] == pytest.approx(100 * 3 / 9)


def test_predictions_on_given_frames_tell_of_another_interval(walk, tmp_path):
    metric = _metric(tmp_path, given_interval=4)
    with pytest.raises(InputError, match='are on frames that were given by given_interval=4'):
        _evaluate(metric, samples([walk]))


@pytest.mark.parametrize('interval', [None, 8])
def test_labels_that_were_shown_tell_of_another_interval(walk, tmp_path, interval):
    shown = samples([walk.keep_frames([1, 2, 3, 5, 6, 7])])
    for one in shown:
        left = one['frame_index'] // 4 * 4
        one['frame_indices'] = (left, one['frame_index'], left + 4)
        one['gt_instance_labels'] = {'given_mask': torch.ones(1, 2, 17)}
    assert _evaluate(_metric(tmp_path, given_interval=4), shown)['posetrack/AP'] == 100
    with pytest.raises(InputError, match=rf'shown to .*given_interval={interval} does not count'):
        _evaluate(_metric(tmp_path, given_interval=interval), shown)


def test_the_table_says_which_boxes_labels_and_frames(walk, tmp_path, monkeypatch):
    metric = _metric(tmp_path, given_interval=4, boxes='interpolated')
    metric.dataset_meta = dict(dataset_name='posetrack18')
    tables: list[str] = []
    monkeypatch.setattr(metric, 'log_table', tables.append)
    _evaluate(metric, samples([walk.keep_frames([1, 2, 3, 5, 6, 7])]))
    lines = tables[0].splitlines()
    assert lines[0] == (
        'posetrack18, 1 videos, boxes interpolated between labels, labels given every 4 frames'
    )
    assert lines[1].split()[0] == 'Head'
    assert lines[2].startswith('AP (unlabelled frames)')
    assert lines[4].startswith('AP (all frames, given ones included)')


def test_joints_below_the_threshold_are_left_out(walk, tmp_path):
    scores = np.where(np.arange(17) == 0, 0.1, 0.9)
    scored = walk.with_persons([replace(p, scores=scores) for p in walk.persons])
    results = _evaluate(_metric(tmp_path, keypoint_threshold=0.2), samples([scored]))
    # The nose is left out: 14 of 15 joints are perfect, the nose has 0.
    assert results['posetrack/AP'] == pytest.approx(100 * 14 / 15)


def test_the_score_of_the_box_counts(walk, tmp_path):
    # A false person with higher joint scores but a low box score ranks behind the true ones.
    true = [sample('walk', p, bbox_score=0.9) for p in walk.persons]
    far = replace(walk.persons[0], keypoints=walk.persons[0].keypoints + 5000.0, track_id=9)
    false = sample('walk', replace(far, scores=np.full(17, 1.5)), bbox_score=0.1)
    assert _evaluate(_metric(tmp_path), [false, *true])['posetrack/AP'] == pytest.approx(100)


def test_oks_nms_drops_the_weaker_of_two_alike_poses(walk, tmp_path):
    double = [
        replace(p, keypoints=p.keypoints + 0.1, track_id=p.track_id + 5, scores=np.full(17, 0.5))
        for p in walk.persons
    ]
    both = walk.with_persons([*double, *walk.persons])
    meta = dict(sigmas=[0.05] * 17)
    kept, dropped = _metric(tmp_path), _metric(tmp_path, oks_nms=0.9)
    kept.dataset_meta = dropped.dataset_meta = meta
    assert _evaluate(kept, samples([both]))['posetrack/precision'] == pytest.approx(50)
    assert _evaluate(dropped, samples([both]))['posetrack/precision'] == pytest.approx(100)


def test_people_without_identity_have_no_tracking_figures(walk, tmp_path):
    nameless = walk.with_persons([replace(p, track_id=None) for p in walk.persons])
    results = _evaluate(_metric(tmp_path), samples([nameless]))
    assert results['posetrack/AP'] == pytest.approx(100)
    assert not {'posetrack/MOTA', 'posetrack/MOTP', 'posetrack/PCK@0.1'} & set(results)


def test_works_in_an_evaluator_with_pose_data_samples(walk, tmp_path):
    config = dict(type='PoseTrackMetric', ann_file=str(tmp_path / 'walk.json'), _scope_='mmpose')
    evaluator = Evaluator(config)
    evaluator.dataset_meta = dict(dataset_name='walks')
    for person in walk.persons:
        data_sample = PoseDataSample(
            metainfo=dict(
                video_name='walk', frame_index=person.frame_index, track_id=person.track_id
            )
        )
        data_sample.pred_instances = InstanceData(
            keypoints=person.keypoints[None].astype(np.float32),
            keypoint_scores=torch.ones(1, 17),
            bboxes=np.array([[0, 0, 10, 10]], dtype=np.float32),
            bbox_scores=np.ones(1, dtype=np.float32),
        )
        evaluator.process([data_sample], {})
    results = evaluator.evaluate(len(walk.persons))
    assert results['posetrack/AP'] == pytest.approx(100)
    assert not math.isnan(results['posetrack/jitter'])


def test_a_video_without_prediction_counts_as_missed(tmp_path, walk):
    write_posetrack18(walk, tmp_path / 'other.json')
    metric = PoseTrackMetric(str(tmp_path))
    assert _evaluate(metric, samples([walk]))['posetrack/recall'] == pytest.approx(50)


def test_a_prediction_of_an_unknown_video_is_an_error(walk, tmp_path):
    with pytest.raises(InputError, match="frame 0 of video 'run' was predicted, which is not in"):
        _evaluate(_metric(tmp_path), samples([replace(walk, name='run')]))


def test_a_prediction_of_a_picture_is_an_error_that_names_other_metrics(walk, tmp_path):
    sample = samples([walk])[0]
    del sample['video_name']
    with pytest.raises(InputError, match=r"a sample of a picture .*, or MMPose's CocoMetric"):
        _evaluate(_metric(tmp_path), [sample])


def test_missing_labels_are_an_error_at_once(tmp_path):
    with pytest.raises(InputError, match=r'nowhere\.json of PoseTrackMetric do not exist'):
        PoseTrackMetric(str(tmp_path / 'nowhere.json'))
    with pytest.raises(InputError, match='holds no label file'):
        PoseTrackMetric(str(tmp_path))


def test_truth_without_track_ids_is_associated(walk, tmp_path):
    # As datasets do, which number people by their order in the first frame.
    nameless = walk.with_persons([replace(p, track_id=None) for p in walk.persons])
    write_posetrack18(nameless, tmp_path / 'walk.json')
    results = _evaluate(_metric(tmp_path), samples([walk]))
    assert results['posetrack/PCK@0.05'] == pytest.approx(100)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(boxes='guessed'), "boxes must be one of .*, got 'guessed'"),
        (dict(given_interval=0), 'given_interval must be a whole number from 1, got 0'),
        (dict(given_interval=7.5), 'given_interval must be a whole number from 1, got 7.5'),
        (dict(oks_nms=1.5), 'oks_nms must be None or in'),
        (dict(keypoint_threshold=7), r'keypoint_threshold must be in 0\.\.1, got 7'),
    ],
)
def test_wrong_arguments_are_errors(walk, tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        _metric(tmp_path, **arguments)


def test_propagated_labels_are_no_truth(walk, tmp_path):
    people = [p.with_source('propagated') if p.frame_index % 4 else p for p in walk.persons]
    write_posetrack18(walk.with_persons(people), tmp_path / 'walk.json')
    with pytest.raises(InputError, match="12 of the 18 poses of video 'walk' have propagated"):
        _evaluate(_metric(tmp_path), samples([walk]))
