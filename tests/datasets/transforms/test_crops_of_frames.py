"""Windows whose frames are cropped each at its own box."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmengine.registry import init_default_scope

from stdpose_mm.datasets.transforms import (
    GenerateWindowTarget,
    WindowRandomBBoxTransform,
    WindowRandomHalfBody,
    WindowTopdownAffine,
)
from stdpose_mm.datasets.transforms.generate_window_target import labels_in_key_crops
from stdpose_mm.errors import InputError
from support.model_samples import codec_cfg
from support.window_results import window_results

SIZE = (96, 128)
CODEC = codec_cfg()
CENTRES = np.array([[60, 60], [80, 70], [110, 70], [120, 90]], np.float32)
SCALES = np.array([[48, 64], [60, 80], [60, 80], [48, 64]], np.float32)


@pytest.fixture(autouse=True)
def _scope() -> None:
    init_default_scope('mmpose')
    np.random.seed(0)


def segment(**changes: Any) -> dict[str, Any]:
    """Four frames, two of them key frames, of a person with a white dot at each box's centre."""
    pictures = [np.zeros((150, 200, 3), np.uint8) for _ in CENTRES]
    for picture, centre in zip(pictures, CENTRES, strict=True):
        cv2.circle(picture, tuple(centre.astype(int).tolist()), 3, (255, 255, 255), -1)
    poses = np.repeat(CENTRES[:, None], 2, axis=1)
    fields = {
        'bbox': np.concatenate([CENTRES - SCALES / 2, CENTRES + SCALES / 2], axis=1),
        'bbox_score': np.array([1, 0.5, 0.6, 1], np.float32),
        'bbox_center': CENTRES.copy(),
        'bbox_scale': SCALES.copy(),
        'keypoints': poses[1:3],
        'keypoints_visible': np.ones((2, 2), np.float32),
        'window_position': (0.25, 0.5),
    }
    # Of the auxiliary frames there are two, whatever the number of key frames.
    return window_results(pictures, poses[[0, 1, 3]], CENTRES[0], **fields) | {
        'img': pictures,
        **changes,
    }


def crop(results: dict[str, Any]) -> dict[str, Any]:
    return WindowTopdownAffine(input_size=SIZE, use_udp=True).transform(results)


def test_every_frame_is_cropped_around_its_own_box():
    results = crop(segment())
    for picture in results['img']:
        rows, columns = np.nonzero(picture[..., 0] > 128)
        np.testing.assert_allclose([columns.mean(), rows.mean()], [47.5, 63.5], atol=0.6)


def test_labels_move_with_the_crops_of_their_frames():
    results = crop(segment())
    middle = np.full((2, 2, 2), [47.5, 63.5])
    np.testing.assert_allclose(results['transformed_keypoints'], middle, rtol=1e-5)
    np.testing.assert_allclose(results['transformed_aux_keypoints'], middle, rtol=1e-5)


def test_boxes_of_the_key_frames_remain():
    results = crop(segment())
    np.testing.assert_array_equal(results['bbox_score'], np.float32([0.5, 0.6]))
    np.testing.assert_array_equal(results['bbox'], segment()['bbox'][1:3])
    np.testing.assert_array_equal(results['input_center'], CENTRES[1])


def test_warps_take_the_picture_to_the_crops():
    warps = crop(segment(bbox_rotation=np.full(4, 20.0)))['crop_warps']
    centres = np.einsum('fij,fj->fi', warps[..., :2], CENTRES) + warps[..., 2]
    np.testing.assert_allclose(centres, np.full((4, 2), [47.5, 63.5]), atol=1e-3)


def test_one_box_for_all_frames_equals_that_box_for_each():
    same = {'bbox_center': CENTRES[[1] * 4], 'bbox_scale': SCALES[[1] * 4]}
    each = crop(segment(**same))
    one = {name: values[1:2] for name, values in (segment() | same).items() if 'bbox' in name}
    together = crop(segment(**one))
    np.testing.assert_array_equal(np.stack(each['img']), np.stack(together['img']))
    np.testing.assert_allclose(
        each['transformed_aux_keypoints'], together['transformed_aux_keypoints'], atol=1e-4
    )


def test_prior_is_interpolated_in_the_picture():
    # In the picture the person is at 60, 75, 90 and 120 of x; in each crop at its middle.
    results = GenerateWindowTarget(encoder=CODEC, test_mode=True).transform(crop(segment()))
    priors = results['prior_heatmaps'].reshape(2, 2, 32, 24)
    scale = np.array([23 / 95, 31 / 127])
    for index, position in enumerate((0.25, 0.5)):
        in_picture = (1 - position) * CENTRES[0] + position * CENTRES[3]
        key = 1 + index
        zoom = np.array([95, 127]) / SCALES[key]
        expected = ((in_picture - CENTRES[key]) * zoom + [47.5, 63.5]) * scale
        row, column = np.unravel_index(priors[index, 0].argmax(), (32, 24))
        np.testing.assert_allclose([column, row], expected, atol=0.51)


def test_auxiliary_weights_and_masks_are_the_same_for_every_key_frame():
    results = GenerateWindowTarget(encoder=CODEC, test_mode=True).transform(crop(segment()))
    assert results['heatmaps'].shape == (4, 32, 24)
    assert results['keypoint_weights'].shape == (2, 2)
    assert results['aux_keypoint_weights'].shape == results['given_mask'].shape == (2, 2, 2)
    assert results['given_mask'].all()


@given(st.lists(st.floats(-3, 3), min_size=4, max_size=4), st.floats(-60, 60), st.floats(0.2, 3))
def test_label_goes_through_the_picture_into_the_key_crop(joints, shift, zoom):
    labels = np.reshape(joints, (2, 1, 2))
    angle = 0.7
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    warps = np.stack(
        [
            np.column_stack([linear, offset])
            for linear, offset in (
                (turn * zoom, [shift, 1]),
                (np.eye(2) * 2, [5, 7]),
                (turn.T, [0, shift]),
            )
        ]
    )
    moved = labels_in_key_crops(labels, 1, warps)
    for side, frame in enumerate((0, 2)):
        picture = np.linalg.solve(warps[frame, :, :2], labels[side, 0] - warps[frame, :, 2])
        np.testing.assert_allclose(moved[side, 0, 0], picture * 2 + [5, 7], atol=1e-6)


def test_random_box_change_is_the_same_for_all_frames():
    transform = WindowRandomBBoxTransform(shift_prob=1.0, rotate_prob=1.0, scale_prob=1.0)
    changed = transform.transform(segment())
    shifts = (changed['bbox_center'] - CENTRES) / SCALES
    assert np.ptp(shifts, axis=0).max() < 1e-6
    assert np.ptp(changed['bbox_scale'] / SCALES) < 1e-6
    assert np.ptp(changed['bbox_rotation']) == 0
    assert abs(shifts).min() > 0


def test_half_of_the_body_is_the_same_in_all_frames():
    joints = np.float32([[70, 60], [90, 60], [70, 70], [90, 70], [70, 90], [90, 90]])
    halves = {'upper_body_ids': [0, 1, 2, 3], 'lower_body_ids': [4, 5]}
    transform = WindowRandomHalfBody(
        min_total_keypoints=6, min_upper_keypoints=4, min_lower_keypoints=4, padding=2, prob=1.0
    )
    changed = transform.transform(
        segment(keypoints=np.stack([joints, joints + 9]), keypoints_visible=np.ones((2, 6)))
        | halves
    )
    # The upper half of the first key frame is 20x10 at (80, 65), the box there 60x80 at (80, 70).
    np.testing.assert_allclose((changed['bbox_center'] - CENTRES) / SCALES, [[0, -5 / 80]] * 4)
    np.testing.assert_allclose(changed['bbox_scale'] / SCALES, [[40 / 60, 20 / 80]] * 4)


def test_transforms_of_single_pictures_are_refused():
    with pytest.raises(InputError, match=r'left 2 of the 4 boxes .* use WindowRandomHalfBody'):
        crop(segment(bbox_center=CENTRES[:2], bbox_scale=SCALES[:2]))
    with pytest.raises(InputError, match='by 5, 5, 9, 5 degrees, use WindowRandomBBoxTransform'):
        crop(segment(bbox_rotation=np.array([5.0, 5, 9, 5])))
