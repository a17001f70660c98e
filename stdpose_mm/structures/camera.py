"""Calibrated cameras: projection of points in space, and points in space from several pictures.

Lengths have the unit of the calibration (often mm or m); the world's axes are those of the
calibration, the camera's are OpenCV's: x to the right, y down, z along the view. Pixel centres lie
at integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

_CRITERIA = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 50, 1e-9)


@dataclass(frozen=True)
class Camera:
    """A calibrated camera that does not move.

    Args:
        name: Name, distinct within a calibration.
        size: Width and height of its pictures in pixels.
        matrix: [3, 3] intrinsic matrix, pixels.
        distortions: [4, 5, 8, 12 or 14] coefficients in OpenCV's order; [4] of its fisheye model.
        rotation: [3, 3] matrix from the world's axes to the camera's.
        translation: [3] the world's origin in the camera's axes.
        fisheye: Whether the distortions are those of OpenCV's fisheye model.
    """

    name: str
    size: tuple[int, int]
    matrix: np.ndarray
    distortions: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray
    fisheye: bool = False

    @property
    def centre(self) -> np.ndarray:
        """[3] the position of the camera in the world."""
        return -self.rotation.T @ self.translation

    @property
    def pose(self) -> np.ndarray:
        """[3, 4] map from homogeneous world coordinates to the camera's axes."""
        return np.column_stack([self.rotation, self.translation])

    def turned(self, turn: np.ndarray) -> Camera:
        """Turn the camera about its centre by a rotation vector [3] in its own axes, radians."""
        rotation = cv2.Rodrigues(np.asarray(turn, np.float64))[0]
        turned = rotation @ self.rotation, rotation @ self.translation
        return replace(self, rotation=turned[0], translation=turned[1])

    def project(self, points: np.ndarray) -> np.ndarray:
        """Project points [..., 3] in the world to pixels [..., 2].

        Points behind the camera, and those so far outside the view that the distortions fold them
        back, are NaN.
        """
        flat = np.asarray(points, np.float64).reshape(-1, 3)
        in_camera = flat @ self.rotation.T + self.translation
        depth = np.where(in_camera[:, 2:] > 0, in_camera[:, 2:], np.nan)
        normalised = in_camera[:, :2] / depth
        pixels = self._distort(normalised)
        # A lens model holds inside the picture; far outside it is no longer one-to-one.
        error = np.abs(self.undistort(pixels) - normalised).max(axis=1, initial=0)
        pixels = np.where((error < 1e-3)[:, None], pixels, np.nan)
        return pixels.reshape(*np.shape(points)[:-1], 2)

    def undistort(self, pixels: np.ndarray) -> np.ndarray:
        """Convert pixels [..., 2] to normalised image coordinates x / z, y / z [..., 2]."""
        if not np.size(pixels):
            return np.zeros(np.shape(pixels))
        flat = np.asarray(pixels, np.float64).reshape(-1, 1, 2)
        if self.fisheye:
            normalised = cv2.fisheye.undistortPoints(flat, self.matrix, self.distortions)
        else:
            normalised = cv2.undistortPointsIter(
                flat, self.matrix, self.distortions, np.eye(3), np.eye(3), _CRITERIA
            )
        return normalised.reshape(np.shape(pixels))

    def _distort(self, normalised: np.ndarray) -> np.ndarray:
        if not len(normalised):
            return np.zeros((0, 2))
        points = np.dstack([normalised[:, None], np.ones((len(normalised), 1))])
        project = cv2.fisheye.projectPoints if self.fisheye else cv2.projectPoints
        return project(points, np.zeros(3), np.zeros(3), self.matrix, self.distortions)[0][:, 0]


def triangulate(
    cameras: Sequence[Camera], pixels: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Find the points in space that fit their pixels in several views best.

    Args:
        cameras: V cameras.
        pixels: [V, N, 2] pixels; NaN where a view does not see a point.
        weights: [V, N] weights of the squared errors in pixels, all 1 by default; 0 leaves a view
            out.

    Returns:
        [N, 3] points in the world; NaN where fewer than two views count.
    """
    counts = np.isfinite(pixels).all(axis=2)
    if weights is not None:
        counts &= weights > 0
    squares = np.where(counts, 1.0 if weights is None else weights, 0.0)
    # In pixels, so that a camera with a longer focal length counts more.
    focal = np.array([camera.matrix[[0, 1], [0, 1]] for camera in cameras])
    normalised = np.stack(
        [camera.undistort(xy) for camera, xy in zip(cameras, pixels, strict=True)]
    )
    normalised = np.where(counts[..., None], normalised, 0.0)
    poses = np.stack([camera.pose for camera in cameras])
    rows = normalised[..., None] * poses[:, None, 2:] - poses[:, None, :2]
    depth = np.ones(counts.shape)
    # Linear equations have the error in pixels times the depth, which is known after a first round.
    for _ in range(3):
        scale = np.sqrt(squares)[..., None] * focal[:, None] / depth[..., None]
        equations = rows * scale[..., None]
        normal = np.einsum('vnri,vnrj->nij', equations, equations)
        inverse = np.linalg.pinv(normal[:, :3, :3], hermitian=True)
        points = -np.einsum('nij,nj->ni', inverse, normal[:, :3, 3])
        ahead = np.einsum('vj,nj->vn', poses[:, 2, :3], points) + poses[:, 2, 3:]
        depth = np.where(ahead > 0, ahead, 1.0)
    return np.where((counts.sum(axis=0) >= 2)[:, None], points, np.nan)
