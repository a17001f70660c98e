from __future__ import annotations

import os
import subprocess
import sys

from mmpose.apis.inferencers import base_mmpose_inferencer, mmpose_inferencer
from mmpose.apis.inferencers.pose2d_inferencer import Pose2DInferencer
from mmpose.structures import split_instances

from stdpose_mm.mmpose_hook import install
from support.paths import ROOT

CHECK = """
import sys
import stdpose_mm
import stdpose_mm.apis
was_imported = 'mmpose.apis' in sys.modules
from mmpose.apis.inferencers import mmpose_inferencer
from mmpose.apis import Pose2DInferencer
print(was_imported, mmpose_inferencer.Pose2DInferencer.__name__, isinstance(Pose2DInferencer, type))
"""


def test_mmposes_inferencers_are_changed_when_somebody_imports_them():
    """The package itself does not: they take a second, and write to stdout."""
    answer = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', CHECK],
        capture_output=True,
        text=True,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        check=True,
    )
    assert answer.stdout.splitlines()[-1] == 'False pose2d_inferencer True'


def test_mmposes_inferencers_may_be_imported_first(monkeypatch):
    monkeypatch.setattr(mmpose_inferencer, 'Pose2DInferencer', Pose2DInferencer)
    monkeypatch.setattr(base_mmpose_inferencer, 'split_instances', split_instances)
    install()
    changed = mmpose_inferencer.Pose2DInferencer
    assert changed is not Pose2DInferencer
    assert base_mmpose_inferencer.split_instances is not split_instances
    install()
    assert mmpose_inferencer.Pose2DInferencer is changed
    assert base_mmpose_inferencer.split_instances(None) == []
