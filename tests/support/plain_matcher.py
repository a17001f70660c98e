"""A matcher without a network, whose descriptors can be computed by hand."""

from __future__ import annotations

import numpy as np

STRIDE, REACH = 2, 3


class PlainMatcher:
    """Describe a place by the colours of 3x3 squares around it, minus their mean.

    A square has 2x2 pixels; their middles are six pixels apart.
    """

    def describe(self, crops: np.ndarray) -> np.ndarray:
        number, height, width, _ = crops.shape
        squares = crops.reshape(number, height // STRIDE, STRIDE, width // STRIDE, STRIDE, 3).mean(
            axis=(2, 4)
        )
        padded = np.pad(squares, ((0, 0), (REACH, REACH), (REACH, REACH), (0, 0)), mode='edge')
        rows, columns = squares.shape[1:3]
        places = (0, REACH, 2 * REACH)
        around = [padded[:, y : y + rows, x : x + columns] for y in places for x in places]
        values = np.stack(around, axis=-1)
        values = (values - values.mean(axis=-1, keepdims=True)).reshape(number, rows, columns, -1)
        length = np.linalg.norm(values, axis=-1, keepdims=True)
        return (values / np.maximum(length, 1e-6)).transpose(0, 3, 1, 2).astype(np.float32)
