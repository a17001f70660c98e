"""Degradation of frames by blur or occlusion."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS

from stdpose_mm.errors import InputError, require_share
from stdpose_mm.structures import key_index


@TRANSFORMS.register_module()
class WindowDegradation(BaseTransform):
    """Blur a frame or cover a part of it; the other frames of the window can compensate for it.

    In half of the cases a degraded frame is blurred; in the other half a rectangle of one colour
    covers a part of it, like a person who passes before the camera. In training every frame is
    degraded independently. With ``test_mode`` only the key frame is degraded, and the random draw
    depends on the sample only, so that all models are tested on the same pictures.

    Cheapest after the crop.

    Required and modified keys:

        - img: list of [H, W, 3] uint8 BGR arrays

    In ``test_mode`` the draw depends on ``id``, the number of the sample; a sample without one, as
    those of an inferencer, passes unchanged.

    Args:
        prob: Probability that a frame is degraded.
        blur_sigma: Smallest and largest standard deviation of the Gaussian blur, in pixels.
        cover: Smallest and largest height and width of the rectangle, as shares of the picture's.
        test_mode: See above.
    """

    def __init__(
        self,
        prob: float = 0.5,
        blur_sigma: tuple[float, float] = (2.0, 4.0),
        cover: tuple[float, float] = (0.3, 0.6),
        test_mode: bool = False,
    ) -> None:
        super().__init__()
        require_share(prob=prob)
        if not 0 < blur_sigma[0] <= blur_sigma[1]:
            raise InputError(f'blur_sigma must be positive and ascend, got {blur_sigma}')
        if not 0 < cover[0] <= cover[1] <= 1:
            raise InputError(f'cover must ascend within 0..1, got {cover}')
        self.prob = prob
        self.blur_sigma = blur_sigma
        self.cover = cover
        self.test_mode = test_mode

    def transform(self, results: dict) -> dict:
        """Change the frames in ``results``; the arrays that came in are not written to."""
        if self.prob == 0 or (self.test_mode and 'id' not in results):
            return results
        frames = list(results['img'])
        chosen = [key_index(len(frames))] if self.test_mode else range(len(frames))
        draws: Any = np.random.default_rng(results['id']) if self.test_mode else np.random
        for index in chosen:
            if draws.uniform() < self.prob:
                frames[index] = self._degrade(frames[index], draws)
        results['img'] = frames
        return results

    def _degrade(self, image: np.ndarray, draws: Any) -> np.ndarray:
        if draws.uniform() < 0.5:
            return cv2.GaussianBlur(image, (0, 0), draws.uniform(*self.blur_sigma))
        size = np.array(image.shape[:2])
        extent = np.round(draws.uniform(*self.cover, size=2) * size).astype(int)
        top, left = np.round(draws.uniform(size=2) * (size - extent)).astype(int)
        covered = image.copy()
        covered[top : top + extent[0], left : left + extent[1]] = draws.uniform(0, 255, size=3)
        return covered

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(prob={self.prob}, blur_sigma={self.blur_sigma}, '
            f'cover={self.cover}, test_mode={self.test_mode})'
        )
