"""Changes of the colours of a window's frames."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS

from stdpose_mm.errors import require_ratio
from stdpose_mm.registration import register
from stdpose_mm.structures import key_index

_STRENGTHS = (0.2 * 255, 0.2, 0.2)
"""Largest shift of the brightness, in grey levels, and change of the factors of contrast and
saturation from 1."""

_BLUR_SIGMA = 1.0
"""Largest standard deviation of the blur of a photometric change, in pixels."""

_BLUR_SIGMAS = (2.0, 4.0)
"""Least and largest standard deviation of the blur of a degraded frame, in pixels."""

_COVERED = (0.3, 0.6)
"""Least and largest height and width of what covers it, as shares of the picture's."""


@register(TRANSFORMS)
class WindowPhotometric(BaseTransform):
    """Random brightness, contrast, saturation and blur, drawn independently for every frame.

    It takes the least time after the crop.

    Required and modified keys:

        - img: list of [H, W, 3] uint8 BGR arrays

    Args:
        blur_prob: Probability that a frame is blurred.
        prob: Probability that the colours of a frame are changed at all.
    """

    def __init__(self, blur_prob: float = 0.0, prob: float = 1.0) -> None:
        super().__init__()
        require_ratio(blur_prob=blur_prob, prob=prob)
        self.blur_prob = blur_prob
        self.prob = prob

    def transform(self, results: dict) -> dict:
        """Change the frames in ``results``; the input arrays are not modified."""
        results['img'] = [self._frame(image) for image in results['img']]
        return results

    def _frame(self, image: np.ndarray) -> np.ndarray:
        if np.random.rand() < self.prob:
            image = self._colours(image)
        if np.random.rand() < self.blur_prob:
            sigma = np.random.uniform(0, _BLUR_SIGMA) + 1e-3
            image = cv2.GaussianBlur(image, (0, 0), sigma)
        return image

    def _colours(self, image: np.ndarray) -> np.ndarray:
        shift, gain, saturation = np.random.uniform(-1, 1, 3) * _STRENGTHS
        values = (np.arange(256) - 127.5) * (1 + gain) + 127.5 + shift
        image = cv2.LUT(image, np.clip(values, 0, 255).round().astype(np.uint8))
        grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        return cv2.addWeighted(image, 1 + saturation, grey, -saturation, 0)


@register(TRANSFORMS)
class WindowDegradation(BaseTransform):
    """Transform that blurs a frame or covers a part of it; other frames of the window compensate.

    A degraded frame is blurred in half of the cases; in the other half a rectangle of one colour
    covers a part of it, like a person who passes in front of the camera. In training every frame is
    degraded independently. With ``test_mode`` only the key frame is degraded, and the random draw
    depends only on the sample, so that all models are tested on the same pictures.

    It takes the least time after the crop.

    Required and modified keys:

        - img: list of [H, W, 3] uint8 BGR arrays

    In ``test_mode`` the draw depends on ``id``, the number of the sample. A sample without one, for
    example from an inferencer, is not changed.

    Args:
        prob: Probability that a frame is degraded.
        test_mode: See above.
    """

    def __init__(self, prob: float = 0.5, test_mode: bool = False) -> None:
        super().__init__()
        require_ratio(prob=prob)
        self.prob = prob
        self.test_mode = test_mode

    def transform(self, results: dict) -> dict:
        """Change the frames in ``results``; the input arrays are not modified."""
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
            return cv2.GaussianBlur(image, (0, 0), draws.uniform(*_BLUR_SIGMAS))
        size = np.array(image.shape[:2])
        extent = np.round(draws.uniform(*_COVERED, size=2) * size).astype(int)
        top, left = np.round(draws.uniform(size=2) * (size - extent)).astype(int)
        covered = image.copy()
        covered[top : top + extent[0], left : left + extent[1]] = draws.uniform(0, 255, size=3)
        return covered
