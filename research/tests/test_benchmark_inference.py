"""``benchmark_inference``: MMPose and this package in turns."""

from __future__ import annotations

import itertools
import math
from importlib import import_module

import numpy as np
import onnxruntime
import pytest

from research.speed import inference_comparison as comparison
from research.speed import timing
from research.speed.timing import Turns, take_turns
from stdpose_mm.models.layers.blocks import TransformerBlock
from support.paths import CONFIGS
from support.small_configs import write_shallow_config

pytestmark = pytest.mark.slow

PRUNED = """
model = dict(
    backbone=dict(pruning=dict(after=1, keep=0.4)),
    frame_head=dict(
        upsample=4, shuffle_channels=48, deconv_out_channels=None, deconv_kernel_sizes=None
    ),
)
"""


@pytest.fixture(scope='module')
def tool():
    return import_module('research.tools.benchmark_inference')


@pytest.fixture(scope='module')
def short(tmp_path_factory):
    folder = tmp_path_factory.mktemp('config')
    tiny = write_shallow_config(folder / 'tiny.py', 'stdpose_tiny_synthetic.py')
    return [
        '--config',
        tiny,
        *['--frames', '3', '--size', '128', '96', '--people', '2', '--repeat', '1'],
    ]


def test_one_row_for_every_way(tool, short, capsys):
    assert tool.main([*short, '--no-memory']) == 0
    machine, *lines = capsys.readouterr().out.splitlines()
    _, *rows = [line.strip('| ').split(' | ') for line in lines if line.startswith('| ')]
    in_pytorch = comparison.available_precisions('torch')
    in_openvino = comparison.available_precisions('openvino')
    assert [row[:2] for row in rows] == [
        *(['MMPose, per frame', precision] for precision in in_pytorch),
        *(['ours, PyTorch', precision] for precision in in_pytorch),
        ['ours, onnxruntime', 'float32'],
        ['ours, onnxruntime', 'int8'],
        *(['ours, openvino', p] for p in ('float32', 'bfloat16') if p in in_openvino),
        *(['backbone alone', precision] for precision in in_pytorch),
    ]
    assert rows[0][5] == '1.00'
    assert f'onnxruntime {onnxruntime.__version__}' in machine


def load_pipelines(tool, folder, *options):
    """Load the pipelines of the tool's options."""
    args = tool.main.parse([*options, '--precision', 'float32'])
    weights = timing.random_weights(args.config, folder / 'random.pth')
    model = comparison.Model(args.config, weights, folder / 'onnx')
    comparison.export_onnx(comparison.load(args, model, 'float32'), model.onnx)
    video = comparison.make_video(args, folder / 'clip.mp4')
    return {p.name: p for p in (m() for m in comparison.make_pipelines(args, video, model))}


def test_all_ways_find_a_pose_for_every_person(tool, short, tmp_path):
    pipelines = load_pipelines(tool, tmp_path, *short)
    poses = {name: pipeline.run() for name, pipeline in pipelines.items()}
    assert len(poses.pop('backbone alone')) == 0
    assert {keypoints.shape for keypoints in poses.values()} == {(6, 17, 2)}
    for runtime in ('onnxruntime', 'openvino'):
        np.testing.assert_allclose(poses[f'ours, {runtime}'], poses['ours, PyTorch'], atol=0.01)


def test_mmpose_and_the_bare_backbone_compute_all_tokens(tool, short, tmp_path, monkeypatch):
    """A network that prunes tokens, with a decoder that MMPose has not."""
    base = CONFIGS / 'stdpose_tiny_estimation_synthetic.py'
    (tmp_path / 'pruned.py').write_text(f'_base_ = {str(base)!r}{PRUNED}')
    pipelines = load_pipelines(tool, tmp_path, *short, '--config', str(tmp_path / 'pruned.py'))
    tokens: list[int] = []
    forward = TransformerBlock.forward

    def recorded(self, x):
        tokens.append(x.shape[1])
        return forward(self, x)

    monkeypatch.setattr(TransformerBlock, 'forward', recorded)
    layers = {}
    for name in ('MMPose, per frame', 'ours, PyTorch', 'backbone alone'):
        tokens.clear()
        pipelines[name].run()
        layers[name] = tokens[:4]
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


def test_functions_take_turns_and_what_follows_a_run_does_not_count():
    clock = Clock()
    works = clock.work(4, 2, 9), clock.work(1)
    turns = take_turns(works, 3, clock.work(100), clock, cpu_clock=Clock())
    assert turns.wall.tolist() == [[4, 1], [2, 1], [9, 1]]
    assert turns.cpu.tolist() == [[0, 0]] * 3


def speed_ups_of(*wall):
    return Turns(np.array(wall).T, np.array(wall).T).speed_ups()


def test_a_speed_up_is_the_median_over_the_turns_of_what_each_says():
    # The machine was busy in the second turn, and in half of the third.
    first, second = speed_ups_of([2, 20, 2], [1, 10, 4])
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
    _, second = speed_ups_of([1 + n / 10 for n in range(number)], [1] * number)
    assert second.spread == pytest.approx(spread, nan_ok=True)
