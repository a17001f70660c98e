"""MMPose's geometric transforms of people in one picture, for the frames of a window."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from mmpose.datasets.transforms import (
    RandomBBoxTransform,
    RandomFlip,
    RandomHalfBody,
    TopdownAffine,
)
from mmpose.registry import TRANSFORMS

from stdpose_mm.errors import InputError
from stdpose_mm.registration import register

OPENCV_AXES = {'horizontal': 1, 'vertical': 0, 'diagonal': -1}

_PAIRS = (('keypoints', 'aux_keypoints'), ('keypoints_visible', 'aux_keypoints_visible'))
_TRANSFORMED = ('transformed_keypoints', 'transformed_aux_keypoints')
_OF_BOXES = ('bbox', 'bbox_score', 'bbox_center', 'bbox_scale', 'bbox_rotation')
_OF_KEY_FRAME = ('input_size', 'input_center', 'input_scale')
_CORNERS = np.array([[[0, 0], [1, 0], [0, 1]]], dtype=np.float64)


def stack_frames(results: dict) -> dict:
    """Arrange all poses in the order of the frames: ``keypoints`` becomes [F, K, 2] and so on.

    Raises:
        InputError: If the sample is a single picture.
    """
    if not isinstance(results['img'], list):
        raise InputError(
            'transforms of windows need the frames of a window, got a single picture, begin the '
            "pipeline with LoadWindow instead of MMPose's LoadImage"
        )
    for key, aux in _PAIRS:
        before, after = np.split(results.pop(aux), 2)
        results[key] = np.concatenate([before, results[key], after])
    return results


def unstack_frames(results: dict, num_keys: int) -> dict:
    """Undo :func:`stack_frames`, also for the transformed keypoints, if any."""
    pairs = _PAIRS + ((_TRANSFORMED,) if _TRANSFORMED[0] in results else ())
    for key, aux in pairs:
        side = (len(results[key]) - num_keys) // 2
        before, results[key], after = np.split(results[key], [side, side + num_keys])
        results[aux] = np.concatenate([before, after])
    return results


@register(TRANSFORMS)
class WindowRandomFlip(RandomFlip):
    """MMPose's RandomFlip for all frames of a window and their labels.

    Left and right joints are swapped in the auxiliary labels and in the weights of all labels, as
    they are in the key frame's labels.

    Required and modified keys: As in RandomFlip, and

        - aux_keypoints: [T - 1, K, 2]
        - aux_keypoints_visible: [T - 1, K]
        - label_weights (optional): [F, K]
    """

    def transform(self, results: dict) -> dict:
        """Flip the frames and labels in ``results``, or do not."""
        num_keys = len(results['keypoints'])
        results = stack_frames(results)
        pictures = results['img']
        # MMPose mirrors by a view with negative strides, which the crop then copies, many times
        # slower than OpenCV's flip.
        results['img'] = []
        results = unstack_frames(super().transform(results), num_keys)
        if results['flip']:
            axis = OPENCV_AXES[results['flip_direction']]
            pictures = [cv2.flip(picture, axis) for picture in pictures]
            # MMPose mirrors diagonally by half a turn, which does not swap left and right.
            if 'label_weights' in results and results['flip_direction'] != 'diagonal':
                weights = results['label_weights']
                results['label_weights'] = weights.take(results['flip_indices'], axis=1)
        results['img'] = pictures
        return results


@register(TRANSFORMS)
class WindowRandomHalfBody(RandomHalfBody):
    """MMPose's RandomHalfBody for all boxes of a window.

    The half body is that of the first key frame. With one box per frame, the boxes of the other
    frames shift by the same share of their size and scale by the same factor, so that a person
    moves between the crops as in the video. MMPose's own transform would keep only the first W
    boxes.
    """

    def transform(self, results: dict) -> dict:
        """Change the boxes in ``results``, or do not.

        Args:
            results: ``bbox_center`` and ``bbox_scale`` [1, 2] or [F, 2], ``keypoints`` [W, K, 2]
                and ``keypoints_visible`` [W, K] of the key frames, and joints of both halves.
        """
        centers, scales = results['bbox_center'], results['bbox_scale']
        if len(centers) == 1:
            return super().transform(results)
        first_key = (len(centers) - len(results['keypoints'])) // 2
        key = slice(first_key, first_key + 1)
        of_key = super().transform(
            {
                **results,
                'bbox_center': centers[key],
                'bbox_scale': scales[key],
                'keypoints': results['keypoints'][:1],
                'keypoints_visible': results['keypoints_visible'][:1],
            }
        )
        shift = (of_key['bbox_center'] - centers[key]) / scales[key]
        results['bbox_center'] = centers + shift * scales
        results['bbox_scale'] = scales * (of_key['bbox_scale'] / scales[key])
        return results


@register(TRANSFORMS)
class WindowRandomBBoxTransform(RandomBBoxTransform):
    """MMPose's RandomBBoxTransform with the same draw for all boxes of a window.

    A shift is a share of each box's size, and scale and angle are the same for all boxes, so that a
    person moves between the crops as in the video.
    """

    def _get_transform_params(self, num_bboxes: int) -> tuple[np.ndarray, ...]:
        params = super()._get_transform_params(1)
        return tuple(np.repeat(values, num_bboxes, axis=0) for values in params)


@register(TRANSFORMS)
class WindowTopdownAffine(TopdownAffine):
    """MMPose's TopdownAffine for the frames of a window and their labels.

    With one box, all frames have the same crop. With one box per frame, each frame is cropped at
    its own box; only the boxes of the key frames are kept.

    Required and modified keys: As in TopdownAffine with F frames and one or F boxes, and

        - keypoints: [W, K, 2] of the key frames, not changed
        - aux_keypoints: [T - 1, K, 2], not changed
        - keypoints_visible: [W, K]
        - aux_keypoints_visible: [T - 1, K]

    Added Keys:

        - input_size, input_center, input_scale: of the first key frame
        - transformed_keypoints: [W, K, 2] in pixels of the crop
        - transformed_aux_keypoints: [T - 1, K, 2] in pixels of the crop
        - crop_warps (with one box per frame): [F, 2, 3] affines from the picture to the crops

    Raises:
        InputError: If an earlier transform removed boxes, or rotated the boxes of a window by
            different angles, like MMPose's transforms for single pictures.
    """

    def transform(self, results: dict) -> dict:
        """Warp the frames in ``results`` and add the labels in crop coordinates."""
        _require_boxes_of_a_window(results)
        num_keys = len(results['keypoints'])
        results = stack_frames(results)
        if len(results['bbox_center']) == 1:
            return unstack_frames(super().transform(results), num_keys)
        return unstack_frames(self._crop_each(results, num_keys), num_keys)

    def _crop_each(self, results: dict, num_keys: int) -> dict:
        """Crop every frame at its own box."""
        crops = [self._crop(results, frame) for frame in range(len(results['img']))]
        results['img'] = [crop['img'][0] for crop in crops]
        points = np.concatenate([crop['transformed_keypoints'] for crop in crops])
        origin, right, down = np.moveaxis(points[:, -3:], 1, 0)
        results['crop_warps'] = np.stack([right - origin, down - origin, origin], axis=-1)
        results['transformed_keypoints'] = points[:, :-3].astype(results['keypoints'].dtype)
        side = (len(crops) - num_keys) // 2
        for name in _OF_KEY_FRAME:
            results[name] = crops[side][name]
        for name in _OF_BOXES:
            if name in results:
                results[name] = results[name][side : side + num_keys]
        return results

    def _crop(self, results: dict, frame: int) -> dict[str, Any]:
        """Crop one frame, with three corners of the picture among its keypoints."""
        of_frame = {name: results[name][frame : frame + 1] for name in _OF_BOXES if name in results}
        pose = results['keypoints'][frame : frame + 1]
        of_frame['keypoints'] = np.concatenate([pose, _CORNERS], axis=1)
        return super().transform({**of_frame, 'img': [results['img'][frame]]})


def _require_boxes_of_a_window(results: dict) -> None:
    expected, number = len(results['bbox']), len(results['bbox_center'])
    if number != expected:
        raise InputError(
            f'a transform before WindowTopdownAffine left {number} of the {expected} boxes of a '
            'window, use WindowRandomHalfBody instead of RandomHalfBody'
        )
    turns = results.get('bbox_rotation', ())
    if len(set(turns)) > 1:
        raise InputError(
            f'a transform before WindowTopdownAffine turned the frames of a window by '
            f'{", ".join(f"{turn:.0f}" for turn in turns)} degrees, use WindowRandomBBoxTransform '
            'instead of RandomBBoxTransform'
        )
