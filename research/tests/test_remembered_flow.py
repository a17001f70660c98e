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


def test_flow_not_asked_for_the_longest_is_forgotten_first():
    counted = _CountedFlow()
    flow = RememberedFlow(counted, max_bytes=2 * 4 * 4 * 2 * 4)  # two fields
    pictures = [np.full((4, 4), n, np.uint8) for n in range(3)]
    flow(pictures[0], pictures[1])
    flow(pictures[1], pictures[2])
    flow(pictures[0], pictures[1])
    flow(pictures[0], pictures[2])
    assert counted.calls == 3
    flow(pictures[0], pictures[1])
    assert counted.calls == 3
    flow(pictures[1], pictures[2])
    assert counted.calls == 4
