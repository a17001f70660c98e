from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from research.export.matcher_export import export_matcher
from research.training.auto_training import AutoTrainer
from research.training.gap_extraction import Roots
from research.training.joint_matcher import JointMatcher
from stdpose_mm.errors import InputError
from support.paths import ROOT


@pytest.mark.parametrize('content', [None, b'no archive'], ids=['missing', 'broken'])
def test_held_out_evidence_is_looked_at_before_anything_is_trained(tmp_path, monkeypatch, content):
    monkeypatch.setattr('research.training.auto_training.CheckpointFuser.load', lambda path: None)
    folder = tmp_path / 'start' / 'evidence' / 'val'
    folder.mkdir(parents=True)
    if content is not None:
        (folder / 'clip.npz').write_bytes(content)
    trainer = AutoTrainer(tmp_path / 'run', 'no_config.py')
    with pytest.raises(InputError, match='evidence'):
        trainer.train_on_labels([tmp_path] * 2, tmp_path / 'start', Roots(None, None))
    assert not (tmp_path / 'run').exists()


class ClipsReachedError(Exception):
    """The training would generate its clips now."""


def generate_with(monkeypatch, work_dir, **settings):
    """Run a training up to the first clip."""

    def stop(*_, **__):
        raise ClipsReachedError

    monkeypatch.setattr('research.training.auto_training.write_dataset', stop)
    with pytest.raises(ClipsReachedError):
        AutoTrainer(work_dir, 'no_config.py', **settings).train_on_generated(1, 1, 1)


@pytest.fixture
def matcher(tmp_path):
    export_matcher(JointMatcher(), tmp_path / 'matcher.onnx')
    return tmp_path / 'matcher.onnx'


def test_a_work_folder_is_for_one_matcher(tmp_path, monkeypatch, matcher):
    run = tmp_path / 'run'
    generate_with(monkeypatch, run, matcher=matcher)
    generate_with(monkeypatch, run, matcher=matcher)
    with pytest.raises(InputError, match=r'run is of a run with another joint matcher than'):
        AutoTrainer(run, 'no_config.py').train_on_generated(1, 1, 1)


def test_a_work_folder_of_an_earlier_version_is_for_the_matcher_of_the_package(
    tmp_path, monkeypatch, matcher
):
    (tmp_path / 'pose.py').write_text('')
    with pytest.raises(InputError, match='another joint matcher'):
        AutoTrainer(tmp_path, 'no_config.py', matcher=matcher).train_on_generated(1, 1, 1)
    generate_with(monkeypatch, tmp_path)


def test_a_run_goes_on_with_the_matcher_that_it_starts_from(tmp_path, monkeypatch, matcher):
    """Scores are calibrated on the evidence of the earlier run."""
    for name in ('CheckpointFuser.load', 'read_held_out'):
        monkeypatch.setattr(f'research.training.auto_training.{name}', lambda path: None)
    generate_with(monkeypatch, tmp_path / 'start')
    trainer = AutoTrainer(tmp_path / 'run', 'no_config.py', matcher=matcher)
    with pytest.raises(InputError, match=r'start is of a run with another joint matcher than'):
        trainer.train_on_labels([tmp_path] * 2, tmp_path / 'start', Roots(None, None))
    assert not (tmp_path / 'run').exists()


def test_evidence_is_gathered_with_the_matcher_of_the_run(tmp_path, monkeypatch, matcher):
    used = []

    def gather(videos, folder, source, *_):
        used.append(source.matcher)
        return []

    module = 'research.training.auto_training'
    for name in ('write_dataset', 'find_label_files', 'read_held_out', 'CheckpointFuser.load'):
        monkeypatch.setattr(f'{module}.{name}', lambda *_, **__: [])
    monkeypatch.setattr(f'{module}.read_videos', lambda path: [])
    monkeypatch.setattr(f'{module}.extract_training_gaps', gather)
    monkeypatch.setattr(f'{module}.AutoTrainer._train_pose_network', lambda *_: None)
    start, run = (AutoTrainer(tmp_path / name, '', matcher=matcher) for name in ('start', 'run'))
    with pytest.raises(InputError, match='0 gaps to train on'):
        start.train_on_generated(1, 1, 1)
    with pytest.raises(InputError, match='0 gaps to train on'):
        run.train_on_labels([tmp_path] * 2, tmp_path / 'start', Roots(None, None))
    assert used == [matcher] * 4


def test_a_matcher_that_is_none_is_refused_before_clips_are_generated(run_main, tmp_path):
    (tmp_path / 'matcher.onnx').write_bytes(b'nothing')
    options = ('--matcher', tmp_path / 'matcher.onnx', '--work-dir', tmp_path / 'run')
    code, _, lines = run_main(import_module('research.tools.train_auto').main, *options)
    assert (code, len(lines)) == (2, 1)
    assert 'matcher.onnx is not a network that onnxruntime can run' in lines[0]
    assert not (tmp_path / 'run').exists()


def test_a_network_of_other_settings_is_not_taken_for_this_one(tmp_path, monkeypatch):
    monkeypatch.setattr('research.training.auto_training.CheckedRunner.from_cfg', FinishedRunner)
    config = str(ROOT / 'research/configs/auto/stdpose_tiny_propagation_synthetic_auto.py')

    labels, weights = tmp_path / 'labels.json', tmp_path / 'start.pth'
    labels.write_text('{}')
    weights.write_bytes(b'start')

    def train(start=None, **settings):
        def adjust(config):
            config.load_from = start

        trainer = AutoTrainer(tmp_path, config, **settings)
        return trainer._train_pose_network('pose', [str(labels)], adjust)

    FinishedRunner.number = 0
    first = train(pose_iters=20)
    assert train(pose_iters=20) == first
    assert FinishedRunner.number == 1
    others = [{'pose_iters': 30}, {'pose_iters': 20, 'seed': 1}]
    others.append({'pose_iters': 20, 'start': str(weights)})
    for settings in others:
        with pytest.raises(InputError, match=r'pose\.py is of a network with another config'):
            train(**settings)
    # The same path, with other labels.
    labels.write_text('{"images": []}')
    with pytest.raises(InputError, match='or with other labels or starting weights'):
        train(pose_iters=20)


class FinishedRunner:
    """Stand for a runner whose training takes no time."""

    number = 0

    def __init__(self, config):
        type(self).number += 1

    def train(self):
        pass

    def save_checkpoint(self, folder, name, **_):
        (Path(folder) / name).write_bytes(b'weights')
