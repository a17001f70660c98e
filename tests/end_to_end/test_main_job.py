"""The whole job by the commands a user types: generate, train, test, propagate, evaluate.

Every command is a process of its own; the tests look at what they leave behind.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from stdpose_mm.io.labels import read_labels
from stdpose_mm.io.video import open_frames
from stdpose_mm.structures import VideoLabels
from support import warm_commands
from support.paths import ROOT

pytestmark = pytest.mark.slow

CONFIG = ROOT / 'configs' / 'stdpose_tiny_synthetic.py'
NUM_FRAMES, INTERVAL = 15, 7
GIVEN_FRAMES = (0, 7, 14)
MAX_ITERS, VAL_INTERVAL = 8, 4
WIDTH, HEIGHT = 128, 96
HELD_OUT = (
    'dataloader.dataset.ann_file=annotations/train',
    *(f'{part}.held_out_share=0.1' for part in ('dataloader.dataset', 'evaluator')),
    *(f'{part}.held_out=only' for part in ('dataloader.dataset', 'evaluator')),
)


def options(data: Path, *more: str) -> list[str]:
    """``--cfg-options`` that fit the tiny config to the generated videos."""
    labels = data / 'annotations'
    return [
        '--cfg-options',
        *(f'{split}_dataloader.dataset.data_root={data}' for split in ('train', 'val', 'test')),
        f'val_evaluator.ann_file={labels / "train"}',
        f'test_evaluator.ann_file={labels / "val"}',
        'train_dataloader.batch_size=2',
        f'train_cfg.max_iters={MAX_ITERS}',
        f'train_cfg.val_interval={VAL_INTERVAL}',
        f'default_hooks.checkpoint.interval={VAL_INTERVAL}',
        'default_hooks.logger.interval=1',
        *more,
    ]


def scalars(work_dir: Path) -> list[dict[str, Any]]:
    """What the runs in a work folder logged, in the order of the runs."""
    files = sorted(work_dir.glob('*/vis_data/scalars.json'))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def losses(work_dir: Path) -> dict[int, tuple[float, ...]]:
    """Step -> every loss of that step; the last run counts."""
    return {
        record['step']: tuple(value for name, value in record.items() if name.startswith('loss'))
        for record in scalars(work_dir)
        if 'loss' in record
    }


def validations(work_dir: Path) -> dict[int, dict[str, float]]:
    """Step -> metrics."""
    return {
        record['step']: {k: v for k, v in record.items() if k.startswith('posetrack/')}
        for record in scalars(work_dir)
        if 'posetrack/AP' in record
    }


@pytest.fixture(scope='module')
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the commands leave their results, one after the other, on three training videos, the
    last of them held out, and a test video.
    """
    folder = tmp_path_factory.mktemp('job')
    data = folder / 'data'
    warm_commands.run(
        'tools/dataset_converters/make_synthetic_posetrack.py',
        *(data, '--train-videos', 3, '--val-videos', 1, '--frames', NUM_FRAMES, '--workers', 1),
        *('--width', WIDTH, '--height', HEIGHT, '--people', 2, 2),
        cwd=folder,
    )
    warm_commands.run(
        'tools/train.py',
        *(CONFIG, '--work-dir', folder / 'training', '--seed', 3, *options(data)),
        cwd=folder,
    )
    checkpoint = folder / 'training' / f'iter_{MAX_ITERS}.pth'
    warm_commands.run(
        'tools/test.py',
        *(CONFIG, checkpoint, '--work-dir', folder / 'test', '--out', folder / 'metrics.json'),
        *options(data),
        cwd=folder,
    )
    (truth,) = (data / 'annotations' / 'val').iterdir()
    dense = folder / 'predictions' / truth.name
    warm_commands.run(
        'tools/propagate.py',
        *(data / 'images' / 'val' / truth.stem, truth, '--keep-every', INTERVAL, '--out', dense),
        *('--method', 'stdpose', '--config', CONFIG, '--checkpoint', checkpoint),
        cwd=folder,
    )
    warm_commands.run(
        'tools/evaluate_posetrack.py',
        *(truth.parent, dense.parent, '--out', folder / 'scores.json'),
        cwd=folder,
    )
    return folder


# Training


def test_losses_fall(job):
    total = [values[0] for values in losses(job / 'training').values()]
    # Of one and the same model the mean of some windows may be lower by chance.
    assert max(total[-3:]) < min(total[:3])


def test_the_best_checkpoint_is_that_of_the_best_validation(job):
    ap = {step: metrics['posetrack/AP'] for step, metrics in validations(job / 'training').items()}
    assert list(ap) == [VAL_INTERVAL, MAX_ITERS]
    (best,) = (job / 'training').glob('best_posetrack_AP_iter_*.pth')
    assert int(best.stem.rpartition('_')[2]) == max(ap, key=ap.__getitem__)


# Test and propagation


def test_testing_a_checkpoint_repeats_its_validation(job, tmp_path):
    held_out = [f'test_evaluator.ann_file={job}/data/annotations/train']
    held_out += [f'test_{setting}' for setting in HELD_OUT]
    warm_commands.run(
        'tools/test.py',
        *(CONFIG, job / 'training' / f'iter_{MAX_ITERS}.pth', '--work-dir', tmp_path / 'test'),
        *('--out', tmp_path / 'metrics.json', *options(job / 'data', *held_out)),
        cwd=tmp_path,
    )
    metrics = json.loads((tmp_path / 'metrics.json').read_text())
    expected = validations(job / 'training')[MAX_ITERS]
    assert metrics == pytest.approx(expected, abs=1e-4)


def test_the_evaluation_agrees_with_the_test(job):
    """Propagating a video and testing on it are the same task: same windows, boxes and crops."""
    scores = json.loads((job / 'scores.json').read_text())
    metrics = json.loads((job / 'metrics.json').read_text())
    for name in ('AP', 'precision', 'recall', 'MOTA'):
        # Label files are rounded to 0.01 px.
        assert scores[name]['mean'] == pytest.approx(metrics[f'posetrack/{name}_all'], abs=0.5)
    assert scores['AP']['mean'] >= 100 * len(GIVEN_FRAMES) / NUM_FRAMES


# Without data


def test_missing_data_is_one_line_that_says_what_and_where(tmp_path):
    # An attempt to load the pretrained weights first would fail at the proxy, with a traceback.
    nowhere = dict.fromkeys(('http_proxy', 'https_proxy'), 'http://127.0.0.1:9')
    variables = {**nowhere, 'TORCH_HOME': str(tmp_path / 'weights')}
    done = warm_commands.start(
        'tools/train.py',
        ROOT / 'configs' / 'sizes' / 'stdpose_small_propagation_posetrack17.py',
        cwd=tmp_path,
        first=f'import os; os.environ.update({variables})',
    ).wait()
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith('train.py: ')
    assert 'data/posetrack17/annotations/train' in line
    assert 'https://posetrack.net' in line
    assert not (tmp_path / 'weights').exists()


# Demo


ROWS = ('linear', 'initial', 'per-frame', 'stdpose', 'auto', 'auto+stdpose')


def mean_error(found: VideoLabels, truth: VideoLabels) -> float:
    """Return the mean distance in pixels of the joints that both have, given ones among them."""
    poses = {(label.frame_index, label.track_id): label for label in found.persons}
    pairs = [
        (poses[key], label)
        for label in truth.persons
        if (key := (label.frame_index, label.track_id)) in poses
    ]
    distances = [
        np.linalg.norm(pose.keypoints - label.keypoints, axis=1)[
            (pose.visibility > 0) & (label.visibility > 0)
        ]
        for pose, label in pairs
    ]
    return float(np.concatenate(distances).mean())


def test_the_demo_leaves_its_report(tmp_path):
    out = tmp_path / 'demo'
    # Of this seed there are two people in the held-out clip.
    numbers = ['--train-videos', 2, '--val-videos', 1, '--iterations', 3, '--seed', 4]
    done = warm_commands.run('demo/run_demo.py', '--out-dir', out, *numbers, cwd=tmp_path)
    *_, verb, clip, labels = shlex.split(done.stdout.splitlines()[-1])
    assert verb == 'review'
    assert len(open_frames(tmp_path / clip)) == 30
    assert read_labels(tmp_path / labels).labelled_frame_indices == (0, 7, 14, 21, 28)

    report = json.loads((out / 'report.json').read_text())
    assert report['settings']['iterations'] == 3
    for frames in ('unlabelled_frames', 'all_frames'):
        figures = report['propagation'][frames]
        assert list(figures) == list(ROWS)
        for method in figures.values():
            assert {'AP', 'PCK@0.1', 'error px', 'jitter'} <= set(method)
            assert np.isfinite(list(method.values())).all()
            assert 0 <= method['PCK@0.05'] <= method['PCK@0.1'] <= method['PCK@0.2'] <= 100

    # Training changes the model, and the model is evidence.
    assert figures['initial'] != figures['stdpose']
    assert figures['auto'] != figures['auto+stdpose']
    # The weights it starts from have learned: STDPose finds more than any straight line.
    assert figures['initial']['PCK@0.1'] > figures['linear']['PCK@0.1']

    table = (out / 'table.md').read_text()
    titles = [line.split(' | ')[0].removeprefix('| ') for line in table.splitlines()[2:]]
    assert titles == [report['names'][name] for name in ROWS]
    # The overlay shows `auto` as it comes: of the only held-out clip, with coordinates in 0.01 px.
    (annotations,) = (out / 'data' / 'annotations' / 'val').iterdir()
    error = mean_error(read_labels(out / 'overlay.json'), read_labels(annotations))
    assert error == pytest.approx(figures['auto']['error px'], abs=0.01)
    # It is there before the training.
    assert (out / 'overlay.mp4').stat().st_mtime < (out / 'config.py').stat().st_mtime
    before, after = done.stdout.split('train the tiny STDPose further')
    for row in ('| `auto` as it comes |', '| STDPose as it comes |'):
        assert row in before
    assert '| STDPose trained on these clips |' not in before
    assert '| STDPose trained on these clips |' in after

    assert len(open_frames(out / 'overlay.mp4')) == 30
    for picture in ('overlay.png', 'training_curve.png'):
        image = cv2.imread(str(out / picture))
        assert image is not None
        assert image.std() > 5
