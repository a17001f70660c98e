"""The scene: a background, people and objects before a camera, and its exposures."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from stdpose_mm.structures import OCCLUDED, VISIBLE

from .body import POINT_INDEX
from .camera import CameraPath
from .render import (
    JOINTS,
    Layer,
    PersonGeometry,
    draw_object_layer,
    draw_person,
    hidden_by_own_body,
)

SUBFRAMES = 5
"""Number of times per exposure at which the scene is known; the label is at the third."""
JOINT_POINTS = [POINT_INDEX[joint] for joint in JOINTS]


@dataclass(frozen=True)
class Prop:
    """A flat object in the scene.

    Args:
        texture: [h, w, 4] float32 premultiplied BGR and alpha.
        place: [N, 2] scene pixels of its top-left pixel at every time.
        depth: Larger is further away, on the scale of the people's depths.
    """

    texture: np.ndarray
    place: np.ndarray
    depth: float


@dataclass(frozen=True)
class Scene:
    """Renderer of the pictures of a scene, one exposure after the other.

    Everything that moves is known at F x ``SUBFRAMES`` times; the times of an exposure are
    consecutive.

    Args:
        background: [H + 2 margin, W + 2 margin, 3] uint8.
        margin: Pixels by which the background extends beyond the picture.
        camera: Path of the camera.
        size: Width and height of the picture.
        people: People in the scene.
        depths: Distances [N] of each person; a nearer person hides a more distant one.
        props: Objects.
    """

    background: np.ndarray
    margin: int
    camera: CameraPath
    size: tuple[int, int]
    people: list[PersonGeometry] = field(default_factory=list)
    depths: list[np.ndarray] = field(default_factory=list)
    props: list[Prop] = field(default_factory=list)

    def expose(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return picture [H, W, 3] float32 of frame ``index``, and visibility [people, joints]."""
        frame = self._background(index)
        visibility = np.zeros((len(self.people), len(JOINTS)), np.int8)
        middle = index * SUBFRAMES + SUBFRAMES // 2
        # Far to near, so that nearer layers are painted over more distant ones; a person is an
        # index.
        things: list[tuple[float, int | Prop]] = [
            (float(depth[middle]), person) for person, depth in enumerate(self.depths)
        ]
        things += [(prop.depth, prop) for prop in self.props]
        drawn: list[int] = []
        for _, thing in sorted(things, key=lambda entry: -entry[0]):
            if isinstance(thing, Prop):
                layer = self._prop(thing, index)
            else:
                layer = self._person(self.people[thing], index)
            if layer is not None:
                layer.paint(frame)
                for behind in drawn:
                    places = self.people[behind].points[middle, JOINT_POINTS]
                    covered = np.array([layer.cover_at(x, y) > 0 for x, y in places])
                    visibility[behind, covered] = OCCLUDED
            if not isinstance(thing, Prop):
                visibility[thing] = VISIBLE
                if layer is not None:
                    hidden = hidden_by_own_body(self.people[thing], middle, layer)
                    visibility[thing, hidden] = OCCLUDED
                drawn.append(thing)
        return frame, visibility

    def _samples(self, index: int, motion: float) -> list[int]:
        """Choose the sub-frames to average, given the pixels of motion during the exposure."""
        first = index * SUBFRAMES
        if motion < 1.2:
            return [first + SUBFRAMES // 2]
        if motion < 5:
            return [first, first + SUBFRAMES // 2, first + SUBFRAMES - 1]
        return list(range(first, first + SUBFRAMES))

    def _person(self, person: PersonGeometry, index: int) -> Layer | None:
        first, last = index * SUBFRAMES, (index + 1) * SUBFRAMES - 1
        motion = np.abs(person.points[last] - person.points[first]).max()
        return draw_person(person, self._samples(index, float(motion)), *self.size)

    def _prop(self, prop: Prop, index: int) -> Layer | None:
        first, last = index * SUBFRAMES, (index + 1) * SUBFRAMES - 1
        matrices = self.camera.matrices[first : last + 1].copy()
        places = prop.place[first : last + 1]
        matrices[:, :, 2] += np.einsum('nij,nj->ni', matrices[:, :, :2], places)
        motion = np.abs(matrices[-1, :, 2] - matrices[0, :, 2]).max()
        samples = [i - first for i in self._samples(index, float(motion))]
        return draw_object_layer(prop.texture, matrices[samples], *self.size)

    def _background(self, index: int) -> np.ndarray:
        first, last = index * SUBFRAMES, (index + 1) * SUBFRAMES - 1
        matrices = self.camera.matrices.copy()
        matrices[:, :, 2] -= matrices[:, :, :2] @ np.full(2, float(self.margin))
        motion = np.abs(matrices[last, :, 2] - matrices[first, :, 2]).max()
        samples = self._samples(index, float(min(motion, 6)))
        total = np.zeros((self.size[1], self.size[0], 3), np.float32)
        for sample in samples:
            picture = cv2.warpAffine(
                self.background, matrices[sample], self.size, borderMode=cv2.BORDER_REFLECT
            )
            cv2.accumulate(picture, total)
        return total / np.float32(len(samples))
