"""Every codec of MMPose as the encoder of windows: it encodes heatmaps, or is refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from mmengine.registry import init_default_scope
from mmpose.registry import KEYPOINT_CODECS

from stdpose_mm.datasets.transforms import GenerateWindowTarget
from stdpose_mm.errors import InputError
from support.tiny_models import CODEC

SIZES = {name: CODEC[name] for name in ('input_size', 'heatmap_size')}
HEATMAPS: dict[str, dict[str, Any]] = {
    'BoundedUDPHeatmap': dict(**SIZES, sigma=1),
    'MSRAHeatmap': dict(**SIZES, sigma=1),
    'MegviiHeatmap': dict(**SIZES, kernel_size=5),
    'UDPHeatmap': dict(**SIZES, sigma=1),
}
REFUSED: dict[str, dict[str, Any]] = {
    'AssociativeEmbedding': dict(**SIZES),
    'DecoupledHeatmap': dict(**SIZES),
    'EDPoseLabel': {},
    'Hand3DHeatmap': {},
    'ImagePoseLifting': dict(num_keypoints=3, root_index=0),
    'IntegralRegressionLabel': dict(**SIZES, sigma=1),
    'MotionBERTLabel': dict(num_keypoints=3),
    'RegressionLabel': dict(input_size=SIZES['input_size']),
    'SPR': dict(**SIZES),
    'SimCCLabel': dict(input_size=SIZES['input_size']),
    'VideoPoseLifting': dict(num_keypoints=3),
    'YOLOXPoseAnnotationProcessor': {},
}


@pytest.fixture(autouse=True)
def _scope() -> None:
    init_default_scope('mmpose')


def test_every_registered_codec_has_an_answer():
    KEYPOINT_CODECS.get('UDPHeatmap')
    assert {*KEYPOINT_CODECS.module_dict} == {*HEATMAPS, *REFUSED}


@pytest.mark.parametrize('name', HEATMAPS)
def test_codecs_of_heatmaps_are_taken(name):
    GenerateWindowTarget(dict(type=name, **HEATMAPS[name]))


@pytest.mark.parametrize('name', REFUSED)
def test_other_codecs_are_refused_by_name(name):
    with pytest.raises(InputError, match=f'per joint, which {name} with these .* use BoundedUDPHe'):
        GenerateWindowTarget(dict(type=name, **REFUSED[name]))


def test_maps_with_offsets_are_refused():
    encoder = dict(type='UDPHeatmap', **SIZES, sigma=1, heatmap_type='combined')
    with pytest.raises(InputError, match='per joint, which UDPHeatmap with these settings does no'):
        GenerateWindowTarget(encoder)
