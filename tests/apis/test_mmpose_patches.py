from __future__ import annotations

import json
from pathlib import Path

import mmpose
import pytest
from mmengine.config import Config
from mmengine.infer import BaseInferencer

from stdpose_mm.apis import STDPoseInferencer
from stdpose_mm.errors import InputError
from stdpose_mm.mmpose_patches import LOCATIONS
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
{first}
import stdpose_mm
import stdpose_mm.apis
was_imported = 'mmpose.apis' in sys.modules
from stdpose_mm.mmpose_patches import install
install()  # A second time, which changes nothing.
from mmpose.apis.inferencers import mmpose_inferencer
from mmpose.apis import Pose2DInferencer
chosen = mmpose_inferencer.Pose2DInferencer
install()
assert mmpose_inferencer.Pose2DInferencer is chosen
print(was_imported, chosen.__name__, isinstance(Pose2DInferencer, type))
"""


def run(code: str) -> list[str]:
    """Lines that code prints which nothing of OpenMMLab's models was imported before."""
    return run_before_openmmlab(code, cwd=ROOT).stdout.splitlines()


@pytest.mark.parametrize(
    'first',
    [
        'from mmpose.registry import MODELS; MODELS.get("HRNet"); import stdpose_mm',
        'from mmengine import Config; Config.fromfile("configs/_base_/default_runtime.py")',
    ],
    ids=['after a look-up', 'custom_imports'],
)
def test_mmposes_registries_find_the_classes_of_every_kind(first):
    lines = [line for line in run(f'{first}\n{LOOK_UP}') if line.endswith(('True', 'False'))]
    assert sorted(lines) == [f'{name} True' for name in sorted(LOCATIONS)]


@pytest.mark.parametrize('first', ['', 'import mmpose.apis'], ids=['before', 'after'])
def test_mmposes_inferencers_are_changed_when_somebody_imports_them(first):
    """The package itself does not import them: they take a second, and write to stdout."""
    assert run(INFERENCER.format(first=first))[-1] == f'{bool(first)} pose2d_inferencer True'


OTHER_MODEL = """
{first}
import json, pathlib, warnings
from fractions import Fraction

import numpy as np
import torch
import mmpose
from mmengine.config import Config
from mmengine.fileio import get_file_backend
from mmengine.runner import checkpoint
from mmpose import registry
from mmpose.apis import MMPoseInferencer, Pose2DInferencer, inference_topdown, init_model
from mmpose.apis.inferencers import base_mmpose_inferencer, mmpose_inferencer, pose2d_inferencer
from mmpose.structures import split_instances

names = ['MODELS', 'DATASETS', 'TRANSFORMS', 'HOOKS', 'METRICS', 'KEYPOINT_CODECS', 'INFERENCERS']
for name in names:
    getattr(registry, name).get('TopdownPoseEstimator')
root = pathlib.Path(mmpose.__file__).parent / '.mim/configs/body_2d_keypoint/topdown_heatmap/coco'
config = str(root / 'td-hm_mobilenetv2_8xb64-210e_coco-256x192.py')
picture = np.random.default_rng(0).integers(0, 255, (160, 120, 3), np.uint8)
# The checkpoint holds an object that MMEngine reads, but PyTorch's `weights_only` does not.
torch.manual_seed(0)
weights = init_model(config, device='cpu').state_dict()
content = {{'meta': {{'share': Fraction(1, 3)}}, 'state_dict': weights}}
checkpoint.save_checkpoint(content, 'zoo.pth')
read = checkpoint.CheckpointLoader.load_checkpoint('zoo.pth')
(person,) = inference_topdown(init_model(config, 'zoo.pth', 'cpu'), picture, [[10, 10, 90, 150]])
person.pred_instances.track_ids = np.array([7])
options = dict(pose2d_weights='zoo.pth', det_model='whole_image', device='cpu')
unified = MMPoseInferencer(pose2d=config, **options)
result = next(unified(picture, pred_out_dir='out'))
touched = [
    *(value for value in vars(checkpoint).values() if callable(value)),
    *checkpoint.CheckpointLoader._schemes.values(),
    type(get_file_backend('x.pth')),
    *(member for member in vars(Pose2DInferencer).values() if callable(member)),
    base_mmpose_inferencer.split_instances,
    torch.load,
]
print('RESULT', json.dumps({{
    'meta': str(read['meta']),
    'person': person.pred_instances.keypoints.tolist(),
    'split': str(split_instances(person.pred_instances)),
    'split by inferencers': str(base_mmpose_inferencer.split_instances(person.pred_instances)),
    'inferencer': type(unified.inferencer).__name__,
    'result': str(result['predictions']),
    'keys': sorted(result),
    'written': {{file.name: file.read_text() for file in pathlib.Path('out').iterdir()}},
    'touched': [f'{{value.__module__}}.{{value.__qualname__}}' for value in touched],
    'warnings': [str(entry) for entry in warnings.filters],
    'threads': [torch.get_num_threads(), torch.get_default_dtype().itemsize],
    'classes': {{
        f'{{name}} {{key}}': value.__module__
        for name in names
        for key, value in getattr(registry, name).module_dict.items()
        if not value.__module__.startswith('stdpose_mm')
    }},
    'hidden': [
        key
        for name in names
        for key, value in getattr(registry, name).module_dict.items()
        if value.__module__.startswith('stdpose_mm')
        and key in getattr(getattr(registry, name).parent, 'module_dict', ())
    ],
}}))
"""


def test_a_model_of_mmpose_is_the_same_with_and_without_this_package(tmp_path):
    """Its checkpoint, its results, and the functions of MMEngine and MMPose that make them."""
    results = []
    for number, first in enumerate(('', 'import stdpose_mm')):
        folder = tmp_path / str(number)
        folder.mkdir()
        lines = run_before_openmmlab(OTHER_MODEL.format(first=first), cwd=folder).stdout
        (line,) = (line for line in lines.splitlines() if line.startswith('RESULT'))
        results.append(json.loads(line.removeprefix('RESULT')))
    without, with_package = results
    for name, value in without.items():
        assert with_package[name] == value, name
    assert without['meta'] == "{'share': Fraction(1, 3)}"
    assert without['inferencer'] == 'Pose2DInferencer'
    assert without['hidden'] == []


@pytest.mark.parametrize('model', [None, 5, ['a.py'], {'model': dict(type='TopdownPoseEstimator')}])
def test_what_is_no_model_of_this_package_is_left_to_mmpose(model):
    assert not STDPoseInferencer.can_run(model)


def test_no_name_in_mmposes_metafiles_means_a_model_of_this_package():
    folder = Path(mmpose.__file__).parent / '.mim'
    models = [*BaseInferencer._get_models_from_metafile(str(folder))]
    aliases = [model.get('Alias', []) for model in models]
    names = {model['Name'] for model in models}
    names |= {name for alias in aliases for name in ([alias] if isinstance(alias, str) else alias)}
    assert len(names) > 300
    for name in names:
        assert not STDPoseInferencer.can_run(name), name


def test_a_config_elsewhere_inherits_from_one_of_this_package(tmp_path):
    mine = tmp_path / 'mine.py'
    mine.write_text("_base_ = 'stdpose_mm::stdpose_tiny_synthetic.py'\nmax_iters = 3\n")
    expected = Config.fromfile(ROOT / 'configs' / 'stdpose_tiny_synthetic.py')
    cfg = Config.fromfile(mine)
    assert cfg.max_iters == 3
    assert cfg.model.to_dict() == expected.model.to_dict()


@pytest.mark.parametrize('suffix', ['', '.py'])
def test_a_base_may_be_named_without_its_folder(tmp_path, suffix):
    mine = tmp_path / 'mine.py'
    mine.write_text(f"_base_ = 'stdpose_mm::stdpose_small_propagation_posetrack17{suffix}'\n")
    assert Config.fromfile(mine).model.backbone.arch == 'small'


def test_a_misspelled_base_is_refused_with_the_nearest_name(tmp_path):
    mine = tmp_path / 'mine.py'
    mine.write_text("_base_ = 'stdpose_mm::stdpose_smal_propagation_posetrack17.py'\n")
    with pytest.raises(InputError) as error:
        Config.fromfile(mine)
    assert str(error.value) == (
        '_base_ stdpose_mm::stdpose_smal_propagation_posetrack17.py does not exist, did you mean '
        'stdpose_mm::sizes/stdpose_small_propagation_posetrack17.py?'
    )


def test_mmengine_lists_the_models_of_this_package():
    names = BaseInferencer.list_models('stdpose_mm', 'stdpose-tiny')
    assert 'stdpose-tiny-propagation' in names


UNINSTALL = """
import sys
from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE
from mmpose.registry import MODELS
from mmpose.apis.inferencers import mmpose_inferencer

def state():
    return [
        [*sys.meta_path],
        Config._get_cfg_path,
        dict(MODULE2PACKAGE),
        [*MODELS._locations],
        mmpose_inferencer.Pose2DInferencer,
        dict(vars(mmpose_inferencer.MMPoseInferencer)),
    ]

before = state()
import stdpose_mm
changed = [a != b for a, b in zip(before, state())]
stdpose_mm.mmpose_patches.uninstall()
undone = [a == b for a, b in zip(before, state())]
stdpose_mm.mmpose_patches.install()
again = MODELS.get('STDPose').__name__
print(changed, undone, again)
"""


NOTES = """
from stdpose_mm import mmpose_patches
for hide in (print, mmpose_patches.hide_library_notes)[:{commands} + 1]:
    hide()
from mmengine.logging import print_log
print_log('Could not import OneDL. Skipping OneDL datasets.')
print_log('another message')
"""


@pytest.mark.parametrize(('commands', 'number'), [(0, 2), (1, 1)])
def test_commands_alone_hide_what_libraries_say_of_themselves(commands, number):
    lines = run(NOTES.format(commands=commands))
    assert lines[-1] == 'another message'
    assert len([line for line in lines if line]) == number


def test_all_changes_are_undone_by_one_call():
    assert run(UNINSTALL)[-1] == f'{[True] * 6} {[True] * 6} STDPose'


def test_the_packages_of_openmmlab_are_found_as_before(tmp_path):
    mine = tmp_path / 'mine.py'
    mine.write_text("_base_ = 'mmpose::_base_/default_runtime.py'\n")
    assert Config.fromfile(mine).default_scope == 'mmpose'
    mine.write_text("_base_ = 'stdpose_mm::none.py'\n")
    with pytest.raises(FileNotFoundError, match=r'configs/none\.py'):
        Config.fromfile(mine)
