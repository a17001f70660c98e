"""Comparison of heatmaps."""

from __future__ import annotations

import numpy as np


def assert_same_maps(found: np.ndarray, expected: np.ndarray) -> None:
    """Compare heatmaps up to rounding, relative to 1 or to the largest value.

    Rounding differs with the batch size and with the processor.
    """
    np.testing.assert_allclose(found, expected, atol=2e-5 * max(1, np.abs(expected).max()))
