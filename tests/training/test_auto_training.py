from __future__ import annotations

import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.training.auto_training import AutoTrainer
from stdpose_mm.training.gap_extraction import Roots


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
