"""Window transforms: geometry against the pictures themselves, given labels, packing."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from mmpose.datasets.datasets.utils import parse_pose_metainfo

from stdpose_mm.datasets.body import PoseTrack18WindowDataset
from stdpose_mm.datasets.transforms import GenerateWindowTarget, LoadWindow, WindowPhotometric
from stdpose_mm.engine.seeding import SampleIndex
from stdpose_mm.errors import InputError, InputWarning
from stdpose_mm.structures import Skeleton
from support.model_samples import codec_cfg
from support.window_results import window_results

CODEC = codec_cfg()
CROP_TO_MAP = np.array([23 / 95, 31 / 127])
NAMES = ('head', 'left_hand', 'right_hand')


@pytest.fixture(autouse=True)
def _scope() -> None:
    init_default_scope('mmpose')


def sample(**changes: Any) -> dict[str, Any]:
    """A window of a 200x150 video with a white dot on every joint of every frame."""
    keypoints = np.array(
        [
            [[80, 40], [60, 70], [100, 80]],
            [[90, 45], [64, 66], [112, 88]],
            [[100, 50], [72, 62], [124, 96]],
        ]
    )
    meta = parse_pose_metainfo(Skeleton(NAMES).to_metainfo('test'))
    fields = {
        'window_position': 0.25,
        'flip_indices': meta['flip_indices'],
        'upper_body_ids': [],
        'lower_body_ids': [],
        'dataset_name': 'test',
        **changes,
    }
    pictures = np.zeros((3, 150, 200, 3), np.uint8)
    return window_results(pictures, keypoints, [50, 30, 130, 110], **fields)


def with_dot(results: dict[str, Any], frame: int, joint: int) -> dict[str, Any]:
    """``results`` with one joint drawn into one of the three pictures."""
    poses = np.stack([results['aux_keypoints'][0], results['keypoints'][0],
                      results['aux_keypoints'][1]])  # fmt: skip
    centre = tuple(int(v) for v in poses[frame, joint])
    cv2.circle(results['img'][frame], centre, 4, (255, 255, 255), -1)
    return results


def steps_of(*augmentations: dict[str, Any], photometric: bool = False, **target: Any) -> list:
    """The steps from a loaded window to its targets; ``target`` goes to the last one."""
    return [
        {'type': 'LoadWindow'},
        {'type': 'GetBBoxCenterScale', 'padding': 1.25},
        *augmentations,
        {'type': 'WindowTopdownAffine', 'input_size': (96, 128), 'use_udp': True},
        *([{'type': 'WindowPhotometric', 'blur_prob': 0.5}] if photometric else []),
        {'type': 'GenerateWindowTarget', 'encoder': CODEC, **target},
    ]


def plain(results: dict[str, Any], **target: Any) -> dict[str, Any]:
    """Through an unaugmented pipeline."""
    return Compose(steps_of(**target))(results)


def augmented(results: dict[str, Any]) -> dict[str, Any]:
    """Flipped for sure, shifted, scaled, rotated."""
    moves = {'shift_factor': 0.1, 'shift_prob': 1.0, 'scale_factor': (0.9, 1.3)}
    turns = {'rotate_factor': 60.0, 'rotate_prob': 1.0}
    steps = steps_of(
        {'type': 'WindowRandomFlip', 'prob': 1.0},
        {'type': 'WindowRandomBBoxTransform', **moves, **turns},
    )
    return Compose(steps)(results)


def dot_in(image: np.ndarray) -> np.ndarray:
    grey = image[..., 0].astype(float)
    assert grey.sum() > 0
    ys, xs = np.mgrid[: grey.shape[0], : grey.shape[1]]
    return np.array([(xs * grey).sum(), (ys * grey).sum()]) / grey.sum()


def peak_of(heatmap: np.ndarray) -> np.ndarray:
    y, x = np.unravel_index(heatmap.argmax(), heatmap.shape)
    assert heatmap[y, x] > 0
    return np.array([x, y])


@pytest.mark.parametrize('seed', range(2))
@pytest.mark.parametrize('frame', range(3))
@pytest.mark.parametrize(('joint', 'mirrored'), [(0, 0), (1, 2), (2, 1)])
def test_labels_and_heatmaps_follow_the_picture(frame, joint, mirrored, seed):
    np.random.seed(seed)
    results = augmented(with_dot(sample(), frame, joint))
    seen = dot_in(results['img'][frame])
    if frame == 1:
        label = results['transformed_keypoints'][0, mirrored]
        heatmap = results['heatmaps'][mirrored]
    else:
        row = {0: 0, 2: 1}[frame]
        label = results['transformed_aux_keypoints'][row, mirrored]
        heatmap = results['aux_heatmaps'][3 * row + mirrored]
        given = results['given_heatmaps'][3 * row + mirrored]
        np.testing.assert_array_equal(given, heatmap)
    np.testing.assert_allclose(label, seen, atol=0.5)
    np.testing.assert_allclose(peak_of(heatmap), seen * CROP_TO_MAP, atol=0.65)


def five_frames(**changes: Any) -> dict[str, Any]:
    """A window of five frames, whose outermost are given, with a white dot on one joint of each."""
    steps = np.arange(-2, 3, dtype=np.float32)[:, None, None]
    keypoints = sample()['keypoints'] + steps * np.float32([6, 4])
    results = sample(
        img=[np.zeros((150, 200, 3), np.uint8) for _ in range(5)],
        keypoints=keypoints[2:3],
        aux_keypoints=keypoints[[0, 1, 3, 4]],
        aux_keypoints_visible=np.ones((4, 3), np.float32),
        frame_indices=(0, 1, 2, 3, 4),
        **changes,
    )
    for picture, pose in zip(results['img'], keypoints, strict=True):
        centre = tuple(int(v) for v in pose[1])
        cv2.circle(picture, centre, 4, (255, 255, 255), -1)
    return results


@pytest.mark.parametrize('seed', range(2))
def test_labels_of_five_frames_follow_their_pictures(seed):
    np.random.seed(seed)
    results = augmented(five_frames())
    seen = [dot_in(picture) for picture in results['img']]
    labels = np.insert(results['transformed_aux_keypoints'], 2, results['transformed_keypoints'], 0)
    np.testing.assert_allclose(labels[:, 2], seen, atol=0.5)
    maps = [*results['aux_heatmaps'].reshape(4, 3, 32, 24)[:, 2]]
    for heatmap, place in zip(maps, [seen[n] for n in (0, 1, 3, 4)], strict=True):
        np.testing.assert_allclose(peak_of(heatmap), place * CROP_TO_MAP, atol=0.65)


def test_labels_of_further_frames_are_targets_only():
    results = plain(five_frames(), test_mode=True)
    given, targets = results['given_heatmaps'], results['aux_heatmaps']
    assert given.shape == (2 * 3, 32, 24)
    np.testing.assert_array_equal(given, np.concatenate([targets[:3], targets[9:]]))
    assert results['given_mask'].shape == (1, 2, 3)
    assert results['aux_keypoint_weights'].tolist() == [np.ones((4, 3)).tolist()]


def test_labels_of_five_frames_weigh_as_their_frames_do():
    weights = np.float32([[0.1], [0.2], [1], [0.3], [0.4]])
    results = plain(five_frames(label_weights=np.repeat(weights, 3, axis=1)))
    np.testing.assert_allclose(results['aux_keypoint_weights'][0, :, 0], [0.1, 0.2, 0.3, 0.4])
    np.testing.assert_allclose(results['keypoint_weights'], np.ones((1, 3)))


def test_crop_is_the_enlarged_box_at_the_crops_aspect_ratio():
    results = plain(sample(bbox=np.array([[60, 30, 120, 110]], np.float32)))
    # 60x80 has the aspect ratio of the crop; enlarged to 75x100 about (90, 70).
    np.testing.assert_allclose(results['input_center'], [90, 70])
    np.testing.assert_allclose(results['input_scale'], [75, 100])
    # (90, 45) is the middle column and a quarter of the way down.
    np.testing.assert_allclose(results['transformed_keypoints'][0, 0], [95 / 2, 127 / 4], atol=1e-4)


def test_prior_is_the_pose_interpolated_at_the_window_position():
    results = plain(sample(), test_mode=True)
    left, right = results['transformed_aux_keypoints']
    for joint in range(3):
        expected = (0.75 * left[joint] + 0.25 * right[joint]) * CROP_TO_MAP
        np.testing.assert_allclose(peak_of(results['prior_heatmaps'][joint]), expected, atol=0.51)


def test_prior_is_empty_where_a_label_is_missing():
    visible = np.array([[1, 0, 1], [1, 1, 1]], np.float32)
    results = plain(sample(aux_keypoints_visible=visible), test_mode=True)
    assert results['prior_heatmaps'].any(axis=(1, 2)).tolist() == [True, False, True]
    assert results['given_mask'][0].tolist() == [[1, 0, 1], [1, 1, 1]]


def test_labels_that_are_not_given_are_targets_only():
    results = plain(sample(aux_given=np.array([True, False])), test_mode=True)
    assert results['given_mask'][0].tolist() == [[1, 1, 1], [0, 0, 0]]
    assert not results['given_heatmaps'][3:].any()
    assert results['aux_heatmaps'][3:].any(axis=(1, 2)).all()
    assert results['aux_keypoint_weights'].tolist() == [[[1, 1, 1], [1, 1, 1]]]
    assert not results['prior_heatmaps'].any()


def test_given_joint_outside_the_crop_has_an_empty_map_that_counts():
    changed = sample()
    changed['aux_keypoints'][0, 1] = [-200, -200]
    results = plain(changed, test_mode=True)
    assert results['given_mask'][0, 0].tolist() == [1, 1, 1]
    assert not results['given_heatmaps'][1].any()
    assert results['aux_keypoint_weights'][0, 0].tolist() == [1, 0, 1]


def test_testing_ignores_the_training_options_and_draws_nothing():
    options = {'aux_label_prob': 0.0, 'label_jitter': 2.0, 'label_dropout': 1.0}
    state = np.random.get_state()[1].copy()
    results = plain(sample(), test_mode=True, **options)
    np.testing.assert_array_equal(np.random.get_state()[1], state)
    np.testing.assert_array_equal(results['given_heatmaps'], results['aux_heatmaps'])
    assert results['given_mask'].all()


def test_labels_are_drawn_per_window():
    np.random.seed(0)
    shown = [plain(sample(), aux_label_prob=0.5)['given_mask'][0, :, 0] for _ in range(60)]
    assert set(np.sum(shown, axis=1).astype(int)) == {0, 2}


def test_dropout_withholds_single_joints():
    np.random.seed(0)
    shown = np.mean([plain(sample(), label_dropout=0.3)['given_mask'] for _ in range(100)])
    assert shown == pytest.approx(0.7, abs=0.06)


def test_jitter_moves_the_given_labels_but_no_target():
    np.random.seed(0)
    exact = plain(sample(), test_mode=True)
    offsets = []
    decoder = GenerateWindowTarget(CODEC).encoder
    for _ in range(60):
        results = plain(sample(), label_jitter=0.5)
        np.testing.assert_array_equal(results['heatmaps'], exact['heatmaps'])
        np.testing.assert_array_equal(results['aux_heatmaps'], exact['aux_heatmaps'])
        moved, _ = decoder.decode(results['given_heatmaps'][:3])
        offsets.append((moved[0] - exact['transformed_aux_keypoints'][0]) * CROP_TO_MAP)
    assert np.std(offsets) == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize(
    ('args', 'message'),
    [
        ({'aux_label_prob': 1.5}, r'aux_label_prob must be in 0\.\.1, got 1\.5'),
        ({'label_jitter': -1}, 'label_jitter must not be negative, got -1'),
        ({'label_dropout': -0.1}, r'label_dropout must be in 0\.\.1'),
    ],
)
def test_wrong_target_options_are_refused(args, message):
    with pytest.raises(ValueError, match=message):
        GenerateWindowTarget(CODEC, **args)


def test_load_window_reads_three_frames_in_order(tiny_set):
    frames = [(str(tiny_set.picture(i)), None) for i in (0, 5, 9)]
    results = LoadWindow()({'frames': frames})
    levels = [float(image.mean()) for image in results['img']]
    np.testing.assert_allclose(levels, [0, 100, 180], atol=2)
    assert results['img_shape'] == (120, 160)


def test_load_window_keeps_pictures_that_are_there():
    given = sample()
    assert LoadWindow()(given)['img'] is given['img']


def test_unreadable_frame_stops_or_is_skipped(tiny_set):
    tiny_set.picture(5).write_bytes(b'not a picture')
    results = {
        'frames': [(str(tiny_set.picture(i)), None) for i in (4, 5, 6)],
        'video_name': 'a',
        'frame_index': 5,
    }
    with pytest.raises(InputError, match=r'000005\.jpg'):
        LoadWindow()(dict(results))
    assert LoadWindow(on_error='skip')(dict(results)) is None


def test_frames_of_different_size_are_refused(tiny_set):
    cv2.imwrite(str(tiny_set.picture(6)), np.zeros((60, 80, 3), np.uint8))
    frames = [(str(tiny_set.picture(i)), None) for i in (4, 5, 6)]
    with pytest.raises(InputError, match=r'000006\.jpg is 80x60 pixels, expected the 160x120 of'):
        LoadWindow()({'frames': frames})


def test_photometric_changes_frames_each_by_itself_and_not_in_place():
    np.random.seed(0)
    grey = np.full((8, 8, 3), 100, np.uint8)
    out = WindowPhotometric()({'img': [grey, grey, grey]})['img']
    levels = [int(image[0, 0, 0]) for image in out]
    assert len(set(levels)) == 3
    assert (grey == 100).all()
    # At most 0.2 of 255 by brightness and 0.2 of the distance to the middle by contrast.
    assert all(abs(level - 100) <= 51 + 6 for level in levels)


def test_photometric_keeps_grey_grey_and_changes_the_saturation_of_colours():
    np.random.seed(0)
    halves = np.full((8, 8, 3), 100, np.uint8)
    halves[:, 4:] = 90, 100, 110
    (changed,) = WindowPhotometric()({'img': [halves]})['img']
    assert np.ptp(changed[:, :4]) == 0
    assert 16 <= np.ptp(changed[0, 4]) <= 29
    assert np.ptp(changed[0, 4]) != 20


FULL = [
    *steps_of(
        {'type': 'WindowRandomFlip'},
        {'type': 'WindowRandomHalfBody'},
        {'type': 'WindowRandomBBoxTransform'},
        photometric=True,
        label_jitter=0.3,
    ),
    {'type': 'PackWindowInputs'},
]


def test_packed_sample_has_the_fields_of_the_model(tiny_set):
    dataset = PoseTrack18WindowDataset(**tiny_set.args, pipeline=FULL)
    packed = dataset[0]
    assert packed['inputs'].shape == (3, 3, 128, 96)
    assert packed['inputs'].dtype == torch.uint8
    data = packed['data_samples']
    assert {name: tuple(value.shape) for name, value in data.gt_fields.items()} == {
        'heatmaps': (17, 32, 24),
        'aux_heatmaps': (34, 32, 24),
        'given_heatmaps': (34, 32, 24),
        'prior_heatmaps': (17, 32, 24),
    }
    assert {name: tuple(value.shape) for name, value in data.gt_instance_labels.items()} == {
        'keypoint_weights': (1, 17),
        'aux_keypoint_weights': (1, 2, 17),
        'given_mask': (1, 2, 17),
    }
    assert all(v.dtype == torch.float32 for v in data.gt_fields.values())
    assert all(v.dtype == torch.float32 for v in data.gt_instance_labels.values())
    assert data.video_name == 'a'
    assert data.frame_indices == (0, 1, 7)
    assert data.window_position == pytest.approx(1 / 7)
    assert {
        'track_id',
        'frame_index',
        'id',
        'img_id',
        'input_center',
        'input_scale',
        'flip_indices',
    } <= set(data.metainfo_keys())


def test_corrupt_frame_is_replaced_by_another_sample_in_training(tiny_set):
    tiny_set.picture(5).write_bytes(b'not a picture')
    steps = [FULL[0] | {'on_error': 'skip'}, *FULL[1:]]
    dataset = PoseTrack18WindowDataset(
        **tiny_set.args, task='estimation', pipeline=steps, max_refetch=50
    )
    seen = [dataset[i]['data_samples'] for i in range(len(dataset))]
    assert not [data for data in seen if data.video_name == 'a' and 5 in data.frame_indices]
    assert [data for data in seen if data.video_name == 'b' and 5 in data.frame_indices]


@pytest.mark.slow
@pytest.mark.parametrize(
    ('task', 'test_mode', 'num_given', 'num_aux'),
    [
        ('propagation', True, 30, 30),
        ('propagation', False, 30, 30),
        ('estimation', True, 0, 0),
        # For held-out losses: every frame has its targets, nothing more is shown.
        ('estimation', False, 0, 30),
    ],
)
def test_targets_of_held_out_windows(tiny_set, task, test_mode, num_given, num_aux):
    pipeline = [*steps_of(test_mode=True), {'type': 'PackWindowInputs'}]
    dataset = PoseTrack18WindowDataset(
        **tiny_set.args, task=task, test_mode=test_mode, pipeline=pipeline
    )
    data = dataset[0]['data_samples']
    # Two of the 17 joints are not labelled.
    assert data.gt_instance_labels.keypoint_weights.sum() == 15
    assert data.gt_instance_labels.given_mask.sum() == num_given
    assert data.gt_fields.given_heatmaps.any(dim=(1, 2)).sum() == num_given
    assert data.gt_instance_labels.aux_keypoint_weights.sum() == num_aux
    assert data.gt_fields.aux_heatmaps.any(dim=(1, 2)).sum() == num_aux


def test_the_picture_for_mmposes_browser_is_the_first_key_frame(tiny_set):
    segments = {'random_offset': True, 'interval': 5, 'keys_per_sample': 2, 'crops': 'frame'}
    steps = [{'type': 'SeedSample'}, *steps_of()]
    whole, drawn = (
        PoseTrack18WindowDataset(
            **tiny_set.args,
            **segments,
            pipeline=[*steps, {'type': 'PackWindowInputs', 'pack_transformed': browsed}],
        )[SampleIndex(0, 1)]
        for browsed in (False, True)
    )
    assert torch.equal(drawn['inputs'], whole['inputs'][1])
    maps = whole['data_samples'].gt_fields.heatmaps[:17]
    assert torch.equal(drawn['data_samples'].gt_fields.heatmaps, maps)
    people = drawn['data_samples'].gt_instances
    assert len(people) == 1
    # The cell of the maps in which a joint is, is where it is in the picture.
    joint = int(maps.flatten(1).amax(1).argmax())
    cell = np.array(divmod(int(maps[joint].argmax()), maps.shape[2]))[::-1]
    scale = 95 / (maps.shape[2] - 1)
    assert np.abs(people.transformed_keypoints[0, joint] - cell * scale).max() < scale


@pytest.mark.parametrize('is_file', [True, False])
def test_a_single_picture_is_a_window_of_one_frame(tiny_set, is_file):
    # What MMPose's inference_topdown gives.
    path = str(tiny_set.picture(3))
    picture = cv2.imread(path)
    given = {'img_path': path} if is_file else {'img': picture}
    with pytest.warns(InputWarning, match='fills all frames'):
        window = LoadWindow()({**given, 'flip_indices': [0, 2, 1]})
    np.testing.assert_array_equal(window['img'], [picture])
    assert window['img_shape'] == picture.shape[:2]
    assert window['keypoints'].shape == (1, 3, 2)
    assert window['aux_keypoints'].shape == (2, 3, 2)
    assert not window['keypoints_visible'].any()
    assert not window['aux_keypoints_visible'].any()
    assert not window['aux_given'].any()
