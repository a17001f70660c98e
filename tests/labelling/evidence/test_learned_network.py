"""Places in maps, boxes, and the record in the file of a learned network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stdpose_mm.evaluation.functional import ScoreCalibrator
from stdpose_mm.labelling.evidence.described_network import DescribedNetwork
from stdpose_mm.labelling.evidence.learned_network import (
    SIGMA,
    LearnedNetwork,
    LearningRecord,
    decode_maps,
    pose_box,
)
from stdpose_mm.labelling.evidence.network_description import NetworkDescription


@given(st.floats(3, 16), st.floats(3, 12))
def test_the_place_of_a_gaussian_is_its_centre(x: float, y: float) -> None:
    rows, columns = np.mgrid[:16, :20]
    gaussian = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * SIGMA**2))
    places, certainty = decode_maps((gaussian / gaussian.sum())[None, None])
    # The window of 5x5 cells is not centred on it.
    assert np.abs(places[0, 0] - (x, y)).max() < 0.2
    assert 0.7 < certainty[0, 0] < 0.85


def test_the_certainty_is_what_lies_around_the_largest_value_also_at_the_border() -> None:
    maps = np.zeros((1, 2, 6, 8))
    maps[0, 0, 0, 0], maps[0, 0, 5, 7] = 0.6, 0.4
    maps[0, 1, 3, 4] = maps[0, 1, 3, 5] = 0.5
    places, certainty = decode_maps(maps)
    np.testing.assert_allclose(places[0], [[0, 0], [4.5, 3]])
    np.testing.assert_allclose(certainty, [[0.6, 1.0]])


def test_the_box_of_a_pose_is_its_extent_and_a_margin() -> None:
    pose = np.array([[10, 20], [50, 40], [99, 99], [99, 99], [99, 99]], float)
    labelled = np.array([True, True, False, False, False])
    # 40x20 pixels and 15 % of it on every side.
    np.testing.assert_allclose(pose_box(pose, labelled), [4, 17, 52, 26])
    # With few joints, at least 60 pixels.
    np.testing.assert_allclose(pose_box(pose, labelled, 60), [-9, 4, 78, 52])
    np.testing.assert_allclose(pose_box(pose[:3], labelled[:3], 60), [4, 17, 52, 26])


def test_the_record_survives_its_text() -> None:
    record = LearningRecord(
        network=NetworkDescription(('a', 'b'), input_size=(64, 48), geometry='centre'),
        seen=({'video': [0, 4]}, {}),
        calibrators=[ScoreCalibrator(2.0, -1.0), ScoreCalibrator(), ScoreCalibrator(1.0, 0.5)],
        least_sides={'video': 30.5},
        num_poses=3,
        right=0.9,
        odds=[[1.0, 0.0], [3.0, 1.0], [9.0, 1.0]],
    )
    again = LearningRecord.from_json(record.to_json())
    assert replace(again, seen=()) == replace(record, seen=())
    assert list(again.seen) == list(record.seen)


class Seeing(LearnedNetwork):
    """A network that finds nothing, and remembers the crops that it sees."""

    def __init__(self) -> None:
        network = NetworkDescription(('a',), input_size=(8, 8), padding=1.0, geometry='centre')
        DescribedNetwork.__init__(self, Path('seeing.onnx'), network, [[None, 3, None, None]])
        self.record = LearningRecord(network, ({}, {}), [ScoreCalibrator()] * 3, {}, 1, 1.0)
        self.seen: list[np.ndarray] = []
        self.priors: list[np.ndarray] = []

    def _run(self, inputs: np.ndarray, prior: np.ndarray | None = None) -> list[np.ndarray]:
        self.seen.append(inputs)
        assert prior is not None
        self.priors.append(prior)
        return [np.zeros((len(inputs), 1, 4, 4), np.float32)] * 2


def test_beyond_the_picture_its_border_is_seen_as_in_training() -> None:
    network = Seeing()
    network.find([np.full((20, 20, 3), 200, np.uint8)], np.array([[-10.0, -10.0, 20.0, 20.0]]))
    assert np.ptp(network.seen[0], axis=(2, 3)).max() == 0


def test_the_second_look_has_no_guide() -> None:
    """The centre of the box of 20 pixels, (20, 20), is that of the crop of 8 pixels, (3.5, 3.5)."""
    network = Seeing()
    prior, box = np.full((1, 1, 2), 25.0), np.array([[10.0, 10.0, 20.0, 20.0]])
    network.locate([np.zeros((40, 40, 3), np.uint8)], box, (0, 1), prior)
    first, second, _ = network.priors
    np.testing.assert_allclose(first, np.full((1, 1, 2), 3.5 + 5 * 8 / 20))
    assert np.isnan(second).all()


class Remembering(LearnedNetwork):
    """A network of scripted looks, which remembers the boxes and the guides of each.

    Args:
        looks: The pose [1, K, 2] and the probability of its joints in each look.
    """

    def __init__(self, looks: list[tuple[np.ndarray, float]]) -> None:
        self.looks, self.asked = looks, []

    def _look(self, pictures, boxes, members, prior):
        self.asked.append((boxes, prior))
        places, probability = self.looks[len(self.asked) - 1]
        return places, np.full(places.shape[:2], probability)


LEFT, MIDDLE, RIGHT = (np.array([[[x, 10.0], [x + 8, 30.0]]]) for x in (10.0, 20.0, 30.0))


@pytest.mark.parametrize(
    ('probabilities', 'guide', 'result'),
    [
        ((0.5, 0.6, 0.7), MIDDLE, RIGHT),
        ((0.6, 0.5, 0.7), LEFT, RIGHT),
        ((0.5, 0.7, 0.6), MIDDLE, MIDDLE),
        ((0.7, 0.5, 0.6), LEFT, LEFT),
    ],
    ids=['ever better', 'the first guides', 'the second is best', 'the first is best'],
)
def test_the_third_look_is_guided_by_the_more_probable_of_two(probabilities, guide, result):
    network = Remembering([*zip((LEFT, MIDDLE, RIGHT), probabilities, strict=True)])
    box, prior = np.zeros((1, 4)), np.full((1, 2, 2), np.nan)
    places, probability = network.locate([], box, (0, 1), prior)
    boxes, used = network.asked[2]
    np.testing.assert_array_equal(used, guide)
    np.testing.assert_array_equal(boxes, pose_box(guide, np.ones((1, 2), bool)))
    np.testing.assert_array_equal(places, result)
    assert probability.max() == max(probabilities)
