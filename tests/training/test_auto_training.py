from __future__ import annotations

from pathlib import Path

import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.training.auto_training import AutoTrainer
from stdpose_mm.training.gap_extraction import Roots
from support.paths import ROOT


@pytest.mark.parametrize('content', [None, b'no archive'], ids=['missing', 'broken'])
def test_held_out_evidence_is_looked_at_before_anything_is_trained(tmp_path, monkeypatch, content):
    monkeypatch.setattr('stdpose_mm.training.auto_training.TrainedFuser.load', lambda path: None)
    folder = tmp_path / 'start' / 'evidence' / 'val'
    folder.mkdir(parents=True)
    if content is not None:
        (folder / 'clip.npz').write_bytes(content)
    trainer = AutoTrainer(tmp_path / 'run', 'no_config.py')
    with pytest.raises(InputError, match='evidence'):
        trainer.train_on_labels([tmp_path] * 2, tmp_path / 'start', Roots(None, None))
    assert not (tmp_path / 'run').exists()


def test_a_network_of_other_settings_is_not_taken_for_this_one(tmp_path, monkeypatch):
    monkeypatch.setattr('stdpose_mm.training.auto_training.Runner.from_cfg', FinishedRunner)
    config = str(ROOT / 'configs/auto/stdpose_tiny_propagation_synthetic_auto.py')

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
