from __future__ import annotations

import itertools
import json
import math
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest

from research.speed import inference_comparison as comparison
from research.speed import timing
from research.speed.timing import Stages, take_turns
from stdpose_mm.models.layers.blocks import TransformerBlock
from support.paths import ROOT
from support.small_configs import write_shallow_config

pytestmark = pytest.mark.slow

PRUNED = str(ROOT / 'research/configs/light/stdpose_tiny_estimation_synthetic_light_pruned.py')


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


def test_one_row_for_every_way(tool, short, tmp_path, capsys):
    out = tmp_path / 'speed.json'
    assert tool.main([*short, '--no-memory', '--out', str(out)]) == 0
    report = json.loads(out.read_text())
    ways = [(row['way'], row['precision'], row['passes']) for row in report['rows']]
    in_pytorch = comparison.available_precisions('torch')
    assert ways == [
        *(('MMPose, per frame', precision, 1) for precision in in_pytorch),
        *(('ours, PyTorch, no reuse', precision, 3) for precision in in_pytorch),
        *(('ours, PyTorch', precision, 1) for precision in in_pytorch),
        ('ours, onnxruntime', 'float32', 1),
        ('ours, onnxruntime', 'int8', 1),
        ('ours, openvino', 'float32', 1),
        *[('ours, openvino', 'bfloat16', 1)]
        * ('bfloat16' in comparison.available_precisions('openvino')),
        *(('backbone alone', precision, 1) for precision in in_pytorch),
    ]
    assert report['people'] == 6
    for row in report['rows']:
        assert sum(row['share'].values()) == pytest.approx(1)
        assert row['share']['backbone'] > 0
    printed = capsys.readouterr().out
    assert f'onnxruntime {onnxruntime.__version__}' in printed.splitlines()[0]
    assert '| 1.00 |' in next(line for line in printed.splitlines() if '| MMPose' in line)


def test_all_ways_find_a_pose_for_every_person(tool, short, tmp_path):
    args = tool.main.parse([*short, '--precision', 'float32', '--pose-every', '2'])
    weights = timing.random_weights(args.config, tmp_path / 'random.pth')
    model = comparison.Model(args.config, weights, tmp_path / 'onnx')
    comparison.export_onnx(comparison.load(args, model, 'float32'), model.onnx)
    video = comparison.make_video(args, tmp_path / 'clip.mp4')
    pipelines = [make() for make in comparison.make_pipelines(args, video, model)]
    poses = {pipeline.name: pipeline.run(Stages()) for pipeline in pipelines}
    assert len(poses.pop('backbone alone')) == 0
    assert {keypoints.shape for keypoints in poses.values()} == {(6, 17, 2)}
    for every in ('', ', every 2'):
        frames = poses[f'ours, PyTorch{every}']
        np.testing.assert_allclose(poses[f'ours, onnxruntime{every}'], frames, atol=0.01)
        np.testing.assert_allclose(poses[f'ours, openvino{every}'], frames, atol=0.01)
    # Flow fills in the middle one of three frames.
    assert not np.allclose(poses['ours, PyTorch'][2:4], poses['ours, PyTorch, every 2'][2:4])


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
    weights = timing.random_weights(args.config, tmp_path / 'random.pth')
    model = comparison.Model(args.config, weights, tmp_path / 'onnx')
    video = comparison.make_video(args, tmp_path / 'clip.mp4')
    layers = {}
    makers = comparison.make_pipelines(args, video, model)
    for make in (makers[0], makers[1], makers[-1]):
        pipeline = make()
        tokens.clear()
        pipeline.run(Stages())
        layers[pipeline.name] = tokens[:4]
    assert layers == {
        'MMPose, per frame': [48, 48, 48, 48],
        'ours, PyTorch': [48, 19, 19, 19],
        'backbone alone': [48, 48, 48, 48],
    }


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
