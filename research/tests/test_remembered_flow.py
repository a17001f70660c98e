from __future__ import annotations

import numpy as np

from research.training.remembered_flow import RememberedFlow


class _CountedFlow:
    single_threaded = True

    def __init__(self) -> None:
        self.calls = 0

    def prepare(self, picture: np.ndarray) -> np.ndarray:
        return picture

    def __call__(self, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        self.calls += 1
        return np.full((4, 4, 2), float(target[0, 0]) - float(source[0, 0]), np.float32)


def test_flow_between_the_same_pictures_is_computed_once():
    counted = _CountedFlow()
    flow = RememberedFlow(counted)
    dark, light = np.zeros((4, 4), np.uint8), np.full((4, 4), 9, np.uint8)
    for _ in range(3):
        assert (flow(dark.copy(), light.copy()) == 9).all()
        assert (flow(light, dark) == -9).all()
    assert counted.calls == 2
