"""Who hides whom: nearer people and objects turn a visible joint into an occluded one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stdpose_mm.datasets.synthetic.appearance import sample_appearance
from stdpose_mm.datasets.synthetic.body import ANGLE_INDEX, ANGLES, BodyShape, pose_body
from stdpose_mm.datasets.synthetic.camera import CameraPath, sample_camera
from stdpose_mm.datasets.synthetic.render import JOINTS, PersonGeometry, build_geometry
from stdpose_mm.datasets.synthetic.scene import JOINT_POINTS, SUBFRAMES, Prop, Scene
from stdpose_mm.structures import OCCLUDED, VISIBLE

WIDTH, HEIGHT = 160, 240


def person(x: float = 80.0) -> PersonGeometry:
    """Someone who stands still, faces the camera and spreads the arms."""
    shape = BodyShape.sample(np.random.default_rng(0))
    looks = sample_appearance(np.random.default_rng(1), np.ones(3, np.float32))
    angles = np.zeros((SUBFRAMES, len(ANGLES)))
    for side in ('left', 'right'):
        angles[:, ANGLE_INDEX[f'{side}_shoulder_abduct']] = 0.5
    body = pose_body(shape, angles)
    points = np.stack([x + 100 * body.points[..., 0], 220 - 100 * body.points[..., 1]], axis=-1)
    scale = np.full(SUBFRAMES, 100.0)
    return build_geometry(shape, looks, points, -body.points[..., 2], scale, body.trunk, body.head)


def still_camera() -> CameraPath:
    matrix = np.array([[1.0, 0, 0], [0, 1, 0]])
    return CameraPath(np.tile(matrix, (SUBFRAMES, 1, 1)), np.ones(SUBFRAMES), 0.0)


def board(x: float, y: float, width: int, height: int, depth: float) -> Prop:
    """An opaque white rectangle."""
    texture = np.full((height, width, 4), 255, np.float32)
    texture[:, :, 3] = 1
    return Prop(texture, np.tile((x, y), (SUBFRAMES, 1)).astype(float), depth)


def expose(
    people: list[PersonGeometry], depths: list[float], props: list[Prop]
) -> tuple[np.ndarray, np.ndarray]:
    background = np.zeros((HEIGHT + 20, WIDTH + 20, 3), np.uint8)
    of_times = [np.full(SUBFRAMES, depth) for depth in depths]
    scene = Scene(background, 10, still_camera(), (WIDTH, HEIGHT), people, of_times, props)
    return scene.expose(0)


def test_unhidden_person_is_all_visible():
    _, visibility = expose([person()], [0.5], [])
    assert (visibility == VISIBLE).all()


def test_object_in_front_hides_exactly_the_joints_it_covers():
    someone = person()
    places = someone.points[SUBFRAMES // 2, JOINT_POINTS]
    knee = places[JOINTS.index('left_knee')]
    x, y = np.floor(knee - 6)
    _, visibility = expose([someone], [0.5], [board(x, y, 13, 13, depth=0.1)])
    inside = ((places >= (x, y)) & (places <= (x + 12, y + 12))).all(axis=1)
    assert inside[JOINTS.index('left_knee')]
    np.testing.assert_array_equal(visibility[0] == OCCLUDED, inside)


def test_joints_are_looked_up_where_they_are_at_mid_exposure():
    someone = person()
    # The person jumps in from the left in the middle of the exposure, behind a board.
    points = someone.points.copy()
    points[: SUBFRAMES // 2, :, 0] -= 70
    moving = replace(someone, points=points)
    _, visibility = expose([moving], [0.5], [board(20, 0, WIDTH - 20, HEIGHT, depth=0.1)])
    assert (visibility == OCCLUDED).all()


def test_object_behind_hides_nothing():
    _, visibility = expose([person()], [0.5], [board(0, 0, WIDTH, HEIGHT, depth=0.9)])
    assert (visibility == VISIBLE).all()


@pytest.mark.parametrize(('depths', 'hidden'), [([0.2, 0.8], 1), ([0.8, 0.2], 0)])
def test_nearer_person_hides_the_further_one(depths, hidden):
    _, visibility = expose([person(80), person(82)], depths, [])
    assert (visibility[1 - hidden] == VISIBLE).all()
    assert (visibility[hidden] == OCCLUDED).mean() > 0.7


def test_object_is_painted_at_its_place_and_the_person_behind_it_is_gone():
    picture, _ = expose([person()], [0.5], [board(0, 0, WIDTH, HEIGHT, depth=0.1)])
    assert picture[1:-1, 1:-1].min() == pytest.approx(255)


def test_camera_maps_scene_points_by_its_matrix():
    matrices = np.array([[[2.0, 0, 5], [0, 2, -3]]])
    camera = CameraPath(matrices, np.full(1, 2.0), 0.0)
    assert camera.project(np.array([[[10.0, 20.0]]])).tolist() == [[[25.0, 37.0]]]


@pytest.mark.parametrize('seed', range(3))
def test_camera_moves_smoothly_and_its_zoom_is_the_scale_of_its_matrix(seed):
    times = np.linspace(0, 2, 301)
    camera = sample_camera(np.random.default_rng(seed), times, 2.0, 320, 240)
    determinant = np.linalg.det(camera.matrices[:, :, :2])
    np.testing.assert_allclose(np.sqrt(determinant), camera.zoom)
    places = camera.project(np.tile([[160.0, 120.0]], (len(times), 1, 1)))
    assert np.abs(np.diff(places, axis=0)).max() < 2
