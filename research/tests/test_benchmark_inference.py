from __future__ import annotations

import itertools
import json
import math
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest

from research.speed import inference_comparison as comparison
from research.speed import timing
from research.speed.timing import Stages, take_turns
from stdpose_mm.models.layers.blocks import TransformerBlock
from stdpose_mm.propagation.flow.sparse_estimator import SparseEstimator
from support.paths import ROOT
from support.small_configs import write_shallow_config

pytestmark = pytest.mark.slow

PRUNED = str(ROOT / 'research/configs/light/stdpose_tiny_estimation_synthetic_light_pruned.py')
SECOND = 'semantic_motion_tiny_estimation_synthetic.py'


@pytest.fixture(scope='module')
def tool():
    return import_module('research.tools.benchmark_inference')


@pytest.fixture(scope='module')
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp('config')
    return write_shallow_config(folder / 'tiny.py', 'stdpose_tiny_synthetic.py')


@pytest.fixture(scope='module')
def short(tiny):
    words = '--frames 3 --size 128 96 --people 2 --repeat 1 --batch-size 4'
    return ['--config', tiny, *words.split()]


def tables(printed):
    """The lines of each table in Markdown."""
    blocks = [block.splitlines() for block in printed.split('\n\n')]
    return [block for block in blocks if block[0].startswith('|')]


def test_one_row_for_every_way(tool, short, tiny, tmp_path, capsys):
    out = tmp_path / 'speed.json'
    assert tool.main([*short, '--no-memory', '--out', str(out)]) == 0
    report = json.loads(out.read_text())
    ways = [(row['way'], row['precision'], row['passes']) for row in report['rows']]
    assert ways == [
        ('MMPose, per frame', 'float32', 1),
        ('MMPose, per frame', 'bfloat16', 1),
        ('ours, PyTorch, no reuse', 'float32', 3),
        ('ours, PyTorch, no reuse', 'bfloat16', 3),
        ('ours, PyTorch', 'float32', 1),
        ('ours, PyTorch', 'bfloat16', 1),
        ('ours, onnxruntime', 'float32', 1),
        ('ours, onnxruntime', 'int8', 1),
        ('ours, openvino', 'float32', 1),
        *[('ours, openvino', 'bfloat16', 1)]
        * ('bfloat16' in comparison.available_precisions('openvino')),
        ('backbone alone', 'float32', 1),
        ('backbone alone', 'bfloat16', 1),
    ]
    assert report['people'] == 6
    for row in report['rows']:
        assert sum(row['share'].values()) == pytest.approx(1)
        assert row['share']['backbone'] > 0
    printed = capsys.readouterr().out
    assert f'onnxruntime {onnxruntime.__version__}' in printed.splitlines()[0]
    assert f'onnxruntime {onnxruntime.__version__}' in report['machine']
    assert 'NOT KNOWN to 5% after 1 turn: the speed-ups of MMPose, per frame in' in printed
    speed, work = tables(printed)
    assert len(speed) == 2 + len(ways)
    assert '| 1.00 |' in speed[2]
    assert [row['model'] for row in report['multiply_adds']] == [
        f'MMPose, backbone of {Path(tiny).stem}',
        Path(tiny).stem,
    ]
    assert len(work) == 2 + len(report['multiply_adds'])


def test_models_stand_side_by_side_with_ratios(tool, short, tiny, tmp_path, capsys):
    out = tmp_path / 'speed.json'
    # The first model has nothing that MMPose could run.
    more = ['--config', no_frame_head(tmp_path), tiny, '--precision', 'float32']
    assert tool.main([*short, *more, '--no-memory', '--out', str(out)]) == 0
    rows = json.loads(out.read_text())['rows']
    own = [
        *('ours, PyTorch, no reuse', 'ours, PyTorch', 'ours, onnxruntime', 'ours, openvino'),
        'backbone alone',
    ]
    names = ['no_frame_head', Path(tiny).stem]
    assert [(row['model'], row['way']) for row in rows] == [
        (names[1], 'MMPose, per frame'),
        *((name, way) for name in names for way in own),
    ]
    table, _ = tables(capsys.readouterr().out)
    cells = [[cell.strip() for cell in line.strip('|').split('|')] for line in table]
    assert cells[0][0] == 'model'
    assert cells[0][-2:] == ['time to the first', 'memory to the first']
    for row, line in zip(rows, cells[2:], strict=True):
        assert line[:2] == [row['model'], row['way']]
        first = next(other for other in rows if other['way'] == row['way'])
        assert line[-2:] == [f'{row["wall"] / first["wall"]:.2f}', '']
    for name in names:
        (alone,) = (line for line in cells if line[:2] == [name, 'backbone alone'])
        assert alone[cells[0].index('of its backbone passes')] == '1.00'


def test_memory_is_compared_too():
    rows = [
        dict(model=name, way='ours', precision='float32', passes=1, wall=wall, cpu=1, share={})
        | {'peak_memory': memory * 2**20, 'speed_up': 1.0, 'spread': None}
        for name, wall, memory in (('a', 2.0, 400), ('b', 3.0, 300))
    ]
    fields = dict(frames=4, people=8, size=[2, 2], threads=1, batch_size=8, flip_test=False)
    first, second = comparison.table({**fields, 'rows': rows}).splitlines()[-2:]
    assert first.endswith('| 400 | 1.00 | 1.00 |')
    assert second.endswith('| 300 | 1.50 | 0.75 |')


def no_frame_head(folder):
    second = write_shallow_config(folder / 'second.py', SECOND)
    path = folder / 'no_frame_head.py'
    path.write_text(
        f"_base_ = '{second}'\nmodel = dict(frame_head=None, frame_head_loss_weight=0.0)\n"
    )
    return str(path)


@pytest.fixture(scope='module')
def models(tool, short, tmp_path_factory):
    """The tiny model alone, exported."""
    args = tool.main.parse(short)
    (model,) = comparison.find_models(args, tmp_path_factory.mktemp('exported'))
    comparison.export_onnx(comparison.load(args, model, 'float32'), model.onnx)
    return [model]


def test_all_ways_find_a_pose_for_every_person(tool, short, models, tmp_path):
    args = tool.main.parse([*short, '--precision', 'float32'])
    video = comparison.make_video(args, tmp_path / 'clip.mp4')
    makers = comparison.make_pipelines(args, video, models)
    found = [make().run(Stages()) for _, make in makers]
    per_frame, windows, frames, onnx, openvino, bare = found
    for poses in (per_frame, windows, frames, onnx, openvino):
        assert poses.shape == (6, 17, 2)
    np.testing.assert_allclose(onnx, frames, atol=0.01)
    np.testing.assert_allclose(openvino, frames, atol=0.01)
    assert len(bare) == 0


def test_mmpose_and_the_bare_backbone_compute_all_tokens(tool, short, tmp_path, monkeypatch):
    """A network that prunes tokens, with a decoder that MMPose has not."""
    tokens: list[int] = []
    forward = TransformerBlock.forward

    def recorded(self, x):
        tokens.append(x.shape[1])
        return forward(self, x)

    monkeypatch.setattr(TransformerBlock, 'forward', recorded)
    options = ['--config', PRUNED, '--precision', 'float32', '--reuse-only']
    args = tool.main.parse([*short, *options])
    models = comparison.find_models(args, tmp_path)
    video = comparison.make_video(args, tmp_path / 'clip.mp4')
    layers = {}
    made = comparison.make_pipelines(args, video, models)
    for _, make in (made[0], made[1], made[-1]):
        pipeline = make()
        tokens.clear()
        pipeline.run(Stages())
        assert len(tokens) % 4 == 0
        layers[pipeline.name] = tokens[:4]
    assert layers == {
        'MMPose, per frame': [48, 48, 48, 48],
        'ours, PyTorch': [48, 19, 19, 19],
        'backbone alone': [48, 48, 48, 48],
    }


def test_ours_also_run_with_the_network_on_some_frames_only(
    tool, short, models, tmp_path, monkeypatch
):
    every = []

    estimate = SparseEstimator.estimate

    def recorded(self, *arguments):
        every.append(self.pose_every)
        return estimate(self, *arguments)

    monkeypatch.setattr(SparseEstimator, 'estimate', recorded)
    options = ['--precision', 'float32', '--pose-every', '2', '--reuse-only']
    args = tool.main.parse([*short, *options])
    video = comparison.make_video(args, tmp_path / 'clip.mp4')
    made = [make() for _, make in comparison.make_pipelines(args, video, models)]
    assert not any('no reuse' in pipeline.name for pipeline in made)
    sparse = [pipeline for pipeline in made if 'every' in pipeline.name]
    assert [pipeline.name for pipeline in sparse] == [
        'ours, PyTorch, every 2',
        'ours, onnxruntime, every 2',
        'ours, openvino, every 2',
    ]
    assert [pipeline.run(Stages()).shape for pipeline in sparse] == [(6, 17, 2)] * 3
    assert every == [2, 2, 2]


def test_mistakes_are_one_line(tool, short, tiny, tmp_path, capsys):
    for options, message in (
        (['--config', 'nowhere.py'], 'nowhere.py does not exist'),
        ([*short, '--out', str(ROOT)], 'is a folder, expected the path of a file'),
        ([*short, '--config', tiny, tiny], 'have the same name'),
        ([*short, '--checkpoint', 'a', 'b'], '1 config but 2 checkpoints are given'),
        ([*short, '--no-memory', '--config', no_frame_head(tmp_path)], 'no model has a frame_head'),
    ):
        assert tool.main(options) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count('\n') == 1


class Clock:
    """Stands for a clock; functions on it take the seconds that they are told to."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def work(self, *seconds):
        """A function that takes these seconds, one after the other, over and over."""
        left = itertools.cycle(seconds)

        def run():
            self.now += next(left)

        return run


def test_inner_stages_do_not_count_twice(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(timing, 'time', SimpleNamespace(perf_counter=clock))
    outer, inner, item = clock.work(2), clock.work(5), clock.work(0.5)
    stages = Stages()
    with stages.stage('outer'):
        outer()
        stages.timed('inner', inner)()
    for _ in stages.iterated('items', (item() for _ in range(2))):
        outer()
    assert stages.seconds == {'inner': 5, 'outer': 2, 'items': 1}


def turns_of(number, *works, clock, **options):
    return next(itertools.islice(take_turns(works, clock=clock, **options), number - 1, None))


def test_functions_take_turns_and_what_follows_a_run_does_not_count():
    clock = Clock()
    works = clock.work(4, 2, 9), clock.work(1)
    turns = turns_of(3, *works, clock=clock, after_each=clock.work(100), cpu_clock=Clock())
    assert turns.wall.tolist() == [[4, 1], [2, 1], [9, 1]]
    assert turns.cpu.tolist() == [[0, 0]] * 3
    assert [seconds.wall for seconds in turns.least()] == [2, 1]
    assert [seconds.wall for seconds in turns.median()] == [4, 1]


def test_a_speed_up_is_the_median_over_the_turns_of_what_each_says():
    clock = Clock()
    # The machine was busy in the second turn, and in half of the third.
    turns = turns_of(3, clock.work(2, 20, 2), clock.work(1, 10, 4), clock=clock)
    first, second = turns.speed_ups()
    assert first.value == 1
    assert second.value == 2


@pytest.mark.parametrize(
    ('number', 'spread'),
    [
        # Of six turns, the interval of the median reaches from the least to the largest: by the
        # binomial distribution it holds the median but for 2 / 2^6 = 3 %.
        (6, (1.5 - 1) / 1.25),
        (5, math.nan),
        # Of nine, from the second to the eighth: but for 2 (1 + 9) / 2^9 = 4 %.
        (9, (1.7 - 1.1) / 1.4),
    ],
)
def test_the_spread_is_the_interval_of_the_median(number, spread):
    clock = Clock()
    works = clock.work(*(1 + n / 10 for n in range(number))), clock.work(1)
    assert turns_of(number, *works, clock=clock).speed_ups()[1].spread == pytest.approx(
        spread, nan_ok=True
    )


@pytest.mark.parametrize(
    ('own', 'num_turns'),
    [
        ((1.0,), 6),
        ((1.0, 1.02), 6),
        # One of six is an outlier, which seven or eight turns do not lose yet.
        ((1.0, 1.0, 1.5, *[1.0] * 17), 9),
        ((1.0, 1.5), 12),
    ],
)
def test_turns_end_when_all_speed_ups_are_known_to_5_percent(own, num_turns):
    clock = Clock()
    works = clock.work(2), clock.work(1), clock.work(*own)
    assert len(comparison.repeat_turns(works, 12, clock).wall) == num_turns


def test_a_runtime_that_is_not_installed_has_no_precisions(monkeypatch):
    assert comparison.available_precisions('onnxruntime') == ('float32', 'int8')
    monkeypatch.setitem(sys.modules, 'openvino', None)
    assert comparison.available_precisions('openvino') == ()


def test_what_is_not_known_well_or_missing_is_said(monkeypatch):
    rows = [
        dict(way=way, precision='float32', spread=spread, turns=[1.0] * 7)
        for way, spread in (('a', 0.0), ('b', 0.049), ('c', 0.05), ('d', None))
    ]
    (remark,) = comparison.remarks({'rows': rows}, ['float32'])
    assert 'NOT KNOWN to 5% after 7 turns' in remark
    assert 'of c in float32 (5%), d in float32 (unknown);' in remark
    monkeypatch.setattr(
        comparison, 'available_precisions', lambda name: ('float32',) if name == 'openvino' else ()
    )
    assert comparison.remarks({'rows': rows[:2]}, ['float32', 'bfloat16']) == [
        'There are no rows of onnxruntime in float32: it is not installed, or this processor does '
        'not support the precision.',
        'There are no rows of openvino in bfloat16: it is not installed, or this processor does '
        'not support the precision.',
    ]
