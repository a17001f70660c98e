"""Colour augmentation of a window."""

from __future__ import annotations

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS

from stdpose_mm.errors import InputError, require_share


@TRANSFORMS.register_module()
class WindowPhotometric(BaseTransform):
    """Random brightness, contrast, saturation and blur, drawn independently for every frame.

    Cheapest after the crop.

    Required and modified keys:

        - img: list of [H, W, 3] uint8 BGR arrays

    Args:
        brightness: Largest shift, as a share of the value range.
        contrast: Largest change of the contrast factor from 1.
        saturation: Largest change of the saturation factor from 1.
        blur_prob: Probability that a frame is blurred.
        blur_sigma: Largest standard deviation of the Gaussian blur in pixels.
        prob: Probability that the colours of a frame are changed at all.
    """

    def __init__(
        self,
        brightness: float = 0.2,
        contrast: float = 0.2,
        saturation: float = 0.2,
        blur_prob: float = 0.0,
        blur_sigma: float = 1.0,
        prob: float = 1.0,
    ) -> None:
        super().__init__()
        require_share(blur_prob=blur_prob, prob=prob, contrast=contrast, saturation=saturation)
        if brightness < 0 or blur_sigma <= 0:
            raise InputError(
                f'brightness must not be negative and blur_sigma must be positive, '
                f'got {brightness} and {blur_sigma}'
            )
        self.brightness = brightness
        self.contrast = contrast
        self.saturation = saturation
        self.blur_prob = blur_prob
        self.blur_sigma = blur_sigma
        self.prob = prob

    def transform(self, results: dict) -> dict:
        """Change the frames in ``results``; the arrays that came in are not written to."""
        results['img'] = [self._frame(image) for image in results['img']]
        return results

    def _frame(self, image: np.ndarray) -> np.ndarray:
        if np.random.rand() < self.prob:
            image = self._colours(image)
        if np.random.rand() < self.blur_prob:
            sigma = np.random.uniform(0, self.blur_sigma) + 1e-3
            image = cv2.GaussianBlur(image, (0, 0), sigma)
        return image

    def _colours(self, image: np.ndarray) -> np.ndarray:
        shift, gain, saturation = np.random.uniform(-1, 1, 3) * (
            255 * self.brightness,
            self.contrast,
            self.saturation,
        )
        values = (np.arange(256) - 127.5) * (1 + gain) + 127.5 + shift
        image = cv2.LUT(image, np.clip(values, 0, 255).round().astype(np.uint8))
        if saturation:
            grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
            image = cv2.addWeighted(image, 1 + saturation, grey, -saturation, 0)
        return image

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(brightness={self.brightness}, contrast={self.contrast}, '
            f'saturation={self.saturation}, blur_prob={self.blur_prob}, '
            f'blur_sigma={self.blur_sigma}, prob={self.prob})'
        )
