from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stdpose_mm.evaluation.functional import keypoint_accuracy
from stdpose_mm.evaluation.metrics import VideoPCKMetric
from stdpose_mm.io.labels import write_posetrack18
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels
from support.metric_samples import samples

MOUSE = Skeleton(('tail', 'nose', 'paw'), category='mouse')


@pytest.fixture
def mouse(tmp_path: Path) -> VideoLabels:
    """One mouse of 100 px without head box, 9 frames, stored in ``mouse.json``."""
    points = np.array([[0.0, 0.0], [100.0, 30.0], [50.0, 10.0]])
    people = tuple(PersonLabel(t, points + t, np.full(3, 2), 0) for t in range(9))
    frames = tuple(VideoFrame(t, file_name=f'{t:06d}.jpg') for t in range(9))
    labels = VideoLabels('mouse', MOUSE, frames, people)
    write_posetrack18(labels, tmp_path / 'mouse.json')
    return labels


def _evaluate(tmp_path: Path, data_samples: list[dict], **kwargs) -> dict[str, float]:
    metric = VideoPCKMetric(str(tmp_path / 'mouse.json'), **kwargs)
    metric.process({}, data_samples)
    return metric.evaluate(len(data_samples))


def _noisy(labels: VideoLabels) -> VideoLabels:
    rng = np.random.default_rng(0)
    return labels.with_persons(
        [replace(p, keypoints=p.keypoints + rng.normal(0, 8, (3, 2))) for p in labels.persons]
    )


def test_equals_the_function_on_the_same_data(mouse, tmp_path):
    predicted = _noisy(mouse)
    results = _evaluate(tmp_path, samples([predicted]))
    expected = keypoint_accuracy([mouse], [predicted]).means()
    assert results == pytest.approx({f'video/{name}': v for name, v in expected.items()})
    assert 0 < results['video/PCK@0.05'] < 100


def test_unlabelled_frames_are_the_main_figure(mouse, tmp_path):
    # T = 4: frames 0, 4, 8 are given; elsewhere every joint is 30 px off.
    wrong = mouse.with_persons(
        [replace(p, keypoints=p.keypoints + np.array([30.0, 0.0])) for p in mouse.persons]
    )
    results = _evaluate(
        tmp_path, samples([wrong.keep_frames([1, 2, 3, 5, 6, 7])]), given_interval=4
    )
    assert results['video/error_px'] == pytest.approx(30)
    assert results['video/error_px_all'] == pytest.approx(20)
    assert results['video/PCK@0.2'] == 0
    assert results['video/PCK@0.2_all'] == pytest.approx(100 / 3)
    # Second difference of 0, 30, 30, 30, 0: 30 next to the given frames, 0 between.
    assert results['video/jitter'] == pytest.approx(20)


def test_the_table_has_every_joint(mouse, tmp_path, monkeypatch):
    metric = VideoPCKMetric(str(tmp_path / 'mouse.json'))
    tables: list[str] = []
    monkeypatch.setattr(metric, 'log_table', tables.append)
    metric.process({}, samples([mouse]))
    metric.evaluate(len(mouse.persons))
    lines = tables[0].splitlines()
    assert 'ground-truth boxes, no labels given' in lines[0]
    assert [line.split()[0] for line in lines[3:]] == ['tail', 'nose', 'paw', 'Mean']


def test_people_who_are_absent_do_not_make_a_frame_given(mouse, tmp_path):
    # T = 4 on frames 0 to 7 gives 0, 4, 7, as in datasets; on 0 to 8 it would give 0, 4, 8.
    nowhere = PersonLabel(8, np.zeros((3, 2)), np.zeros(3), 0, source='absent')
    labels = mouse.with_persons([*mouse.persons[:8], nowhere])
    write_posetrack18(labels, tmp_path / 'mouse.json')
    predicted = samples([mouse.keep_frames([1, 2, 3, 5, 6])])
    assert _evaluate(tmp_path, predicted, given_interval=4)['video/predicted'] == 100
