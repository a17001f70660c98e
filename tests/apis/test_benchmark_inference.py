from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

from stdpose_mm.apis.speed import Stages, least_seconds, random_weights

ROOT = Path(__file__).resolve().parents[2]
TINY = str(ROOT / 'configs' / 'stdpose_tiny_synthetic.py')


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / 'tools'))
    import benchmark_inference

    return benchmark_inference


SHORT = f'--config {TINY} --frames 3 --size 128 96 --people 2 --repeat 1 --batch-size 4'.split()


def test_one_row_for_every_way(tool, tmp_path, capsys):
    out = tmp_path / 'speed.json'
    assert tool.main([*SHORT, '--no-memory', '--out', str(out)]) == 0
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
        ('backbone alone', 'float32', 1),
        ('backbone alone', 'bfloat16', 1),
    ]
    assert report['people'] == 6
    for row in report['rows']:
        assert sum(row['share'].values()) == pytest.approx(1)
        assert row['share']['backbone'] > 0
    table = [line for line in capsys.readouterr().out.splitlines() if line.startswith('|')]
    assert len(table) == 2 + len(ways)
    assert '| 1.00 |' in table[2]


def test_all_ways_find_a_pose_for_every_person(tool, tmp_path):
    args = tool.make_parser().parse_args([*SHORT, '--precision', 'float32'])
    args.checkpoint = random_weights(args.config, tmp_path / 'random.pth')
    video = tool.make_video(args, tmp_path / 'clip.mp4')
    tool.export_onnx(tool.load(args, 'float32'), tmp_path / 'onnx')
    makers = tool.make_ways(args, video, tmp_path / 'onnx')
    found = [make().run(Stages()) for make in makers]
    per_frame, windows, frames, onnx, bare = found
    for poses in (per_frame, windows, frames, onnx):
        assert poses.shape == (6, 17, 2)
    np.testing.assert_allclose(onnx, frames, atol=0.01)
    assert len(bare) == 0


def test_mistakes_are_one_line(tool, capsys):
    for options, message in (
        (['--config', 'nowhere.py'], 'nowhere.py does not exist'),
        ([*SHORT, '--out', str(ROOT)], 'is a folder, expected the path of a file'),
    ):
        assert tool.main(options) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count('\n') == 1


def test_inner_stages_do_not_count_twice():
    stages = Stages()
    with stages.stage('outer'):
        time.sleep(0.02)
        stages.timed('inner', time.sleep)(0.05)
    assert list(stages.iterated('items', [1, 2])) == [1, 2]
    assert 0.05 <= stages.seconds['inner'] < 0.2
    assert 0.02 <= stages.seconds['outer'] < stages.seconds['inner']
    assert stages.seconds['items'] < 0.01


def test_the_least_of_several_times():
    pauses = iter([0.05, 0.01])
    (first,) = least_seconds(2, lambda: time.sleep(next(pauses)))
    assert 0.01 <= first.wall < 0.05
    assert first.cpu < first.wall
