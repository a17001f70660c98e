from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

from stdpose_mm.benchmarks import inference_comparison as comparison
from stdpose_mm.benchmarks.timing import Stages, least_seconds
from support.paths import ROOT

pytestmark = pytest.mark.slow

TINY = str(ROOT / 'configs' / 'stdpose_tiny_synthetic.py')
SECOND = str(ROOT / 'configs' / 'semantic_motion_tiny_estimation_synthetic.py')


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / 'tools' / 'analysis_tools'))
    import benchmark_inference

    return benchmark_inference


SHORT = f'--config {TINY} --frames 3 --size 128 96 --people 2 --repeat 1 --batch-size 4'.split()


def tables(printed):
    """The lines of each table in Markdown."""
    blocks = [block.splitlines() for block in printed.split('\n\n')]
    return [block for block in blocks if block[0].startswith('|')]


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
    speed, work = tables(capsys.readouterr().out)
    assert len(speed) == 2 + len(ways)
    assert '| 1.00 |' in speed[2]
    assert [row['model'] for row in report['multiply_adds']] == [
        f'MMPose, backbone of {Path(TINY).stem}',
        Path(TINY).stem,
    ]
    assert len(work) == 2 + len(report['multiply_adds'])


def test_models_stand_side_by_side_with_ratios(tool, tmp_path, capsys):
    out = tmp_path / 'speed.json'
    # The first model has nothing that MMPose could run.
    more = ['--config', no_frame_head(tmp_path), TINY, '--precision', 'float32']
    assert tool.main([*SHORT, *more, '--no-memory', '--out', str(out)]) == 0
    rows = json.loads(out.read_text())['rows']
    own = ['ours, PyTorch, no reuse', 'ours, PyTorch', 'ours, onnxruntime', 'backbone alone']
    names = ['no_frame_head', Path(TINY).stem]
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
        | {'peak_memory': memory * 2**20}
        for name, wall, memory in (('a', 2.0, 400), ('b', 3.0, 300))
    ]
    fields = dict(frames=4, people=8, size=[2, 2], threads=1, batch_size=8, flip_test=False)
    first, second = comparison.table({**fields, 'rows': rows}).splitlines()[-2:]
    assert first.endswith('| 400 | 1.00 | 1.00 |')
    assert second.endswith('| 300 | 1.50 | 0.75 |')


def no_frame_head(folder):
    path = folder / 'no_frame_head.py'
    path.write_text(
        f"_base_ = '{SECOND}'\nmodel = dict(frame_head=None, frame_head_loss_weight=0.0)\n"
    )
    return str(path)


def test_all_ways_find_a_pose_for_every_person(tool, tmp_path):
    args = tool.make_parser().parse_args([*SHORT, '--precision', 'float32'])
    models = comparison.find_models(args, tmp_path)
    video = comparison.make_video(args, tmp_path / 'clip.mp4')
    comparison.export_onnx(comparison.load(args, models[0], 'float32'), models[0].onnx)
    makers = comparison.make_pipelines(args, video, models)
    found = [make().run(Stages()) for _, make in makers]
    per_frame, windows, frames, onnx, bare = found
    for poses in (per_frame, windows, frames, onnx):
        assert poses.shape == (6, 17, 2)
    np.testing.assert_allclose(onnx, frames, atol=0.01)
    assert len(bare) == 0


def test_mistakes_are_one_line(tool, tmp_path, capsys):
    for options, message in (
        (['--config', 'nowhere.py'], 'nowhere.py does not exist'),
        ([*SHORT, '--out', str(ROOT)], 'is a folder, expected the path of a file'),
        ([*SHORT, '--config', TINY, TINY], 'have the same name'),
        ([*SHORT, '--checkpoint', 'a', 'b'], '1 config but 2 checkpoints are given'),
        ([*SHORT, '--no-memory', '--config', no_frame_head(tmp_path)], 'no model has a frame_head'),
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
