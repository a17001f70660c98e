from __future__ import annotations

import numpy as np
from mmpose.codecs import UDPHeatmap
from mmpose.registry import KEYPOINT_CODECS

from stdpose_mm.errors import InputError
from stdpose_mm.registration import register
from stdpose_mm.structures.decode_gaussians import decode_gaussians
from stdpose_mm.structures.draw_gaussians import draw_gaussians


@register(KEYPOINT_CODECS)
class BoundedUDPHeatmap(UDPHeatmap):
    """MMPose's UDPHeatmap with a bounded decoding step and a check of sigma.

    - Decoding: UDPHeatmap takes one Newton step on the blurred map, starting at the maximum of the
      original map. If the two maxima differ (a flat map, two peaks), that step is unbounded and can
      move a joint across the whole picture. Here it starts at the maximum of the blurred map, and a
      step of more than 1.5 heatmap pixels is not taken. The score is still the height of the map.
    - Encoding: UDPHeatmap rounds the corner of a Gaussian's patch towards zero. If 3 sigma is not a
      whole number, this shifts the peak of every joint near the left and top border by one pixel,
      so
      such a sigma is refused.

    Args:
        input_size: Width and height of the crop.
        heatmap_size: Width and height of the heatmaps.
        sigma: Standard deviation of the Gaussians in heatmap pixels.
        blur_kernel_size: As in UDPHeatmap.

    Raises:
        InputError: If 3 sigma is not a whole number.
    """

    def __init__(
        self,
        input_size: tuple[int, int],
        heatmap_size: tuple[int, int],
        sigma: float = 2.0,
        blur_kernel_size: int = 11,
    ) -> None:
        radius = 3 * sigma
        if abs(radius - round(radius)) > 1e-6:
            raise InputError(
                f'sigma={sigma:g} was given, expected 3 * sigma to be a whole number of heatmap '
                f'pixels, give one such as {max(round(radius), 1)}/3'
            )
        super().__init__(input_size, heatmap_size, sigma=sigma, blur_kernel_size=blur_kernel_size)

    def encode(
        self, keypoints: np.ndarray, keypoints_visible: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Encode joints like UDPHeatmap, but all of them at once.

        Args:
            keypoints: [1, K, 2] in pixels of the crop.
            keypoints_visible: [1, K]; all visible if None.

        Returns:
            ``heatmaps`` [K, h, w] and ``keypoint_weights`` [1, K].
        """
        if keypoints_visible is None:
            keypoints_visible = np.ones(keypoints.shape[:2], dtype=np.float32)
        ((points,), (visible,)) = keypoints / self.scale_factor, keypoints_visible
        heatmaps, weights = draw_gaussians(points, visible, self.heatmap_size, self.sigma)
        return dict(heatmaps=heatmaps, keypoint_weights=weights[None])

    def decode(self, encoded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Decode heatmaps.

        Args:
            encoded: Heatmaps [K, h, w].

        Returns:
            Keypoints [1, K, 2] in the coordinates of UDPHeatmap, scores [1, K].
        """
        keypoints, scores = decode_gaussians(encoded, self.blur_kernel_size)
        width, height = self.heatmap_size
        return (keypoints / [width - 1, height - 1] * self.input_size)[None], scores[None]
