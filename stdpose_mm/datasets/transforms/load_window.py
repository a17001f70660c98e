"""Loading of the pictures of a window."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.logging import MMLogger
from mmpose.registry import TRANSFORMS

from stdpose_mm.constants import ON_ERROR
from stdpose_mm.errors import InputError, note, require_choice
from stdpose_mm.io.video import read_frame
from stdpose_mm.registration import register
from stdpose_mm.structures import NUM_FRAMES, key_index
from stdpose_mm.structures.windows import require_num_frames

from .picture_transforms import refuse_picture_transforms


@register(TRANSFORMS)
class LoadWindow(BaseTransform):
    """Transform that reads the frames of a window, and completes samples of other datasets.

    - A sample of a window dataset has everything but the pictures.
    - A sample with ``frames`` but without ``aux_keypoints``, as from a dataset class of the user's,
      gets auxiliary frames without labels.
    - A labelled picture, as from MMPose's datasets, becomes a window in which all frames show this
      picture with its labels. These are training targets; none is shown as given.
    - A picture without labels, which MMPose's ``inference_topdown`` and ``Pose2DInferencer`` make
      from ``img_path`` or ``img`` [H, W, 3] and the model's metainfo, becomes a window of this
      frame alone, which the model takes for all its frames. A note is shown once.

    Required Keys:

        - frames, or img_path: F of (path, index), index None for a picture; or a picture's path
        - img (optional): F [H, W, 3] uint8 BGR arrays, or one, kept if the caller provides them
        - keypoints (optional): [W, K, 2] of the key frames
        - keypoints_visible (optional): [W, K], or [W, K, 2] as from MMPose's ``KeypointConverter``

    Added Keys:

        - img: F arrays
        - img_shape: (H, W)
        - ori_shape: (H, W)
        - keypoints, keypoints_visible, aux_keypoints, aux_keypoints_visible, aux_given,
          window_position: if they are missing, see :class:`GenerateWindowTarget`

    Args:
        on_error: ``'stop'`` raises an error at an unreadable frame. ``'skip'`` logs it and returns
            None, for which MMEngine draws another training sample; in testing every frame counts,
            and MMEngine stops there, too.
        num_frames: Number T of frames of the window that a labelled picture fills; that of the
            model's neck and of the window datasets.

    Raises:
        InputError: If a frame is missing or corrupt, the frames differ in size, or another
            transform of the dataset's pipeline is for single pictures.
    """

    def __init__(self, on_error: str = 'stop', num_frames: int = NUM_FRAMES) -> None:
        super().__init__()
        require_choice('on_error', on_error, ON_ERROR)
        require_num_frames(num_frames)
        self.on_error = on_error
        self.num_frames = num_frames

    def transform(self, results: dict) -> dict | None:
        """Add the pictures to ``results``; None if a frame is unreadable and may be skipped."""
        is_picture = 'frames' not in results and not isinstance(results.get('img'), list)
        # Datasets of MMPose pass themselves to their pipelines.
        pipeline = getattr(results.get('dataset'), 'pipeline', None)
        refuse_picture_transforms(pipeline, self if is_picture else None)
        if is_picture:
            _fill_window(results, self.num_frames)
        if 'img' not in results:
            try:
                results['img'] = _read(results['frames'])
            except InputError as error:
                if self.on_error == 'stop':
                    raise
                MMLogger.get_current_instance().warning(f'{_name_of(results)} is skipped: {error}')
                return None
        if 'aux_keypoints' not in results and 'flip_indices' in results:
            _add_unlabelled_frames(results)
        results['img_shape'] = results['ori_shape'] = results['img'][0].shape[:2]
        return results


def _fill_window(results: dict, num_frames: int) -> None:
    """Build a window from one picture: of all frames if it is labelled, otherwise of one.

    Raises:
        InputError: If the sample is not of one person in one picture.
    """
    if isinstance(results.get('img_path'), list):
        raise InputError(
            "a sample has several paths in img_path, as from MMPose's PoseTrack18VideoDataset, use "
            'PoseTrack18WindowDataset, or frames in place of img_path'
        )
    if len(results.get('keypoints', [0])) != 1:
        raise InputError(
            f'a picture has {len(results["keypoints"])} people, a window shows one, set '
            "data_mode='topdown' of the dataset"
        )
    if 'keypoints' not in results:
        # Python shows a warning of the same text and place once.
        note(
            'a single picture fills all frames of the window of the model, STDPoseInferencer of '
            'stdpose_mm.apis uses the neighbouring frames of a video'
        )
        num_frames = 1
    if 'img' in results:
        results['img'] = [results['img']] * num_frames
    else:
        results['frames'] = [(results['img_path'], None)] * num_frames
    if 'keypoints' not in results:
        return
    visible = np.asarray(results['keypoints_visible'], np.float32)
    if visible.ndim == 3:
        # KeypointConverter appends weights of a loss of visibility, which models here do not have.
        visible = visible[..., 0]
    # MMPose has coordinates in doubles after some of its transforms.
    keypoints = np.asarray(results['keypoints'], np.float32)
    for name, labels in (('keypoints', keypoints), ('keypoints_visible', visible)):
        results[name] = labels
        results[f'aux_{name}'] = np.repeat(labels, num_frames - 1, axis=0)
    results.update(aux_given=np.array([False, False]), window_position=0.5)


def _add_unlabelled_frames(results: dict) -> None:
    """Add what a window without labels of its auxiliary frames lacks."""
    count = len(results['img'])
    if 'keypoints' not in results:
        num_joints = len(results['flip_indices'])
        results['keypoints'] = np.zeros((1, num_joints, 2), np.float32)
        results['keypoints_visible'] = np.zeros((1, num_joints), np.float32)
    num_keys, num_joints = results['keypoints'].shape[:2]
    # A single frame stands for all.
    num_aux = max(count - num_keys, NUM_FRAMES - 1)
    if count > 1 and (count <= num_keys or num_aux % 2):
        raise InputError(
            f'{_name_of(results)} has {count} frames and {num_keys} poses, expected as many frames '
            'before as after the key frames, each of which has a pose'
        )
    results['aux_keypoints'] = np.zeros((num_aux, num_joints, 2), np.float32)
    results['aux_keypoints_visible'] = np.zeros((num_aux, num_joints), np.float32)
    results['aux_given'] = np.array([False, False])
    positions = (0.5,) * num_keys
    results.setdefault('window_position', positions if num_keys > 1 else 0.5)


def _name_of(results: dict[str, Any]) -> str:
    if 'video_name' in results:
        return f'video {results["video_name"]!r}, window of frame {results["frame_index"]}'
    return f'the window of {results.get("img_path") or "pictures in memory"}'


def _read(frames: list) -> list:
    # At the ends of a video and around labelled frames, a window may contain a frame twice.
    pictures = {frame: read_frame(*frame) for frame in dict.fromkeys(map(tuple, frames))}
    images = [pictures[tuple(frame)] for frame in frames]
    middle = key_index(len(frames))
    key_path, (height, width) = frames[middle][0], images[middle].shape[:2]
    for (path, _), image in zip(frames, images, strict=True):
        if image.shape != images[middle].shape:
            raise InputError(
                f'{path} is {image.shape[1]}x{image.shape[0]} pixels, expected the '
                f'{width}x{height} of {key_path} in the same video'
            )
    return images
