"""Several methods, seeds and intervals, with propagators whose errors are known."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from research.comparison import benchmark as benchmark_module
from research.comparison.benchmark import BenchmarkEntry, Conditions, benchmark_propagators
from research.comparison.comparison_report import comparison_csv, comparison_report
from research.comparison.motion import mean_motion
from research.comparison.seed_comparison import SeedComparison
from stdpose_mm.io.video import FrameSource
from stdpose_mm.labelling.propagation import BasePropagator, Gap, GapPoses
from stdpose_mm.structures import Skeleton, VideoLabels
from support.comparison_videos import KnowingPropagator, mouse_video, posetrack_video

pytestmark = pytest.mark.slow

# Level mice of 100 px: one that creeps, one that runs 5 px a frame.
SLOW = mouse_video('slow', dict.fromkeys(range(9), 0.0))
FAST = mouse_video('fast', {t: 5.0 * t for t in range(7)})


class Shifting(KnowingPropagator):
    """The truth, moved down by ``shifts`` pixels, by video; scores 0.9."""

    reads_pictures = False

    def __init__(self, shifts: dict[str, float], *truth: VideoLabels) -> None:
        super().__init__(*truth)
        self.shifts = shifts

    def propagate(
        self, frames: FrameSource, gaps: Sequence[Gap], skeleton: Skeleton
    ) -> Iterator[GapPoses]:
        shift = np.array([0.0, self.shifts[self.truth[len(frames)].name]])
        for poses in super().propagate(frames, gaps, skeleton):
            scores = np.full(poses.scores.shape, 0.9)
            yield replace(poses, keypoints=poses.keypoints + shift, scores=scores)


class Runs:
    """Stands in for building propagators; ``good`` has one checkpoint, ``seeded`` two."""

    def __init__(self) -> None:
        shifts = {
            'good': {'slow': 2.0, 'fast': 8.0},
            'one.pth': {'slow': 6.0, 'fast': 15.0},
            'two.pth': {'slow': 6.0, 'fast': 25.0},
        }
        self.made = {name: Shifting(shift, SLOW, FAST) for name, shift in shifts.items()}

    def build(self, entry: BenchmarkEntry, seed: int, _: str) -> BasePropagator:
        return self.made[Path(entry.checkpoints[seed]).name if entry.checkpoints else 'good']


@pytest.fixture
def entries(tmp_path: Path) -> list[BenchmarkEntry]:
    (tmp_path / 'config.py').write_text('x = 1')
    for name in ('one.pth', 'two.pth'):
        (tmp_path / name).write_text(name)
    paths = str(tmp_path / 'one.pth'), str(tmp_path / 'two.pth')
    return [
        BenchmarkEntry('good', 'linear'),
        BenchmarkEntry('seeded', 'stdpose', str(tmp_path / 'config.py'), paths),
    ]


def compare(
    entries: Sequence[BenchmarkEntry], runs: Runs, videos=(SLOW, FAST), **kwargs
) -> list[SeedComparison]:
    conditions = Conditions(out_dir=kwargs.pop('out_dir', None))
    intervals = kwargs.pop('intervals', [3])
    settings = {'reference': 'good', **kwargs}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BenchmarkEntry, 'build', lambda *given: runs.build(*given))
        patch.setattr(benchmark_module, 'method_reads_pictures', lambda _: False)
        return benchmark_propagators(videos, entries, intervals, conditions, **settings)


@pytest.fixture
def comparison(entries: list[BenchmarkEntry]) -> SeedComparison:
    return compare(entries, Runs())[0]


# Given at T = 3 are frames 0, 3, 6 of both, and 8 of the slow one: 5 and 4 hidden frames, so 10
# and 8 hidden joints.


def test_values_are_means_over_the_seeds(comparison):
    seeded = comparison.unlabelled['seeded']
    assert seeded.num_joints == 18
    first, second = (10 * 6 + 8 * 15) / 18, (10 * 6 + 8 * 25) / 18
    assert seeded.values['error_percent'] == pytest.approx((first + second) / 2)
    assert seeded.spread['error_percent'] == pytest.approx((second - first) / np.sqrt(2))
    # Within 0.2 are all joints of the first seed and those of the slow video of the second.
    assert seeded.values['PCK@0.2'] == pytest.approx((100 + 1000 / 18) / 2)
    assert comparison.unlabelled['good'].spread == {}


def test_differences_are_paired(comparison):
    good, seeded = comparison.unlabelled['good'], comparison.unlabelled['seeded']
    assert good.differences == {}
    difference = seeded.differences['error_percent']
    assert difference.value == pytest.approx(
        seeded.values['error_percent'] - good.values['error_percent']
    )
    # Drawn are the slow video twice, each once, or the fast one twice: the difference is 4 for
    # slow joints and 20 - 8 = 12 for fast ones.
    assert difference.interval == pytest.approx((4, 12))
    # The method's own interval is wider than that of the difference.
    assert seeded.intervals['error_percent'] == pytest.approx((6, 20))


def test_scores_are_compared_with_what_came_out(comparison):
    # Within a tenth: all joints of `good` with score 0.9, the slow ones of `seeded`.
    (good,) = comparison.reliability['good']
    assert good.expected_calibration_error == pytest.approx(0.1)
    for seed in comparison.reliability['seeded']:
        assert seed.expected_calibration_error == pytest.approx(0.9 - 10 / 18)
        assert seed.auroc == 0.5


def test_ap_of_seeds(tmp_path, entries):
    video = posetrack_video('pt', range(6), acceleration=20.0)
    runs = Runs()
    for name, shift in (('one.pth', 0.0), ('two.pth', 500.0)):
        runs.made[name] = Shifting({'pt': shift}, video)
    (comparison,) = compare(entries[1:], runs, [video], reference=None)
    summary = comparison.unlabelled['seeded']
    assert summary.values['AP'] == 50
    assert summary.spread['AP'] == pytest.approx(100 / np.sqrt(2))


def test_the_report(comparison):
    report = comparison_report([comparison], ['Remark.'])
    lines = report.splitlines()
    assert '| T | method | PCK@0.05 | PCK@0.1 | PCK@0.2 | error % |' in lines
    row = next(line for line in lines if line.startswith('| 3 | seeded | -55.6'))
    assert row.split(' | ')[-1] == '+7.56 [+4.00, +12.00] |'
    assert '| 3 | good | 10.0 | - | 0.010 |' in lines
    assert lines[-1].endswith('Remark.')


def test_the_csv_has_a_row_for_each_group_of_frames(comparison):
    rows = [*csv.DictReader(io.StringIO(comparison_csv([comparison])))]
    names = 'frames', 'method', 'joints', 'PCK@0.2', 'PCK@0.2 difference', 'PCK@0.2 difference low'
    # Of all 32 joints, 14 are given; the second seed misses 8 of the others.
    assert [[row[name] for name in names] for row in rows] == [
        ['unlabelled', 'good', '18', '100.0000', '', ''],
        ['unlabelled', 'seeded', '18', '77.7778', '-22.2222', '-50.0000'],
        ['all', 'good', '32', '100.0000', '', ''],
        ['all', 'seeded', '32', '87.5000', '-12.5000', '-28.5714'],
    ]


def test_motion_is_displacement_per_frame_in_pose_sizes():
    # 10 px in one frame, then 10 px in two frames: 7.5 px a frame on average, of 100 px.
    assert mean_motion(mouse_video('v', {0: 0.0, 1: 10.0, 3: 20.0})) == pytest.approx(0.075)
    assert mean_motion(mouse_video('v', {0: 0.0})) == 0
