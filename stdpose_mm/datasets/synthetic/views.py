"""The same people filmed by several calibrated cameras, with exact labels in 2D and 3D.

The world has z up, in metres, with the ground at 0. The people circle around its origin opposite
each other, so that every camera sees them cross.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stdpose_mm.errors import require_whole
from stdpose_mm.structures import POSETRACK_SKELETON
from stdpose_mm.structures.camera import Camera

from .appearance import Appearance, sample_appearance
from .body import ANGLE_INDEX, POINT_INDEX, BodyShape, PosedBody, pose_body
from .camera import CameraPath
from .clip import (
    LABELLED,
    ClipSettings,
    SyntheticClip,
    add_props,
    exposure_times,
    open_scene,
    person_slots,
    record,
    sample_light,
)
from .footage import Footage
from .motion import sample_movement
from .render import PersonGeometry, build_geometry
from .scene import JOINT_POINTS, SUBFRAMES

_WORLD_OF_BODY = np.array([(1.0, 0, 0), (0, 0, -1), (0, 1, 0)])
"""A body has y up and z forward, the world z up."""
_VIEW_OF_CAMERA = np.diag((1.0, -1, -1))
"""A calibrated camera has y down and z ahead; people are drawn with y up and z to the camera."""
_ROOM = 0.35
"""Distance in metres that an action may carry a person away from its circle."""
_ADULT, _SHARE_OF_HEIGHT = 1.72, 0.55
"""Height of an adult in metres, and of its picture relative to that of the whole picture."""


@dataclass(frozen=True)
class MultiViewClip:
    """A generated scene from several cameras.

    Args:
        cameras: The calibrated cameras; lengths are in metres.
        clips: The clip of each camera; a person has the same track id in all of them.
        joints: [people, F, K, 3] metres, the joints of PoseTrack's skeleton in the world; NaN for
            those that are never labelled.
    """

    cameras: tuple[Camera, ...]
    clips: tuple[SyntheticClip, ...]
    joints: np.ndarray


def generate_views(
    seed: int | Sequence[int], num_cameras: int = 4, settings: ClipSettings | None = None
) -> MultiViewClip:
    """Generate a scene of people who cross, from several cameras that stand around them.

    The same arguments give the same pictures, as with :func:`generate_clip`; another camera does
    not change the others' people.

    Args:
        seed: Non-negative number or numbers (for ``numpy.random.SeedSequence``).
        num_cameras: Number of cameras, 2 or more.
        settings: As of a clip; all cameras film at the same times.

    Raises:
        InputError: If there are fewer than two cameras.
    """
    require_whole('the number of cameras', num_cameras, 2)
    settings = settings or ClipSettings()
    seeds = np.random.SeedSequence(seed).spawn(num_cameras + 1)
    rng = np.random.default_rng(seeds[0])
    footage = Footage.sample(rng, settings.footage)
    times, duration = exposure_times(rng, footage, settings.frames)
    light = sample_light(rng, footage)
    first_azimuth, pace = rng.uniform(0, 2 * np.pi), rng.uniform(0.8, 1.2) * rng.choice([-1, 1])
    people = []
    for slot in person_slots(rng, settings.people):
        shape, looks = BodyShape.sample(rng), sample_appearance(rng, light)
        movement = sample_movement(rng, times, duration, footage.bursts)
        around = 2 * np.pi * slot + pace * (times - duration / 2)
        movement.angles[:, ANGLE_INDEX['turn']] -= around
        body = pose_body(shape, movement.angles)
        away = np.linalg.norm(movement.ground, axis=1, keepdims=True)
        steps = movement.ground * (_ROOM * np.tanh(away / _ROOM) / np.maximum(away, 1e-9))
        circle = rng.uniform(0.55, 0.85) * np.stack([np.cos(around), np.sin(around)], axis=1)
        x, z = (circle + steps).T
        place = np.stack([x, movement.height, z], axis=1)
        people.append((shape, looks, body, (body.points + place[:, None]) @ _WORLD_OF_BODY.T))
    cameras, clips = [], []
    for number, camera_seed in enumerate(seeds[1:]):
        rng = np.random.default_rng(camera_seed)
        azimuth = first_azimuth + 2 * np.pi * number / num_cameras
        camera = _sample_camera(rng, f'cam{number + 1}', azimuth, settings)
        still = CameraPath(np.tile(np.eye(2, 3), (len(times), 1, 1)), np.ones(len(times)), 0.0)
        scene = open_scene(rng, still, light, settings.width, settings.height)
        for shape, looks, body, points in people:
            geometry, distance = _film(camera, shape, looks, body, points)
            scene.people.append(geometry)
            # People stay within a third of the camera's distance; props are at 0.9 behind them.
            scene.depths.append(1.5 * (distance / np.linalg.norm(camera.centre) - 0.7))
        add_props(rng, scene, times, light, footage.clutter)
        cameras.append(camera)
        clips.append(record(rng, scene, footage, settings.frames, camera.name))
    middles = np.arange(settings.frames) * footage.exposures_per_frame * SUBFRAMES + SUBFRAMES // 2
    joints = np.full((len(people), settings.frames, POSETRACK_SKELETON.num_keypoints, 3), np.nan)
    for person, (*_, points) in enumerate(people):
        joints[person][:, LABELLED] = points[middles][:, JOINT_POINTS]
    return MultiViewClip(tuple(cameras), tuple(clips), joints)


def _sample_camera(
    rng: np.random.Generator, name: str, azimuth: float, settings: ClipSettings
) -> Camera:
    """Draw a camera that looks at the middle of the scene through a slight barrel lens."""
    azimuth += rng.uniform(-0.2, 0.2)
    distance, height = rng.uniform(4.2, 5.2), rng.uniform(1.0, 2.4)
    centre = np.array([distance * np.cos(azimuth), distance * np.sin(azimuth), height])
    ahead = np.array([*rng.normal(0, 0.05, 2), 0.95]) - centre
    ahead /= np.linalg.norm(ahead)
    right = np.cross(ahead, (0, 0, 1))
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(ahead, right), ahead])
    focal = _SHARE_OF_HEIGHT * settings.height * np.linalg.norm(centre) / _ADULT
    middle = np.array([settings.width, settings.height]) / 2 - 0.5 + rng.normal(0, 2, 2)
    matrix = np.array([(focal, 0, middle[0]), (0, focal, middle[1]), (0, 0, 1)])
    distortions = np.array([rng.uniform(-0.2, -0.05), rng.uniform(0, 0.03), 0, 0, 0])
    size = settings.width, settings.height
    return Camera(name, size, matrix, distortions, rotation, -rotation @ centre)


def _film(
    camera: Camera, shape: BodyShape, looks: Appearance, body: PosedBody, points: np.ndarray
) -> tuple[PersonGeometry, np.ndarray]:
    """Project a person whose points in the world are [N, P, 3]; also return its distance [N]."""
    pixels = camera.project(points)
    depth = points @ camera.rotation[2] + camera.translation[2]
    distance = depth[:, POINT_INDEX['pelvis']]
    to_view = _VIEW_OF_CAMERA @ camera.rotation @ _WORLD_OF_BODY
    scale = camera.matrix[0, 0] / distance
    axes = to_view @ body.trunk, to_view @ body.head
    return build_geometry(shape, looks, pixels, depth, scale, *axes), distance
