"""One synthetic clip: its scene, pictures and labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from stdpose_mm.constants import FOOTAGE_KINDS, FootageKind
from stdpose_mm.errors import InputError, require_choice
from stdpose_mm.structures import (
    NOT_LABELLED,
    POSETRACK_SKELETON,
    PersonLabel,
    VideoFrame,
    VideoLabels,
    pose_extent,
)

from .appearance import sample_appearance
from .body import POINT_INDEX, BodyShape, pose_body, rotate_x
from .camera import CameraPath, sample_camera
from .footage import Footage
from .motion import sample_movement
from .render import JOINTS, PersonGeometry, build_geometry
from .scene import JOINT_POINTS, SUBFRAMES, Prop, Scene
from .textures import draw_background, draw_object, noise_image

BOX_GROWTH = 1.3
"""Size of a person box relative to the extent of the labelled joints, as in PoseTrack18's files."""
_CAMERA_DISTANCE = 5.0
_BACKGROUND_MARGIN = 0.3
LABELLED = [POSETRACK_SKELETON.index_of(joint) for joint in JOINTS]


@dataclass(frozen=True)
class ClipSettings:
    """Settings of generated clips.

    Args:
        frames: Number of frames.
        width, height: Picture size in pixels.
        people: Fewest and most people in a clip.
        footage: 'plain', 'wild' for the defects of real videos (various frame rates, shaking
            cameras, small people, clutter, low light, strong compression), or 'mixed' for clips of
            both kinds.

    Raises:
        InputError: If a number is out of range.
    """

    frames: int = 30
    width: int = 320
    height: int = 240
    people: tuple[int, int] = (1, 4)
    footage: FootageKind = 'plain'

    def __post_init__(self) -> None:
        for name, low, high in (('frames', 1, 9999), ('width', 32, 4096), ('height', 32, 4096)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(f'{name} must be in {low}..{high}, got {value}')
        fewest, most = self.people
        if not 1 <= fewest <= most <= 20:
            raise InputError(f'people must be 1 <= fewest <= most <= 20, got {fewest} and {most}')
        require_choice('footage', self.footage, FOOTAGE_KINDS)


@dataclass(frozen=True)
class SyntheticClip:
    """A generated clip.

    Args:
        frames: [F, H, W, 3] uint8 BGR.
        labels: Labels of every frame (PoseTrack's skeleton, the ears never labelled).
        jpeg_quality: Quality for storing this clip's pictures, 0..100.
    """

    frames: np.ndarray
    labels: VideoLabels
    jpeg_quality: int


def generate_clip(
    seed: int | Sequence[int],
    settings: ClipSettings | None = None,
    name: str = 'synthetic',
    file_names: Sequence[str] | None = None,
) -> SyntheticClip:
    """Generate a clip; the same arguments give the same labels and pictures.

    Only pictures of wild footage may differ slightly from run to run, because x264's output does.

    Args:
        seed: Non-negative number or numbers (for ``numpy.random.SeedSequence``).
        settings: Length, size, number of people; the defaults of ``ClipSettings`` if None.
        name: Name of the video in the labels.
        file_names: File names of the frames in the labels; empty names if None.
    """
    settings = settings or ClipSettings()
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    width, height = settings.width, settings.height
    footage = Footage.sample(rng, settings.footage)
    times, duration = exposure_times(rng, footage, settings.frames)
    camera = sample_camera(rng, times, duration, width, height, footage.unsteadiness)
    light = sample_light(rng, footage)
    scene = open_scene(rng, camera, light, width, height)
    for slot in person_slots(rng, settings.people):
        _add_person(rng, scene, times, duration, light, slot, footage)
    add_props(rng, scene, times, light, footage.clutter)
    return record(rng, scene, footage, settings.frames, name, file_names)


def exposure_times(
    rng: np.random.Generator, footage: Footage, num_frames: int
) -> tuple[np.ndarray, float]:
    """Draw the times [N] in seconds at which a scene is known, and return the clip's duration."""
    per_frame = footage.exposures_per_frame
    duration = num_frames / footage.frames_per_second
    exposure = rng.uniform(0.06, 0.4)
    starts = np.arange(num_frames * per_frame)[:, None] / per_frame
    moments = (starts + exposure * np.linspace(-0.5, 0.5, SUBFRAMES)) + 0.5
    return moments.reshape(-1) / footage.frames_per_second, duration


def sample_light(rng: np.random.Generator, footage: Footage) -> np.ndarray:
    """Draw the gains [3] (BGR) of a scene's light."""
    return (rng.uniform(0.65, 1.12) * rng.uniform(0.9, 1.1, 3) * footage.light).astype(np.float32)


def open_scene(
    rng: np.random.Generator, camera: CameraPath, light: np.ndarray, width: int, height: int
) -> Scene:
    """Draw the background of a scene without people."""
    margin = int(_BACKGROUND_MARGIN * max(width, height))
    background = draw_background(rng, height + 2 * margin, width + 2 * margin)
    background = np.clip(background * light, 0, 255).astype(np.uint8)
    return Scene(background, margin, camera, (width, height))


def person_slots(rng: np.random.Generator, people: tuple[int, int]) -> list[float]:
    """Draw how many people there are, and return the share of the width at which each stands."""
    numbers = np.arange(people[0], people[1] + 1)
    weights = 0.75 ** np.arange(len(numbers))
    count = int(rng.choice(numbers, p=weights / weights.sum()))
    return [(index + 0.5) / count for index in range(count)]


def record(
    rng: np.random.Generator,
    scene: Scene,
    footage: Footage,
    num_frames: int,
    name: str,
    file_names: Sequence[str] | None = None,
) -> SyntheticClip:
    """Film a scene, and label its people."""
    width, height = scene.size
    per_frame = footage.exposures_per_frame
    finish = _Finish.sample(rng, width, height, footage.contrast)
    frames = np.empty((num_frames, height, width, 3), np.uint8)
    persons: list[PersonLabel] = []
    for index in range(num_frames):
        first = index * per_frame
        exposures = [scene.expose(first + number) for number in range(per_frame)]
        picture = footage.sense(np.stack([picture for picture, _ in exposures]))
        frames[index] = finish.apply(rng, picture)
        sample = first * SUBFRAMES + SUBFRAMES // 2
        for track, (person, seen) in enumerate(zip(scene.people, exposures[0][1], strict=True)):
            label = _label(index, sample, track, person, seen, width, height)
            if label is not None:
                persons.append(label)
    if footage.coding is not None:
        frames = footage.coding.apply(frames)
    names = file_names or [''] * num_frames
    listed = [
        VideoFrame(i, names[i], width=width, height=height, is_labeled=True)
        for i in range(num_frames)
    ]
    labels = VideoLabels(name, POSETRACK_SKELETON, tuple(listed), tuple(persons))
    lowest, highest = footage.jpeg_quality
    quality = int(rng.integers(lowest, highest + 1))
    return SyntheticClip(frames, labels, quality)


def _add_person(
    rng: np.random.Generator,
    scene: Scene,
    times: np.ndarray,
    duration: float,
    light: np.ndarray,
    slot: float,
    footage: Footage,
) -> None:
    """Draw a person at about the share ``slot`` of the picture's width."""
    camera, (width, height) = scene.camera, scene.size
    depth = float(rng.uniform(0, 1))
    shape = BodyShape.sample(rng)
    looks = sample_appearance(rng, light * np.float32(1 - 0.15 * depth))
    movement = sample_movement(rng, times, duration, footage.bursts)
    body = pose_body(shape, movement.angles)
    tilt = rotate_x(np.array([camera.tilt]))[0]
    # Relative to an adult, so that children are smaller than adults.
    base_scale = height * (0.64 - 0.24 * depth) * rng.uniform(0.88, 1.08) / 1.72
    base_scale *= footage.people_scale
    nearness = np.clip(1 - movement.ground[:, 1] / _CAMERA_DISTANCE, 0.6, 1.7)
    scale = base_scale / nearness
    place_x = width * np.clip(slot + rng.normal(0, 0.1), 0.12, 0.88)
    place_y = height * (0.93 - 0.2 * depth + rng.normal(0, 0.02))

    standing = body.points.copy()
    standing[:, :, 1] += movement.height[:, None]
    view = standing @ tilt.T
    on_ground = movement.ground * base_scale
    x = place_x + on_ground[:, :1] + scale[:, None] * view[:, :, 0]
    y = place_y + on_ground[:, 1:] * np.sin(camera.tilt) - scale[:, None] * view[:, :, 1]
    points = camera.project(np.stack([x, y], axis=-1))
    axes = tilt @ body.trunk, tilt @ body.head
    person = build_geometry(shape, looks, points, -view[:, :, 2], scale * camera.zoom, *axes)
    scene.people.append(person)
    scene.depths.append(np.full(len(times), depth))


def add_props(
    rng: np.random.Generator, scene: Scene, times: np.ndarray, light: np.ndarray, clutter: int
) -> None:
    """Draw objects in front of people, and ``clutter`` more behind them, most of these moving."""
    width, height = scene.size
    num_props = int(rng.choice([0, 1, 2, 3, 4], p=[0.08, 0.12, 0.3, 0.3, 0.2]))
    for number in range(num_props + clutter):
        texture = draw_object(rng, height * rng.uniform(0.14, 0.36))
        texture[:, :, :3] = np.minimum(texture[:, :, :3] * light, 255 * texture[:, :, 3:])
        rows, columns = texture.shape[:2]
        target = scene.people[rng.integers(len(scene.people))]
        moment = rng.integers(len(times))
        body = target.points[moment]
        centre = body[rng.integers(len(body))] + rng.normal(0, 0.05 * height, 2)
        if rng.random() < 0.25:
            centre = rng.uniform(0, 1, 2) * (width, height)
        matrix = scene.camera.matrices[moment]
        place = np.linalg.solve(matrix[:, :2], centre - matrix[:, 2]) - (columns / 2, rows / 2)
        moving = rng.random() < (0.25 if number < num_props else 0.75)
        velocity = rng.normal(0, 1, 2) * (0.35, 0.12) * width * moving
        path = place + velocity * (times - times[moment])[:, None]
        nearest, furthest = (-0.6, 0.9) if number < num_props else (0.9, 1.5)
        scene.props.append(Prop(texture, path, float(rng.uniform(nearest, furthest))))


@dataclass(frozen=True)
class _Finish:
    """Effects of lens and sensor on the pictures of a clip."""

    blur: float
    noise: np.ndarray
    contrast: float
    brightness: float

    @classmethod
    def sample(cls, rng: np.random.Generator, width: int, height: int, contrast: float) -> _Finish:
        grain = rng.standard_normal((height + 64, width + 64, 3), np.float32)
        if rng.random() < 0.5:
            grain += 0.7 * noise_image(rng, height + 64, width + 64, (2,), 3)
        return cls(
            float(rng.uniform(0.3, 0.9)),
            grain * np.float32(rng.uniform(1, 7)),
            float(rng.uniform(0.8, 1.1)) * contrast,
            float(rng.uniform(-12, 18)) + 100 * (1 - contrast),
        )

    def apply(self, rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
        """Apply the effects to a picture: [H, W, 3] uint8."""
        height, width = picture.shape[:2]
        blurred = cv2.GaussianBlur(picture, (3, 3), self.blur)
        exposed = cv2.addWeighted(blurred, self.contrast, blurred, 0, self.brightness)
        y, x = rng.integers(0, 64, 2)
        return cv2.add(exposed, self.noise[y : y + height, x : x + width], dtype=cv2.CV_8U)


def _label(
    index: int,
    sample: int,
    track: int,
    person: PersonGeometry,
    seen: np.ndarray,
    width: int,
    height: int,
) -> PersonLabel | None:
    """Build the label of a person in a frame, at the time ``sample``.

    It is None if no joint lies inside the picture.
    """
    places = person.points[sample, JOINT_POINTS]
    inside = ((places >= 0) & (places <= (width - 1, height - 1))).all(axis=1)
    if not inside.any():
        return None
    keypoints = np.zeros((POSETRACK_SKELETON.num_keypoints, 2))
    visibility = np.full(POSETRACK_SKELETON.num_keypoints, NOT_LABELLED, np.int8)
    keypoints[LABELLED] = np.round(places, 2)
    visibility[LABELLED] = np.where(inside, seen, NOT_LABELLED)
    x, y, w, h = pose_extent(keypoints, visibility > NOT_LABELLED)
    # A single joint has no extent, but the body around it has.
    grow_x, grow_y = (
        max((BOX_GROWTH - 1) / 2 * side, 0.08 * person.scale[sample]) for side in (w, h)
    )
    low = np.maximum((x - grow_x, y - grow_y), 0)
    high = np.minimum((x + w + grow_x, y + h + grow_y), (width - 1, height - 1))
    # Upright around the head; it may extend beyond the picture.
    centre, half = person.points[sample, POINT_INDEX['head']], person.head_size[sample]
    return PersonLabel(
        frame_index=index,
        keypoints=keypoints,
        visibility=visibility,
        track_id=track,
        bbox=np.round(np.concatenate([low, high - low]), 2),
        head_box=np.round(np.concatenate([centre - half, 2 * half]), 2),
    )
