from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from stdpose_mm.cli import evaluate
from stdpose_mm.evaluation.functional import (
    EVALUATED_JOINTS,
    PoseTrackScores,
    evaluate_posetrack,
    group_means,
    mean_of_known,
)
from stdpose_mm.io.labels import read_posetrack18
from support.posetrack_videos import GOLDEN, SCENARIOS

TOLERANCE = 1e-6


def evaluate_files(folder: Path) -> PoseTrackScores:
    files = sorted(path.name for path in (folder / 'gt').iterdir())
    return evaluate_posetrack(
        [read_posetrack18(folder / 'gt' / name) for name in files],
        [read_posetrack18(folder / 'pred' / name) for name in files],
    )


@pytest.fixture(scope='module', params=SCENARIOS)
def scenario(request: pytest.FixtureRequest) -> tuple[PoseTrackScores, dict]:
    folder = GOLDEN / request.param
    return evaluate_files(folder), json.loads((folder / 'expected.json').read_text())


def _assert_joints(values: np.ndarray, expected: dict[str, float]) -> None:
    wanted = [expected[joint] for joint in EVALUATED_JOINTS]
    np.testing.assert_allclose(values, wanted, rtol=0, atol=TOLERANCE)
    if 'mean' in expected:
        assert mean_of_known(values) == pytest.approx(expected['mean'], rel=0, abs=TOLERANCE)


def _assert_groups(values: np.ndarray, expected: dict[str, float]) -> None:
    means = {name.lower(): value for name, value in group_means(values).items()}
    del means['mean']
    assert means == pytest.approx(expected, rel=0, abs=TOLERANCE)


def test_average_precision(scenario):
    scores, expected = scenario
    _assert_joints(scores.ap, {**expected['ap']['per_joint'], 'mean': expected['ap']['mean']})
    _assert_groups(scores.ap, expected['ap']['groups'])


def test_precision_and_recall(scenario):
    scores, expected = scenario
    _assert_joints(scores.precision, expected['precision'])
    _assert_joints(scores.recall, expected['recall'])


def test_mota(scenario):
    scores, expected = scenario
    _assert_joints(scores.mota, expected['tracking']['mota'])
    _assert_groups(scores.mota, expected['tracking']['mota_groups'])


def test_motp_of_matched_pairs(scenario):
    scores, expected = scenario
    tracking = expected['tracking']
    _assert_joints(
        scores.motp,
        {**tracking['motp_matched_only_per_joint'], 'mean': tracking['motp_matched_only']},
    )


@pytest.mark.parametrize('name', SCENARIOS)
def test_the_size_of_chunks_does_not_matter(name, monkeypatch):
    whole = evaluate_files(GOLDEN / name)
    monkeypatch.setattr('stdpose_mm.evaluation.functional.posetrack._MAX_CHUNK', 1)
    for field, values in vars(evaluate_files(GOLDEN / name)).items():
        np.testing.assert_array_equal(values, getattr(whole, field))


@pytest.mark.parametrize('name', SCENARIOS)
def test_command_line(name, tmp_path):
    out = tmp_path / 'metrics.json'
    code = evaluate.main(
        [str(GOLDEN / name / 'gt'), str(GOLDEN / name / 'pred'), '--out', str(out)]
    )
    metrics = json.loads(out.read_text())
    expected = json.loads((GOLDEN / name / 'expected.json').read_text())
    ap, mota = expected['ap'], expected['tracking']['mota']
    assert code == 0
    assert set(metrics) == {'AP', 'MOTA', 'MOTP', 'precision', 'recall'}
    close = dict(rel=0, abs=TOLERANCE)
    assert metrics['AP'] == pytest.approx({**ap['per_joint'], 'mean': ap['mean']}, **close)
    assert metrics['MOTA'] == pytest.approx(mota, **close)
    motp = expected['tracking']['motp_matched_only']
    assert metrics['MOTP'] == pytest.approx({'mean': motp}, **close)
    assert metrics['precision'] == pytest.approx(expected['precision'], **close)
    assert metrics['recall'] == pytest.approx(expected['recall'], **close)
