"""Crops of people, as top-down pose networks see them."""

from __future__ import annotations

import numpy as np


def crop_affine(
    box: np.ndarray, input_size: tuple[int, int], padding: float, geometry: str
) -> np.ndarray:
    """Compute the affine from pixels of the picture to pixels of a person's crop.

    Args:
        box: [4] person box ``[x, y, w, h]`` in pixels. Its shorter side is extended to the crop's
            aspect ratio.
        input_size: Width and height of the crop.
        padding: Factor by which the crop shows more than the box.
        geometry: One of ``GEOMETRIES``.

    Returns:
        [2, 3].
    """
    size = np.array(input_size, dtype=np.float64)
    extent = np.maximum(box[2:], 1.0)
    extent = np.maximum(extent, extent[::-1] * size / size[::-1]) * padding
    scale = (size - 1 if geometry == 'udp' else size) / extent
    # Where the middle of the box falls.
    middle = size / 2 if geometry == 'mmpose' else (size - 1) / 2
    offset = middle - (box[:2] + box[2:] / 2) * scale
    return np.array([[scale[0], 0, offset[0]], [0, scale[1], offset[1]]])
