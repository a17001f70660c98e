"""Flow around small people in large pictures, at a scale that shows their limbs."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.io.video import ArrayFrames, UnavailableFrames
from stdpose_mm.labelling.propagation import propagate_labels
from stdpose_mm.labelling.propagation.flow import FlowPropagator
from stdpose_mm.tracking.optical_flow import DISFlow
from support.moving_pictures import ARC, moving_texture

pytestmark = pytest.mark.slow

WIDTH, HEIGHT = 640, 480
SHOULDER, HIP, ANKLE = (15, 5), (15, 25), (17, 45)
SMALL = np.array([SHOULDER, HIP, ANKLE], float)
"""Of a person of 40 pixels, in one of the patches."""

LEFT, RIGHT = np.array([150, 200]), np.array([450, 220])


def small_people(*corners: np.ndarray, path: np.ndarray = ARC) -> ArrayFrames:
    """Patches of 30 x 50 pixels that move along a path, on a texture that stands still."""
    still = moving_texture(np.zeros((1, 2)), (WIDTH // 4, HEIGHT // 4))[0]
    background = cv2.resize(still, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    patch = np.random.default_rng(1).uniform(0, 255, (50, 30, 3)).astype(np.float32)
    patch = cv2.normalize(cv2.GaussianBlur(patch, (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX)
    frames = np.repeat(background[None], len(path), axis=0)
    for picture, shift in zip(frames, path.astype(int), strict=True):
        for x, y in corners + shift:
            picture[y : y + 50, x : x + 30] = patch
    return ArrayFrames(frames)


class WatchedFlow(DISFlow):
    """Notes the sizes of the pictures that it computes flow on."""

    def __init__(self, max_side: int) -> None:
        super().__init__(max_side)
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        self.shapes.append(source.shape)
        return super().__call__(source, target)


def labels_of(label, corner: np.ndarray, given=(0, 6), track_id: int = 0, size: float = 1.0):
    return [label(n, corner + size * SMALL + ARC[n], track_id=track_id) for n in given]


def test_a_small_person_is_followed_within_a_pixel(label, video):
    # In the whole picture, a quarter as large, the person has ten pixels and moves by one.
    flow = WatchedFlow(max_side=160)
    dense = propagate_labels(
        small_people(LEFT), video(labels_of(label, LEFT), 7), FlowPropagator(flow)
    )
    assert (120, 160) not in flow.shapes
    for person in dense.persons:
        error = np.abs(person.keypoints - (LEFT + SMALL + ARC[person.frame_index])).max()
        assert error < 1, f'frame {person.frame_index}'


def test_people_may_leave_their_boxes_between_the_labels(label, video):
    # By half of the person's size.
    path = 1.8 * ARC
    dense = propagate_labels(
        small_people(LEFT, path=path),
        video(labels_of(label, LEFT), 7),
        FlowPropagator(DISFlow(max_side=160)),
    )
    error = dense.persons[3].keypoints - (LEFT + SMALL + path[3].astype(int))
    assert np.abs(error).max() < 1.5


def test_who_crosses_the_picture_is_followed_in_all_of_it(label, video):
    flow = WatchedFlow(max_side=160)
    start, end = np.array([5, 100]), np.array([600, 300])
    labels = [label(0, start + SMALL), label(6, end + SMALL)]
    propagate_labels(small_people(LEFT), video(labels, 7), FlowPropagator(flow))
    assert set(flow.shapes) == {(120, 160)}


def test_a_large_person_is_followed_in_the_whole_picture(label, video):
    flow = WatchedFlow(max_side=320)
    labels = labels_of(label, LEFT, size=7)
    propagate_labels(small_people(LEFT), video(labels, 7), FlowPropagator(flow))
    assert set(flow.shapes) == {(240, 320)}


def test_the_whole_picture_is_shared_and_parts_are_not(label, video):
    def count(size: float) -> int:
        flow = WatchedFlow(max_side=320)
        labels = labels_of(label, LEFT, size=size) + labels_of(label, RIGHT, (0, 6), 1, size)
        propagate_labels(small_people(LEFT, RIGHT), video(labels, 7), FlowPropagator(flow))
        return len(flow.shapes)

    # Six pairs of frames, forward and backward.
    assert count(size=7) == 12
    assert count(size=1) == 24


@pytest.mark.parametrize('given', [(0,), (6,)], ids=['left', 'right'])
def test_who_may_go_anywhere_is_looked_for_everywhere(label, video, given):
    flow = WatchedFlow(max_side=160)
    labels = labels_of(label, LEFT, given)
    propagate_labels(small_people(LEFT), video(labels, 7), FlowPropagator(flow))
    assert set(flow.shapes) == {(120, 160)}


def test_small_people_get_the_poses_that_each_gets_alone(label, video):
    frames = small_people(LEFT, RIGHT)
    one = labels_of(label, LEFT)
    other = labels_of(label, RIGHT, given=(1, 6), track_id=1)

    def poses(labels) -> dict[tuple[int | None, int], np.ndarray]:
        dense = propagate_labels(frames, video(labels, 7), FlowPropagator(DISFlow(max_side=160)))
        return {(person.track_id, person.frame_index): person.keypoints for person in dense.persons}

    together, alone = poses(one + other), poses(one) | poses(other)
    assert together.keys() == alone.keys()
    for key, keypoints in together.items():
        np.testing.assert_array_equal(keypoints, alone[key])


@pytest.mark.parametrize('corner', [(-300, -200), (700, 500), (-15, 440), (630, 200)])
def test_people_outside_of_the_picture_get_finite_poses(label, video, corner):
    labels = labels_of(label, np.array(corner))
    dense = propagate_labels(
        small_people(LEFT), video(labels, 7), FlowPropagator(DISFlow(max_side=160))
    )
    assert all(np.isfinite(person.keypoints).all() for person in dense.persons)


def test_without_pictures_the_error_says_what_is_missing(label, video):
    frames = UnavailableFrames(7, 'the pictures are not here, give them')
    with pytest.raises(InputError, match='are not here, give them'):
        propagate_labels(frames, video(labels_of(label, LEFT), 7), FlowPropagator())
