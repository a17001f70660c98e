"""Comparison of heatmaps."""

from __future__ import annotations

import numpy as np


def assert_same_maps(found: np.ndarray, expected: np.ndarray) -> None:
    """Compare heatmaps up to rounding, relative to 1 or to the largest value.

    Networks round otherwise in batches of another size, and on another processor.
    """
    np.testing.assert_allclose(found, expected, atol=2e-5 * max(1, np.abs(expected).max()))
