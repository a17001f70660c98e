from __future__ import annotations

import csv
import shutil
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from research.comparison.benchmark import BenchmarkEntry
from stdpose_mm.inference.onnx_window_backend import FRAMES_FILE, WINDOWS_FILE
from stdpose_mm.labelling.evidence import PoseNetworkFiles
from stdpose_mm.labelling.propagation.auto.joint_matching import (
    CROP_SIDE,
    SHIPPED_MATCHER,
    TrainedMatcher,
)
from stdpose_mm.labelling.propagation.auto.network_heatmaps import SHIPPED_STDPOSES
from stdpose_mm.labelling.propagation.auto.trained_fuser import SHIPPED_FUSER
from support.comparison_videos import write_slow_and_fast
from support.paths import ROOT

pytestmark = pytest.mark.slow

CONFIG = ROOT / 'configs' / 'stdpose_tiny_synthetic.py'


tool = import_module('research.tools.benchmark_propagation')


@pytest.fixture
def run(run_main):
    return partial(run_main, tool.main)


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    return write_slow_and_fast(tmp_path / 'labels')


def test_min_motion_keeps_the_fast_videos(run, labels, tmp_path):
    out = tmp_path / 'out'
    arguments = ('--methods', 'linear', '--interval', 7, '--out-dir', out, '--min-motion')
    code, printed, _ = run(labels, *arguments, 0.02)
    assert code == 0
    assert 'unlabelled frames of 1 video |' in printed
    code, _, errors = run(labels, *arguments, 9)
    assert code == 2
    assert 'none of the 2 videos moves by more than 9 pose sizes per frame' in errors[0]


def test_several_models_and_seeds_in_one_run(run, model_files, label_file, folder, tmp_path):
    config, checkpoint = model_files
    other = tmp_path / 'other.pth'
    shutil.copy(checkpoint, other)
    code, printed, errors = run(
        label_file,
        *('--image-root', folder.parent, '--interval', 5, '--methods', 'linear'),
        *('--model', f'small=stdpose:{config}:{checkpoint},{other}'),
        *('--model', f'frame=per-frame:{config}:{checkpoint}'),
        *('--reference', 'frame', '--out-dir', tmp_path / 'out'),
    )
    assert (code, errors) == (0, [])
    assert '## Difference to frame, unlabelled frames' in printed
    folders = {path.name for path in (tmp_path / 'out').iterdir() if path.is_dir()}
    assert folders == {'linear_T5', 'small-seed1_T5', 'small-seed2_T5', 'frame_T5'}
    with (tmp_path / 'out' / 'table.csv').open(newline='') as file:
        spreads = {
            row['method']: row['error px std']
            for row in csv.DictReader(file)
            if row['frames'] == 'all'
        }
    # The same weights twice.
    assert spreads == {'linear': '', 'small': '0.0000', 'frame': ''}


def test_a_model_may_have_networks_beside_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('model.py').write_text('')
    alone, beside, without_fuser = (
        BenchmarkEntry.parse(f'x=auto:model.py:weights.pth{rest}')
        for rest in (':fuser.onnx', ':fuser.onnx:dot.onnx=rtmpose-coco', '::dot.onnx,poses=results')
    )
    assert (alone.fuser, alone.pose_networks) == ('fuser.onnx', ())
    assert beside.fuser == 'fuser.onnx'
    assert beside.pose_networks == (PoseNetworkFiles('dot.onnx', 'rtmpose-coco'),)
    assert without_fuser.fuser is None
    assert without_fuser.pose_networks == (
        PoseNetworkFiles('dot.onnx'),
        PoseNetworkFiles('poses', kind='results'),
    )


def test_rows_of_auto_may_have_another_stdpose_and_another_matcher(tmp_path):
    for name in (FRAMES_FILE, WINDOWS_FILE):
        shutil.copy(SHIPPED_STDPOSES[0] / name, tmp_path)
    matcher = tmp_path / 'other.onnx'
    shutil.copy(SHIPPED_MATCHER, matcher)
    entry = BenchmarkEntry.parse_evidence(
        f'own={tmp_path}=stdpose,{matcher}=matcher,poses=results:{SHIPPED_FUSER}'
    )
    assert (entry.stdposes, entry.matcher) == ((str(tmp_path),), str(matcher))
    assert entry.pose_networks == (PoseNetworkFiles('poses', kind='results'),)
    assert (entry.fuser, entry.use_stdpose) == (str(SHIPPED_FUSER), True)
    row = BenchmarkEntry.parse_evidence(f'own={tmp_path}=stdpose,{matcher}=matcher')
    crops = np.random.default_rng(0).integers(0, 255, (1, CROP_SIDE, CROP_SIDE, 3), np.uint8)
    described = row.build(0, 'cpu').matcher.describe(crops)
    np.testing.assert_array_equal(described, TrainedMatcher(matcher).describe(crops))


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--reference', 'flow'], 'one of linear'),
        (['--model', 'stdpose:file:file'], 'given as NAME=METHOD:CONFIG:CHECKPOINT['),
        (['--model', f'a b=stdpose:{CONFIG}:file'], "'a b' cannot name a method"),
        (['--model', f'linear=stdpose:{CONFIG}:file'], 'two methods have the same name'),
        (['--evidence', 'a'], "given as NAME=[POSE[,POSE...]][:FUSER], got 'a'"),
    ],
)
def test_a_mistake_is_one_line(run, labels, tmp_path, arguments, message):
    code, printed, errors = run(labels, '--methods', 'linear', *arguments)
    assert (code, printed, len(errors)) == (2, '', 1), errors
    assert message in errors[0]
