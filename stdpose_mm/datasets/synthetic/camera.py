"""The camera: slow pans and zooms with hand shake, over a scene in picture coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class CameraPath:
    """Path of a camera: a map from scene points to picture pixels at N times.

    Args:
        matrices: [N, 2, 3] similarity transforms from scene pixels to picture pixels.
        zoom: [N] their scales.
        tilt: Downward tilt of the camera, radians.
    """

    matrices: np.ndarray
    zoom: np.ndarray
    tilt: float

    def project(self, scene: np.ndarray) -> np.ndarray:
        """Project scene pixels [N, P, 2] to picture pixels."""
        return scene @ self.matrices[:, :, :2].transpose(0, 2, 1) + self.matrices[:, None, :, 2]


def sample_camera(
    rng: np.random.Generator,
    times: np.ndarray,
    duration: float,
    width: int,
    height: int,
    unsteadiness: float = 1.0,
) -> CameraPath:
    """Draw a camera movement: still, panning, zooming, shaking, or all of these.

    Args:
        rng: Source of all choices.
        times: [N] seconds.
        duration: Duration of the clip in seconds.
        width: Width of the pictures in pixels.
        height: Height of the pictures in pixels.
        unsteadiness: Factor on the amplitude of pans and shakes.
    """
    unit = min(width, height)
    centred = times / duration - 0.5
    pan_speed = rng.normal(0, 1, 2) * (0.12, 0.03) * unit * (rng.random() < 0.7) * unsteadiness
    swing = rng.uniform(0, 0.03) * unit * np.sin(2 * np.pi * (times * rng.uniform(0.2, 0.6)))
    zoom = np.exp(rng.normal(0, 0.12) * (rng.random() < 0.6) * centred)
    shake = rng.uniform(0, 0.008) * (rng.random() < 0.7) * unsteadiness
    shift = pan_speed * centred[:, None] + swing[:, None] * (1, 0.2)
    roll = np.full(len(times), rng.normal(0, 0.02))
    for frequency in rng.uniform(1.0, 4.5, 4):
        phases = rng.uniform(0, 2 * np.pi, 3)
        wave = np.sin(2 * np.pi * frequency * times[:, None] + phases)
        shift = shift + shake * unit * 0.6 * wave[:, :2]
        roll = roll + shake * 0.3 * wave[:, 2]
    cosine, sine = zoom * np.cos(roll), zoom * np.sin(roll)
    linear = np.stack([np.stack([cosine, -sine], -1), np.stack([sine, cosine], -1)], axis=1)
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    offset = centre + shift - linear @ centre
    return CameraPath(
        np.concatenate([linear, offset[:, :, None]], axis=2),
        zoom,
        float(np.radians(rng.uniform(-3, 16))),
    )
