from __future__ import annotations

import pytest
from mmengine.config import Config
from mmpose.apis.inferencers import base_mmpose_inferencer, mmpose_inferencer
from mmpose.apis.inferencers.pose2d_inferencer import Pose2DInferencer
from mmpose.structures import split_instances

from stdpose_mm.apis import STDPoseInferencer
from stdpose_mm.mmpose_patches import LOCATIONS, install
from support.paths import ROOT
from support.warm_commands import run_before_openmmlab

pytestmark = pytest.mark.slow

LOOK_UP = """
from mmpose import registry
for name, key in {
    'MODELS': 'STDPose',
    'DATASETS': 'GenericWindowDataset',
    'DATA_SAMPLERS': 'SeededSampler',
    'HOOKS': 'RandomStateHook',
    'INFERENCERS': 'STDPoseInferencer',
    'KEYPOINT_CODECS': 'BoundedUDPHeatmap',
    'METRICS': 'PoseTrackMetric',
    'OPTIM_WRAPPER_CONSTRUCTORS': 'ViTOptimWrapperConstructor',
    'OPTIM_WRAPPERS': 'AutocastOptimWrapper',
    'TRANSFORMS': 'SeedSample',
}.items():
    print(name, getattr(registry, name).get(key).__name__ == key)
"""

INFERENCER = """
import sys
import stdpose_mm
import stdpose_mm.apis
was_imported = 'mmpose.apis' in sys.modules
from mmpose.apis.inferencers import mmpose_inferencer
from mmpose.apis import Pose2DInferencer
print(was_imported, mmpose_inferencer.Pose2DInferencer.__name__, isinstance(Pose2DInferencer, type))
"""


def run(code: str) -> list[str]:
    """Lines that code prints which nothing of OpenMMLab's models was imported before."""
    return run_before_openmmlab(code, cwd=ROOT).stdout.splitlines()


@pytest.mark.parametrize(
    'first',
    [
        'import stdpose_mm',
        'from mmpose.registry import MODELS; MODELS.get("HRNet"); import stdpose_mm',
        'from mmengine import Config; Config.fromfile("configs/_base_/default_runtime.py")',
    ],
    ids=['alone', 'after a look-up', 'custom_imports'],
)
def test_mmposes_registries_find_the_classes_of_every_kind(first):
    lines = [line for line in run(f'{first}\n{LOOK_UP}') if line.endswith(('True', 'False'))]
    assert sorted(lines) == [f'{name} True' for name in sorted(LOCATIONS)]


def test_mmposes_inferencers_are_changed_when_somebody_imports_them():
    """The package itself does not: they take a second, and write to stdout."""
    assert run(INFERENCER)[-1] == 'False pose2d_inferencer True'


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


TOO_LATE = """
from mmpose.apis import MMPoseInferencer
try:
    MMPoseInferencer(pose2d='configs/stdpose_tiny_estimation_synthetic.py', device='cpu')
except ValueError as error:
    print(type(error).__name__, error)
"""


def test_mmposes_own_inferencer_says_that_the_import_in_a_config_is_too_late():
    sentence = run(TOO_LATE)[-1]
    assert sentence.startswith(
        "InputError MMPose's Pose2DInferencer cannot run this model of stdpose"
    )
    assert 'import stdpose_mm before you build MMPoseInferencer' in sentence


@pytest.mark.parametrize('model', [None, 5, ['a.py'], {'model': dict(type='TopdownPoseEstimator')}])
def test_what_is_no_model_of_this_package_is_left_to_mmpose(model):
    assert not STDPoseInferencer.can_run(model)


def test_mmposes_own_inferencer_is_changed_once():
    init_model = Pose2DInferencer._init_model
    install()
    assert Pose2DInferencer._init_model is init_model


def test_a_config_elsewhere_inherits_from_one_of_this_package(tmp_path):
    mine = tmp_path / 'mine.py'
    mine.write_text("_base_ = 'stdpose_mm::stdpose_tiny_synthetic.py'\nmax_iters = 3\n")
    expected = Config.fromfile(ROOT / 'configs' / 'stdpose_tiny_synthetic.py')
    cfg = Config.fromfile(mine)
    assert cfg.max_iters == 3
    assert cfg.model.to_dict() == expected.model.to_dict()


def test_the_packages_of_openmmlab_are_found_as_before(tmp_path):
    mine = tmp_path / 'mine.py'
    mine.write_text("_base_ = 'mmpose::_base_/default_runtime.py'\n")
    assert Config.fromfile(mine).default_scope == 'mmpose'
    mine.write_text("_base_ = 'stdpose_mm::none.py'\n")
    with pytest.raises(FileNotFoundError, match=r'configs/none\.py'):
        Config.fromfile(mine)
    find = Config._get_cfg_path
    install()
    assert Config._get_cfg_path is find
