"""Pictures of MMPose's datasets in pipelines of windows: labelled windows that show one picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS, MODELS

from stdpose_mm.datasets.body import PoseTrack18WindowDataset
from stdpose_mm.errors import InputError
from support.tiny_models import CODEC, model_cfg
from support.tiny_set import NUM_FRAMES, pose

METAINFO = PoseTrack18WindowDataset.METAINFO
# The ear, which is the fourth joint, is not labelled.
TO_POSETRACK = [(0, 0), (3, 3), (5, 5), (6, 6), (15, 15)]


@pytest.fixture(autouse=True)
def _scope() -> None:
    init_default_scope('mmpose')


def steps(**load: Any) -> list[dict[str, Any]]:
    return [
        dict(type='LoadWindow', **load),
        dict(type='GetBBoxCenterScale', padding=1.25),
        dict(type='WindowRandomFlip', prob=0.0),
        dict(type='WindowTopdownAffine', input_size=CODEC['input_size'], use_udp=True),
        dict(type='GenerateWindowTarget', encoder=CODEC),
        dict(type='PackWindowInputs'),
    ]


def pictures(root: Path, **changes: Any) -> dict[str, Any]:
    """The first video's labelled pictures, as a dataset of MMPose."""
    return dict(
        type='PoseTrack18Dataset',
        data_root=str(root),
        ann_file='annotations/a.json',
        data_prefix=dict(img=''),
        **changes,
    )


def videos(root: Path, **changes: Any) -> dict[str, Any]:
    return dict(
        type='PoseTrack18WindowDataset',
        data_root=str(root),
        ann_file='annotations/b.json',
        interval=3,
        random_offset=True,
        **changes,
    )


def combined(datasets: list, pipeline: list) -> dict[str, Any]:
    return dict(type='CombinedDataset', metainfo=METAINFO, datasets=datasets, pipeline=pipeline)


def both(root: Path, **load: Any) -> Any:
    return DATASETS.build(combined([videos(root), pictures(root)], steps(**load)))


def heatmaps_of(sample: Any) -> np.ndarray:
    """Targets [3, K, h, w] of a sample in the order of the frames."""
    fields = sample['data_samples'].gt_fields
    before, after = fields.aux_heatmaps.unflatten(0, (2, -1)).numpy()
    return np.stack([before, fields.heatmaps.numpy(), after])


def test_a_labelled_picture_is_the_target_in_all_frames_and_is_not_shown(tiny_set):
    dataset = DATASETS.build(pictures(tiny_set.root, pipeline=steps()))
    sample = dataset[0]
    labels = sample['data_samples'].gt_instance_labels
    # The ears of the set are not labelled.
    expected = np.ones((1, 17), np.float32)
    expected[:, 3:5] = 0
    np.testing.assert_array_equal(labels.keypoint_weights, expected)
    np.testing.assert_array_equal(labels.aux_keypoint_weights[0], np.repeat(expected, 2, 0))
    np.testing.assert_array_equal(
        sample['data_samples'].gt_instances.keypoints[0, 0], pose(0, 0)[0]
    )
    maps = heatmaps_of(sample)
    assert (maps[1, expected[0] > 0].max((-2, -1)) > 0.5).all()
    np.testing.assert_array_equal(maps, maps[[1, 1, 1]])
    assert not labels.given_mask.any()
    assert sample['inputs'].shape == (3, 3, 64, 48)


@pytest.mark.parametrize('num_frames', [3, 5])
def test_a_picture_fills_the_frames_of_the_window(tiny_set, num_frames):
    dataset = DATASETS.build(pictures(tiny_set.root, pipeline=steps(num_frames=num_frames)))
    assert dataset[0]['inputs'].shape == (num_frames, 3, 64, 48)


def test_joints_that_mmpose_converts_have_labels_where_they_have_a_source(tiny_set):
    convert = dict(type='KeypointConverter', num_keypoints=17, mapping=TO_POSETRACK)
    part = pictures(tiny_set.root, pipeline=[convert])
    dataset = DATASETS.build(combined([part], steps()))
    labelled = np.flatnonzero(dataset[0]['data_samples'].gt_instance_labels.keypoint_weights[0])
    np.testing.assert_array_equal(labelled, [0, 5, 6, 15])


def test_videos_and_pictures_train_a_model_with_a_neck_in_one_batch(tiny_set):
    dataset = both(tiny_set.root)
    batch = pseudo_collate([dataset[0], dataset[len(dataset) - 1]])
    model = MODELS.build(model_cfg(17, frame_head_loss_weight=1.0))
    losses = model(**model.data_preprocessor(batch, True), mode='loss')
    alone = pseudo_collate([dataset[len(dataset) - 1]])
    of_picture = model(**model.data_preprocessor(alone, True), mode='loss')
    for name in ('loss_kpt', 'loss_frame_kpt'):
        assert losses[name] > 0
        assert of_picture[name] > 0


def test_a_batch_of_different_numbers_of_frames_is_refused(tiny_set):
    dataset = both(tiny_set.root, num_frames=5)
    batch = pseudo_collate([dataset[0], dataset[len(dataset) - 1]])
    model = MODELS.build(model_cfg(17))
    with pytest.raises(
        InputError, match=r'\(3, 3, 64, 48\), \(5, 3, 64, 48\).*num_frames of LoadW'
    ):
        model.data_preprocessor(batch, True)


def with_frames(results: dict[str, Any], count: int) -> dict[str, Any]:
    """What a dataset of a user's own adds to a sample of a picture."""
    root = Path(results['img_path']).parent
    return {**results, 'frames': [(str(root / f'{n:06d}.jpg'), None) for n in range(count)]}


def test_a_dataset_of_mmpose_may_name_the_frames_of_its_windows(tiny_set):
    picture = DATASETS.build(pictures(tiny_set.root))[0]
    packed = Compose(steps())(with_frames(picture, 3))
    labels = packed['data_samples'].gt_instance_labels
    assert labels.keypoint_weights.sum() == 15
    assert not labels.aux_keypoint_weights.any()
    assert not labels.given_mask.any()
    # The pictures of the set are of one grey level each, 20 more in each frame.
    np.testing.assert_allclose(packed['inputs'].float().amax((1, 2, 3)), [0, 20, 40], atol=1)


def test_frames_without_a_middle_are_refused(tiny_set):
    picture = DATASETS.build(pictures(tiny_set.root))[0]
    assert NUM_FRAMES > 4
    with pytest.raises(
        InputError, match='has 4 frames and 1 poses, expected as many frames before'
    ):
        Compose(steps())(with_frames(picture, 4))


def test_several_people_in_a_sample_are_refused(tiny_set):
    dataset = DATASETS.build(pictures(tiny_set.root, data_mode='bottomup'))
    with pytest.raises(InputError, match=r"has 2 people, a window shows one, set data_mode='topd"):
        Compose(steps())(dataset[0])


def test_several_paths_in_a_sample_are_refused(tiny_set):
    picture = DATASETS.build(pictures(tiny_set.root))[0]
    with pytest.raises(InputError, match=r'several paths in img_path.* PoseTrack18WindowDataset'):
        Compose(steps())({**picture, 'img_path': [picture['img_path']] * 3})
