"""Loading of the pictures of a window."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.logging import MMLogger
from mmpose.registry import TRANSFORMS

from stdpose_mm.constants import ON_ERROR
from stdpose_mm.errors import InputError, note, require_choice
from stdpose_mm.io.video import read_frame
from stdpose_mm.structures import NUM_FRAMES, key_index


@TRANSFORMS.register_module()
class LoadWindow(BaseTransform):
    """Transform that reads the frames of a window.

    A sample of one picture, which MMPose's ``inference_topdown`` makes from ``img_path`` or ``img``
    [H, W, 3] and the model's metainfo, becomes a window without labels of this frame alone. The
    model takes it for all its frames. A note is shown once.

    Required Keys:

        - frames: F of (path, index), index None for a picture
        - img (optional): F [H, W, 3] uint8 BGR arrays, kept if the caller provides them

    Added Keys:

        - img
        - img_shape: (H, W)
        - ori_shape: (H, W)

    Args:
        on_error: ``'stop'`` raises an error at an unreadable frame. ``'skip'`` logs it and returns
            None, for which MMEngine draws another training sample; in testing every frame counts,
            and MMEngine stops there, too.

    Raises:
        InputError: If a frame is missing or corrupt, or the frames differ in size.
    """

    def __init__(self, on_error: str = 'stop') -> None:
        super().__init__()
        require_choice('on_error', on_error, ON_ERROR)
        self.on_error = on_error

    def transform(self, results: dict) -> dict | None:
        """Add the pictures to ``results``; None if a frame is unreadable and may be skipped."""
        if 'frames' not in results and not isinstance(results.get('img'), list):
            _as_window(results)
        if 'img' not in results:
            try:
                results['img'] = _read(results['frames'])
            except InputError as error:
                if self.on_error == 'stop':
                    raise
                MMLogger.get_current_instance().warning(
                    f'video {results["video_name"]!r}, window of frame {results["frame_index"]} '
                    f'is skipped: {error}'
                )
                return None
        results['img_shape'] = results['ori_shape'] = results['img'][0].shape[:2]
        return results


def _as_window(results: dict) -> None:
    """Build a window without labels from one picture."""
    # Python shows a warning of the same text and place once.
    note(
        'a single picture fills all frames of the window of the model, STDPoseInferencer of '
        'stdpose_mm.apis uses the neighbouring frames of a video'
    )
    if 'img' not in results:
        results['img'] = read_frame(results['img_path'], None)
    results['img'] = [results['img']]
    num_joints = len(results['flip_indices'])
    for name, count in (('keypoints', 1), ('aux_keypoints', NUM_FRAMES - 1)):
        results[name] = np.zeros((count, num_joints, 2), np.float32)
        results[f'{name}_visible'] = np.zeros((count, num_joints), np.float32)
    results.update(aux_given=np.array([False, False]), window_position=0.5)


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
