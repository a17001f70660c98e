"""Every transform of MMPose and MMCV in a pipeline of windows: right, or refused by name."""

from __future__ import annotations

from typing import Any

import mmcv.transforms
import numpy as np
import pytest
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from mmpose.datasets import transforms as mmpose_transforms
from mmpose.registry import DATASETS, TRANSFORMS

from stdpose_mm.datasets.body import PoseTrack18WindowDataset
from stdpose_mm.datasets.transforms.picture_transforms import REPLACEMENTS
from stdpose_mm.errors import InputError
from support.tiny_models import CODEC, PIPELINE
from support.tiny_set import TinySet

MOVES = dict(shift_factor=0.1, shift_prob=1.0, scale_factor=(0.7, 1.3), rotate_prob=1.0)
HALF = dict(min_total_keypoints=2, min_upper_keypoints=1, min_lower_keypoints=1, prob=1.0)
AS_THEY_ARE: dict[str, dict[str, Any]] = {'RandomBBoxTransform': MOVES, 'RandomHalfBody': HALF}
"""Transform that is right where all frames have one crop -> settings that change every sample."""

IN_EVERY_PIPELINE = {'GetBBoxCenterScale'}
APPLY_OTHERS = {'Compose', 'KeyMapper', 'RandomApply', 'RandomChoice', 'TransformBroadcaster'}


@pytest.fixture(autouse=True)
def _scope() -> None:
    init_default_scope('mmpose')


def dataset(tiny_set: TinySet, pipeline: list, **changes: Any) -> Any:
    settings = dict(type='PoseTrack18WindowDataset', interval=3, random_offset=False)
    return DATASETS.build({**settings, **tiny_set.args, **changes, 'pipeline': pipeline})


def steps_with(*steps: Any) -> list:
    """The steps to the targets, with others between box and crop."""
    load, box, crop, target, _ = PIPELINE
    return [load, box, *steps, crop, target]


def test_every_transform_of_mmpose_and_mmcv_has_an_answer():
    TRANSFORMS.get('LoadImage')
    registered = {
        name
        for registry in (TRANSFORMS, TRANSFORMS.parent)
        for name, kind in registry.module_dict.items()
        if kind.__module__.startswith(('mmpose.', 'mmcv.'))
    }
    assert len(registered) > 30
    assert registered == {*REPLACEMENTS, *AS_THEY_ARE, *IN_EVERY_PIPELINE, *APPLY_OTHERS}


def class_of(name: str) -> type:
    return getattr(mmpose_transforms, name, None) or getattr(mmcv.transforms, name)


@pytest.mark.parametrize('name', REPLACEMENTS)
def test_what_knows_one_picture_only_is_refused_by_name(tiny_set, name):
    kind = class_of(name)
    # Some need settings or packages to be built.
    transform = kind.__new__(kind)
    with pytest.raises(InputError) as error:
        dataset(tiny_set, steps_with(transform))
    assert str(error.value) == (
        f'the transform {name} is for single pictures and would change only a part of a window of '
        f'frames, use {REPLACEMENTS[name]}'
    )


@pytest.mark.parametrize(
    'wrap',
    [
        lambda step: dict(type='RandomApply', transforms=[step], prob=0.0),
        lambda step: dict(type='RandomChoice', transforms=[[step], []], prob=[0.0, 1.0]),
        lambda step: dict(type='KeyMapper', transforms=[step], mapping=dict(img='img')),
    ],
    ids=['RandomApply', 'RandomChoice', 'KeyMapper'],
)
def test_it_is_refused_inside_of_other_transforms(tiny_set, wrap):
    with pytest.raises(InputError, match=r'the transform RandomFlip is .* use WindowRandomFlip'):
        dataset(tiny_set, steps_with(wrap(dict(type='RandomFlip', prob=1.0))))


def test_it_is_refused_in_the_pipeline_of_combined_datasets(tiny_set):
    combined = DATASETS.build(
        dict(
            type='CombinedDataset',
            metainfo=PoseTrack18WindowDataset.METAINFO,
            datasets=[dict(type='PoseTrack18WindowDataset', **tiny_set.args)],
            pipeline=steps_with(dict(type='RandomFlip', prob=0.0)),
        )
    )
    with pytest.raises(InputError, match=r'the transform RandomFlip is .* use WindowRandomFlip'):
        combined[0]


def test_frames_that_were_loaded_as_one_picture_are_refused(tiny_set):
    combined = DATASETS.build(
        dict(
            type='CombinedDataset',
            metainfo=PoseTrack18WindowDataset.METAINFO,
            datasets=[dict(type='PoseTrack18WindowDataset', **tiny_set.args)],
            pipeline=[dict(type='LoadImage'), *steps_with(dict(type='WindowRandomFlip'))[1:]],
        )
    )
    with pytest.raises(InputError, match="begin the pipeline with LoadWindow instead of MMPose's"):
        combined[0]


@pytest.mark.parametrize('name', AS_THEY_ARE)
def test_what_moves_the_box_of_all_frames_is_right(tiny_set, name):
    results = []
    for prefix in ('', 'Window'):
        np.random.seed(0)
        step = dict(type=prefix + name, **AS_THEY_ARE[name])
        results.append(dataset(tiny_set, steps_with(step))[0])
    plain = dataset(tiny_set, steps_with())[0]
    for key in ('heatmaps', 'aux_heatmaps', 'given_heatmaps'):
        np.testing.assert_array_equal(results[0][key], results[1][key])
        assert np.abs(results[0][key] - plain[key]).max() > 0.1


@pytest.mark.parametrize('name', ['RandomBBoxTransform', 'RandomHalfBody'])
def test_what_moves_the_box_of_one_frame_is_refused_by_name(tiny_set, name):
    np.random.seed(0)
    step = dict(type=name, **AS_THEY_ARE[name])
    with pytest.raises(InputError, match=f'use Window{name} instead of {name}'):
        dataset(tiny_set, steps_with(step), crops='frame', boxes='gt')[0]


@pytest.mark.parametrize('name', ['PhotometricDistortion', 'YOLOXHSVRandomAug'])
def test_colours_are_changed_frame_by_frame_in_a_broadcaster(tiny_set, name):
    np.random.seed(1)
    broadcaster = dict(
        type='TransformBroadcaster',
        transforms=[dict(type=name)],
        mapping=dict(img='img'),
        auto_remap=True,
    )
    plain, changed = (dataset(tiny_set, steps_with(*steps))[5] for steps in ((), (broadcaster,)))
    assert [image.shape for image in changed['img']] == [image.shape for image in plain['img']]
    different = [(a != b).any() for a, b in zip(plain['img'], changed['img'], strict=True)]
    assert any(different)
    np.testing.assert_array_equal(plain['heatmaps'], changed['heatmaps'])


def test_a_transform_of_the_users_own_may_extend_one_for_pictures(tiny_set):
    class MyFlip(mmpose_transforms.RandomFlip):
        def transform(self, results: dict) -> dict:
            return {**results, 'is_mine': True}

    assert dataset(tiny_set, steps_with(MyFlip()))[0]['is_mine']


def test_what_changes_a_picture_before_it_fills_a_window_is_left_alone():
    picture = dict(
        img=np.zeros((80, 60, 3), np.uint8),
        img_path=None,
        bbox=np.array([[10, 10, 50, 70]], np.float32),
        bbox_score=np.ones(1, np.float32),
        keypoints=np.full((1, 17, 2), 30, np.float32),
        keypoints_visible=np.ones((1, 17), np.float32),
        flip_indices=[*range(17)],
    )
    steps = [dict(type='LoadImage'), dict(type='RandomFlip', prob=1.0), *steps_with()]
    pipeline = Compose(steps)
    holder = type('Pictures', (), {'pipeline': pipeline})()
    results = pipeline({**picture, 'dataset': holder})
    # 60 pixels wide: 30 becomes 29 in all frames.
    assert results['keypoints'][0, 0, 0] == results['aux_keypoints'][1, 0, 0] == 29
    assert len(results['heatmaps']) == 17
    assert CODEC['heatmap_size'] == (12, 16)
