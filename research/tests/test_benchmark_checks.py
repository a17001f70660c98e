"""``benchmark_checks``: errors that are put into right labels."""

from __future__ import annotations

import numpy as np
import pytest

from research.tools import benchmark_checks
from stdpose_mm.io.labels import write_labels
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels

SKELETON = Skeleton(
    ('head', 'neck', 'left_hip', 'right_hip', 'left_foot', 'right_foot'), ((0, 1), (2, 4), (3, 5))
)
STANDING = np.array([[50, 10], [50, 20], [62, 50], [38, 50], [64, 90], [36, 90]], float)


@pytest.fixture
def right_labels():
    """Two people who walk beside each other."""
    persons = [
        PersonLabel(frame, STANDING + np.array([100 * person + 2 * frame, 0]), [2] * 6, person)
        for frame in range(42)
        for person in range(2)
    ]
    return VideoLabels('clip', SKELETON, tuple(map(VideoFrame, range(42))), tuple(persons))


@pytest.mark.parametrize('kind', benchmark_checks.KINDS)
def test_errors_of_each_kind_are_put_into_a_twentieth_of_the_poses(right_labels, kind):
    poses, wrong = benchmark_checks.put_errors(right_labels, kind, np.random.default_rng(0))
    right = benchmark_checks.poses_of(right_labels)
    assert len(wrong) == 4
    assert {key for key, pose in poses.items() if pose is not right.get(key)} == wrong


def test_the_tables_have_a_row_for_each_kind_of_error(run_main, right_labels, tmp_path):
    labels = tmp_path / 'clip.json'
    write_labels(right_labels, labels)
    code, printed, _ = run_main(benchmark_checks.main, labels, '--size', '400x100')
    assert code == 0
    rows = [line.strip('| ').split(' | ') for line in printed.splitlines() if '|' in line]
    found = {row[0]: row[1:] for row in rows}
    assert found['sides exchanged'] == ['4', '1.000', '1.000', '1.000', '1.000']
    assert found['joint outside'][:3:2] == ['4', '1.000']
    assert found.keys() >= benchmark_checks.KINDS.keys()
