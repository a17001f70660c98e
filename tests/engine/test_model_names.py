from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.fileio import load
from mmpose.apis import MMPoseInferencer

from stdpose_mm import mmpose_patches
from stdpose_mm.apis import STDPoseInferencer
from stdpose_mm.engine.config_files import config_files, find_model, read_metafiles
from stdpose_mm.errors import InputError
from stdpose_mm.inference.window_model import WindowModel
from support.paths import CONFIGS, ROOT
from support.small_configs import read


def test_names_aliases_and_files():
    for name, alias in (
        ('stdpose_base_estimation_posetrack17', 'STDPose-Estimation'),
        ('semantic_motion_base_estimation_posetrack17', 'semantic-motion'),
        ('stdpose_base_estimation_posetrack17', 'stdpose_vit_estimation_posetrack17'),
    ):
        config = ROOT / 'configs' / f'{name}.py'
        assert find_model(name) == find_model(alias) == (config, None)
    unlisted = ROOT / 'configs' / 'ablations' / 'stdpose_base_propagation_posetrack17_e_dam.py'
    assert find_model('stdpose_base_propagation_posetrack17_e_dam') == (unlisted, None)
    assert find_model('default_runtime') is None
    assert find_model('rtmpose-t_8xb256-420e_coco-256x192') is None
    light = 'light/stdpose_base_estimation_posetrack17_light.py'
    assert find_model(f'stdpose_mm::{light}') == (ROOT / 'configs' / light, None)
    assert find_model('stdpose_mm::none.py') is None


@pytest.mark.parametrize(
    ('name', 'meant'),
    [
        ('stdpose-estimaton', 'stdpose-estimation'),
        ('Semantic_Motion', 'semantic-motion'),
        ('configs/stdpose_tiny_sinthetic.py', 'stdpose_tiny_synthetic'),
    ],
)
@pytest.mark.parametrize(
    'read', [find_model, STDPoseInferencer.can_run, lambda name: MMPoseInferencer(pose2d=name)]
)
def test_a_misspelled_name(read, name, meant):
    with pytest.raises(InputError, match=f'config {name} does not exist, did you mean {meant}'):
        read(name)


@pytest.mark.slow
def test_listed_models_exist_and_are_ours():
    index = load(ROOT / 'model-index.yml')
    metafiles = [load(ROOT / file) for file in index['Import']]
    models = [model for metafile in metafiles for model in metafile['Models']]
    collections = {known['Name']: known for file in metafiles for known in file['Collections']}
    assert all((ROOT / known['README']).is_file() for known in collections.values())
    names = [name.lower() for model in models for name in (model['Name'], *model['Alias'])]
    assert len(set(names)) == len(names) >= 10
    for model in models:
        assert Path(model['Config']).stem == model['Name']
        for name in (model['Name'], *model['Alias']):
            assert find_model(name)[0] == ROOT / model['Config']
        assert STDPoseInferencer.can_run(str(ROOT / model['Config']))
        config = read(model['Config'].removeprefix('configs/'))
        assert config.model.type == model['In Collection']


SHORT_NAMES = [
    ['stdpose_base_propagation_posetrack17', 'stdpose_vit_posetrack17'],
    ['stdpose_tiny_propagation_synthetic_appearance_kl', 'stdpose_tiny_synthetic'],
]


@pytest.mark.slow
def test_a_config_has_one_name_and_two_a_short_one():
    """No name means two configs, and no two configs are the same but by a documented short name."""
    files = config_files(ROOT)
    assert len({file.stem.lower() for file in files}) == len(files)
    same = defaultdict(list)
    for file in files:
        same[read(file.relative_to(CONFIGS).as_posix()).pretty_text].append(file.stem)
    assert [stems for stems in same.values() if len(stems) > 1] == SHORT_NAMES
    for model in read_metafiles(ROOT):
        (stems,) = (stems for stems in same.values() if model['Name'] in stems)
        shadowed = {file.stem.lower() for file in files} & {name.lower() for name in model['Names']}
        assert shadowed <= set(stems)


RESULTS = {
    # From research/docs/generated_clips.md and research/docs/semantic_motion.md.
    'stdpose_tiny_estimation_synthetic': {'AP': 33.03, 'PCK@0.1': 69.97},
    'stdpose_tiny_propagation_synthetic_finetune': {'AP': 79.9, 'PCK@0.1': 91.5},
    'stdpose_tiny_propagation_synthetic_appearance': {'PCK@0.1': 88.2},
    'semantic_motion_tiny_estimation_synthetic': {'AP': 34.11, 'PCK@0.1': 70.56},
    'semantic_motion_tiny_propagation_synthetic_appearance': {'PCK@0.1': 87.7},
}


def test_a_listed_model_has_results_of_ours_or_is_not_reproduced():
    for model in read_metafiles(ROOT):
        results = {result['Task']: result['Metrics'] for result in model.get('Results', ())}
        task = 'Pose Propagation' if 'propagation' in model['Name'] else 'Pose Estimation'
        expected = RESULTS.get(model['Name'])
        assert results == ({} if expected is None else {task: expected}), model['Name']
        assert ('Status' in model['Metadata']) == (expected is None)
        assert isinstance(model['Metadata']['Training Data'], list)


def test_an_alias_without_the_word_propagation_names_a_model_for_estimation():
    models = [model for model in read_metafiles(ROOT) if 'propagation' in model['Name']]
    assert len(models) > 5
    # Short names of config files, which name the data.
    of_files = re.compile('stdpose_vit_.*posetrack')
    for model in models:
        plain = [name for name in model['Alias'] if 'propagation' not in name]
        assert not [name for name in plain if not of_files.match(name)]


def test_the_weights_of_the_demo_are_those_of_a_listed_model():
    config, weights = find_model('stdpose-tiny-propagation')
    assert weights == str(ROOT / 'demo' / 'stdpose_tiny.pth')
    model = WindowModel.from_config(config, weights)
    assert model.skeleton.num_keypoints == 17


def test_where_the_package_is_installed(tmp_path, monkeypatch):
    installed = tmp_path / 'stdpose_mm'
    configs = installed / '.mim' / 'configs'
    (configs / 'a').mkdir(parents=True)
    (configs / 'a' / 'once.py').touch()
    monkeypatch.setattr(mmpose_patches, '__file__', str(installed / 'mmpose_patches.py'))
    assert find_model('Once') == (configs / 'a' / 'once.py', None)
    assert find_model('stdpose') is None
    (installed / '.mim' / 'model-index.yml').write_text('Import: [configs/metafile.yml]')
    (configs / 'metafile.yml').write_text(
        'Models: [{Name: b, Alias: [t, u], Config: configs/a/once.py, Weights: w.pth}]'
    )
    for name in ('b', 'U'):
        assert find_model(name) == (configs / 'a' / 'once.py', 'w.pth')


def test_which_configs_are_ours():
    ours = {'model': {'type': 'STDPose'}}
    second = {'model': {'type': 'SemanticMotionPose'}}
    for config in (ours, Config(ours), {'model': {'type': 'mmpose.STDPose'}}, second):
        assert STDPoseInferencer.can_run(config)
    for config in (None, {}, {'model': {'type': 'TopdownPoseEstimator'}}, 'human', 'no_such.py'):
        assert not STDPoseInferencer.can_run(config)
