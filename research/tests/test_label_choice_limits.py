from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from research.annotation.label_choice_limits import (
    choose_in_hindsight,
    measure_gap_errors,
)
from stdpose_mm.propagation.interpolation import LinearPropagator
from stdpose_mm.structures import VideoLabels
from support.comparison_videos import Unreadable, mouse_video


def gap_errors(video: VideoLabels) -> np.ndarray:
    return measure_gap_errors(Unreadable(len(video.frames)), video, LinearPropagator())


def test_errors_of_every_gap_by_hand() -> None:
    # Two joints 100 px apart; wrong beyond 10 px.
    costs = gap_errors(mouse_video('jump', dict(enumerate([0.0, 0.0, 50.0, 50.0]))))
    assert costs[0].tolist() == [0, 0, 0, 4, 4, 8]
    assert costs[1].tolist() == [0, 0, 0, 2, 4, 4]
    assert costs[2].tolist() == [0, 0, 0, 0, 2, 4]
    assert costs[3].tolist() == [0, 0, 0, 0, 0, 0]


def test_a_person_who_comes_later_is_known_from_its_own_labels_only() -> None:
    first = mouse_video('two', dict.fromkeys(range(4), 0.0))
    late = [
        replace(person, track_id=9) for person in mouse_video('late', {2: 0.0, 3: 30.0}).persons
    ]
    costs = gap_errors(first.with_persons([*first.persons, *late]))
    # Nobody knows of the late one, until frame 2 or 3 is labelled.
    assert costs[0, 5] == 4 * 2 + 2 * 2
    assert costs[2, 5] == 2 * 2
    assert costs[1, 4] == 2
    assert costs[3, 5] == 2
    assert costs[1, 3] == 0


def test_hindsight_of_a_set_of_videos() -> None:
    thirds = np.triu((np.arange(10)[None] - np.arange(10)[:, None] - 1).clip(0) ** 2, 1)
    still = np.zeros((5, 5))
    still[0, -1] = 6.0
    # 70 joints: one label for the still video, two at the thirds; the middle first needs three.
    found = choose_in_hindsight([thirds.astype(float), still], 70, 100 * (1 - 12 / 70))
    assert (found.together, found.one_by_one) == (3, 4)


def test_a_target_that_only_all_labels_reach() -> None:
    costs = gap_errors(mouse_video('wild', dict(enumerate([0.0, 90.0, 0.0]))))
    found = choose_in_hindsight([costs], 6, 100)
    assert (found.together, found.one_by_one) == (3, 3)


@pytest.mark.parametrize('target', [50.0, 90.0, 99.0])
def test_choosing_together_is_never_behind(target: float) -> None:
    costs = gap_errors(mouse_video('sine', {t: 80 * np.sin(t * t / 60) for t in range(25)}))
    found = choose_in_hindsight([costs], 50, target)
    assert 0 < found.together <= found.one_by_one
