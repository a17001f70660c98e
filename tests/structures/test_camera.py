"""Calibrated cameras and triangulation."""

import cv2
import numpy as np
import pytest

from stdpose_mm.structures.camera import Camera, triangulate


def camera(name='A', distortions=(0.0, 0, 0, 0), turn=0.0, fisheye=False):
    """Build a camera 4 m in front of the origin, turned about the world's vertical axis."""
    return Camera(
        name,
        (640, 480),
        np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]]),
        np.array(distortions, np.float64),
        cv2.Rodrigues(np.array([0, turn, 0]))[0],
        np.array([0.0, 0, 4]),
        fisheye,
    )


def test_projection_and_centre():
    # x / z * 600 + 320 = 1 / 4 * 600 + 320 and 0.5 / 4 * 600 + 240.
    np.testing.assert_allclose(camera().project([[1, 0.5, 0]]), [[470, 315]])
    # Turned by a quarter about y, the camera looks along -x from x = 4.
    np.testing.assert_allclose(camera(turn=np.pi / 2).centre, [4, 0, 0], atol=1e-12)


def test_a_point_behind_the_camera_has_no_pixel():
    assert np.isnan(camera().project([[0, 0, -5]])).all()


@pytest.mark.parametrize(
    ('distortions', 'fisheye'), [((-0.3, 0.1, 0.001, 0.002), False), ((0.1, -0.02, 0, 0), True)]
)
def test_undistort_inverts_projection(distortions, fisheye):
    points = np.array([[0.0, 0, 0], [1.2, 0.9, 0.1], [-1.5, 1, 0.5]])
    lens = camera(distortions=distortions, fisheye=fisheye)
    in_camera = points + np.array([0, 0, 4])
    expected = in_camera[:, :2] / in_camera[:, 2:]
    np.testing.assert_allclose(lens.undistort(lens.project(points)), expected, atol=1e-6)


def test_a_point_far_outside_is_not_folded_back_into_the_picture():
    # With k1 = -0.3 the distorted radius r - 0.3 r^3 falls beyond r = 1.05: 1.7 would come to 0.23.
    assert np.isnan(camera(distortions=(-0.3, 0, 0, 0)).project([[6.8, 0, 0]])).all()


CAMERAS = [camera('A'), camera('B', (-0.2, 0.05, 0, 0), 1.2), camera('C', turn=-0.9)]
POINTS = np.array([[0.1, 0.2, 0.3], [-0.4, 0.5, 0.2], [0.0, 0.0, 0.0]])


def pixels_of(points):
    return np.stack([view.project(points) for view in CAMERAS])


def test_triangulation_inverts_projection():
    np.testing.assert_allclose(triangulate(CAMERAS, pixels_of(POINTS)), POINTS, atol=1e-6)


def test_a_point_that_fewer_than_two_views_see_is_unknown():
    pixels = pixels_of(POINTS)
    pixels[1:, 0] = np.nan
    pixels[0, 1] = np.nan
    weights = np.ones((3, 3))
    weights[1, 1] = 0
    points = triangulate(CAMERAS, pixels, weights)
    assert np.isnan(points[:2]).all()
    np.testing.assert_allclose(points[2], POINTS[2], atol=1e-6)


def test_a_view_without_weight_does_not_pull():
    pixels = pixels_of(POINTS)
    pixels[2] += 30
    weights = np.array([[1.0], [1], [0]]).repeat(3, axis=1)
    np.testing.assert_allclose(triangulate(CAMERAS, pixels, weights), POINTS, atol=1e-6)


def test_triangulation_minimises_the_error_in_pixels():
    pixels = pixels_of(POINTS)
    pixels[1] += [4, -3]

    def squares(points):
        return np.square(pixels_of(points) - pixels).sum()

    points = triangulate(CAMERAS, pixels)
    for step in np.vstack([np.eye(3), -np.eye(3)]) * 0.003:
        assert squares(points) < squares(points + step)
