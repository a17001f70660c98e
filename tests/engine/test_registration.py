"""Names in MMPose's registries: ours say whose they are, and a user's class precedes an alias."""

from __future__ import annotations

import pytest
from mmpose import registry

from stdpose_mm.registration import DISTINCT
from support.paths import ROOT
from support.warm_commands import run_before_openmmlab

REGISTRIES = [
    *('DATASETS', 'DATA_SAMPLERS', 'HOOKS', 'INFERENCERS', 'KEYPOINT_CODECS', 'METRICS', 'MODELS'),
    *('OPTIM_WRAPPERS', 'OPTIM_WRAPPER_CONSTRUCTORS', 'TRANSFORMS'),
]


@pytest.mark.parametrize('name', REGISTRIES)
def test_names_in_mmposes_registries_say_whose_they_are(name):
    classes = getattr(registry, name)
    classes.get('anything')
    names = [
        key
        for key, kind in classes.module_dict.items()
        if kind.__module__.startswith('stdpose_mm.')
    ]
    assert names
    assert not [key for key in names if not any(part in key for part in DISTINCT)]


@pytest.mark.parametrize(
    ('name', 'key'),
    [
        ('MODELS', 'ViT'),
        ('MODELS', 'STRE'),
        ('METRICS', 'PoseTrackMetric'),
        ('HOOKS', 'RandomStateHook'),
        ('TRANSFORMS', 'SeedSample'),
    ],
)
def test_names_of_earlier_versions_mean_the_same_classes(name, key):
    classes = getattr(registry, name)
    assert classes.get(key) is classes.get(f'STDPose{key}') is not None


USERS_CLASS = """
import stdpose_mm
from mmengine.registry import init_default_scope
from mmpose.registry import MODELS
init_default_scope('mmpose')
{before}

@MODELS.register_module()
class ViT:
    pass

{after}
loss = MODELS.build(dict(type='KeypointMSELoss'))
ours = MODELS.get('STDPoseViT')
print('RESULT', MODELS.get('ViT') is ViT, type(loss).__name__, ours.__module__)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ('before', 'after'),
    [('', "MODELS.get('STDPose')"), ("MODELS.get('STDPose')", '')],
    ids=['before ours', 'after ours'],
)
def test_a_class_of_the_users_with_the_name_of_ours_is_his(before, after):
    printed = run_before_openmmlab(USERS_CLASS.format(before=before, after=after), cwd=ROOT).stdout
    (line,) = (line for line in printed.splitlines() if line.startswith('RESULT'))
    assert line == 'RESULT True KeypointMSELoss stdpose_mm.models.backbones.vit'
