"""Poses drawn on frames: sides by colour, given joints, doubtful joints and track ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from os import PathLike

import cv2
import numpy as np

from stdpose_mm.io.video import FrameSource, write_video
from stdpose_mm.structures import (
    OCCLUDED,
    PersonLabel,
    Skeleton,
    VideoLabels,
    pose_extent,
    to_corners,
)
from stdpose_mm.structures.skeleton import Side

from .colors import (
    DARK_COLOR,
    DOUBT_COLOR,
    DOUBTFUL,
    GIVEN_COLOR,
    SIDE_COLORS,
    Color,
    bgr,
    limb_sides,
    track_color,
)

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_SHIFT = 4
"""Fractional bits of drawn coordinates, so that slow joints move smoothly, not by whole pixels."""

_CELL = 4
"""Size of a cell in pixels; tags that share a cell count as overlapping."""


def draw_people(
    picture: np.ndarray,
    persons: Iterable[PersonLabel],
    skeleton: Skeleton,
    frame_index: int | None = None,
    boxes: bool = False,
) -> np.ndarray:
    """Draw people on a copy of a frame.

    Limbs and joints have the colour of their side. A given joint is a filled disc, a propagated
    joint a ring, and a joint that scores less than ``DOUBTFUL`` a yellow cross with dashed limbs.
    Occluded joints are smaller. Sizes depend on the picture and the person. A tag names the track;
    it is left out where it would cover a joint or the tag of a larger person. A frame with a given
    joint has a border. Absent people are not drawn.

    Args:
        picture: BGR uint8 [H, W, 3].
        persons: People of this frame.
        skeleton: Joints and limbs of the people.
        frame_index: 0-based index to write into the corner, with a legend of the sides' colours;
            None for neither.
        boxes: Whether to draw the box of everyone who has one, in the colour of the tag.

    Returns:
        BGR uint8 [H, W, 3].
    """
    canvas = picture.copy()
    height, width = canvas.shape[:2]
    unit = max(height, width) / 640
    poses = [_Pose(person, unit) for person in persons if person.has_joint]
    # Larger people are nearer to the camera.
    poses.sort(key=lambda pose: pose.size)
    for pose in poses if boxes else ():
        pose.draw_box(canvas)
    for pose in poses:
        pose.draw(canvas, skeleton)
    any_given = any(pose.person.has_given_joint for pose in poses)
    if any_given:
        thickness = 2 * max(2, round(3 * unit)) - 1
        cv2.rectangle(canvas, (0, 0), (width - 1, height - 1), bgr(GIVEN_COLOR), thickness)
    tags = _Tags(canvas)
    if frame_index is not None:
        # With the legend of the side colours.
        texts = {f'frame {frame_index}' + ' given' * any_given: '#ffffff'}
        texts |= {side: SIDE_COLORS[side] for side in ('left', 'right') if side in skeleton.sides}
        scale, place, left = max(0.4, 0.5 * unit), round(8 * unit), round(8 * unit)
        for text, color in texts.items():
            tags.write(text, (left, place), scale, bgr(color))
            left += _text_size(text, scale)[0] + round(4 * unit)
    tags.keep_free(poses)
    for pose in reversed(poses):
        pose.write_tag(tags)
    return canvas


def overlay_frames(frames: FrameSource, labels: VideoLabels) -> Iterator[np.ndarray]:
    """Yield every frame of a video with its people drawn."""
    by_frame = {index: labels[index] for index in labels}
    for index in range(len(frames)):
        yield draw_people(frames[index], by_frame.get(index, ()), labels.skeleton, index)


def write_overlay(path: str | PathLike[str], frames: FrameSource, labels: VideoLabels) -> None:
    """Write a video of all frames with the people of ``labels`` drawn, atomically.

    The video has the times and the sound of ``frames``, see :func:`write_video`.

    Raises:
        InputError: If a frame cannot be read or the file cannot be written.
    """
    write_video(path, overlay_frames(frames, labels), like=frames)


class _Pose:
    """A person to draw, with at least one joint.

    Args:
        person: The person.
        unit: Unit of drawn sizes: one pixel in a picture that is 640 pixels wide.
    """

    def __init__(self, person: PersonLabel, unit: float) -> None:
        self.person = person
        self.extent = pose_extent(person.keypoints, person.labelled)
        self.size = float(self.extent[2:].max())
        # One or two joints do not determine a size.
        scale = self.size or 100 * unit
        self.line = max(2, round(float(np.clip(scale / 100, 0.8 * unit, 3 * unit))))
        self.outline = self.line + max(1, 2 * (self.line // 3))
        self.radius = max(1.5, 1.2 * self.line)
        self.is_tiny = scale < 40 * self.radius
        self.text = float(np.clip(scale / 300, max(0.3, 0.2 * unit), max(0.36, 0.45 * unit)))
        scores = np.ones(len(person.visibility)) if person.scores is None else person.scores
        self.doubtful = person.propagated & (scores < DOUBTFUL)

    def draw_box(self, canvas: np.ndarray) -> None:
        """Draw the person's box, if there is one."""
        if self.person.bbox is not None:
            corners = np.clip(to_corners(self.person.bbox), -1e5, 1e5)
            left, top, right, bottom = np.rint(corners).astype(int).tolist()
            color = bgr(track_color(self.person.track_id))
            cv2.rectangle(canvas, (left, top), (right, bottom), color, max(1, self.line // 2))

    def draw(self, canvas: np.ndarray, skeleton: Skeleton) -> None:
        """Draw the limbs, dashed at doubtful joints, and the joints."""
        person, labelled = self.person, self.person.labelled
        points = np.rint(np.clip(person.keypoints, -1e5, 1e5) * 2**_SHIFT).astype(np.int32)
        lines: dict[Side, list[np.ndarray]] = {'middle': [], 'right': [], 'left': []}
        for limb, side in zip(skeleton.limbs, limb_sides(skeleton), strict=True):
            ends = list(limb)
            if labelled[ends].all():
                is_doubtful = self.doubtful[ends].any()
                dashes = _dashes(points[ends], 3 * self.line) if is_doubtful else [points[ends]]
                lines[side] += dashes
        every = [line for of_side in lines.values() for line in of_side]
        _draw_lines(canvas, every, DARK_COLOR, self.outline)
        for side, of_side in lines.items():
            _draw_lines(canvas, of_side, SIDE_COLORS[side], self.line)
        linked = {joint for limb in skeleton.limbs for joint in limb}
        for joint in np.flatnonzero(labelled).tolist():
            if not self.is_tiny or joint not in linked or (person.given | self.doubtful)[joint]:
                self._draw_joint(canvas, points[joint], joint, SIDE_COLORS[skeleton.sides[joint]])

    def _draw_joint(self, canvas: np.ndarray, point: np.ndarray, joint: int, color: str) -> None:
        is_occluded = self.person.visibility[joint] == OCCLUDED
        reach = round((0.7 * self.radius if is_occluded else self.radius) * 2**_SHIFT)
        if self.doubtful[joint]:
            arms = [point + reach * np.array([[-1, s], [1, -s]], np.int32) for s in (-1, 1)]
            _draw_lines(canvas, arms, DARK_COLOR, self.outline)
            _draw_lines(canvas, arms, DOUBT_COLOR, self.line)
            return
        disc, ring = (color, DARK_COLOR) if self.person.given[joint] else (DARK_COLOR, color)
        place = int(point[0]), int(point[1])
        cv2.circle(canvas, place, reach, bgr(disc), cv2.FILLED, cv2.LINE_AA, _SHIFT)
        cv2.circle(canvas, place, reach, bgr(ring), max(1, self.line // 2), cv2.LINE_AA, _SHIFT)

    def write_tag(self, tags: _Tags) -> None:
        """Write the track id, and whether the pose is given, beside the person."""
        person = self.person
        name = '' if person.track_id is None else str(person.track_id)
        source = 'given' if person.has_given_joint and not person.propagated.any() else ''
        color = track_color(person.track_id)
        for text in dict.fromkeys((f'{name} {source}'.strip(), name)):
            if text and tags.write_beside(text, self.extent, self.text, bgr(color)):
                return


def _draw_lines(canvas: np.ndarray, lines: list[np.ndarray], color: str, thickness: int) -> None:
    if lines:
        cv2.polylines(canvas, lines, False, bgr(color), thickness, cv2.LINE_AA, _SHIFT)


def _dashes(ends: np.ndarray, length: int) -> list[np.ndarray]:
    """Cut a line into dashes of about ``length`` pixels, at least two.

    Args:
        ends: [2, 2] int32, in fractions of a pixel.
        length: Pixels.
    """
    start, vector = ends[0].astype(np.float64), (ends[1] - ends[0]).astype(np.float64)
    count = int(np.clip(np.hypot(*vector) / (2 * length * 2**_SHIFT), 2, 50))
    stops = np.arange(2 * count) / (2 * count - 1)
    points = np.rint(start + stops[:, None] * vector).astype(np.int32)
    return list(points.reshape(count, 2, 2))


class _Tags:
    """Texts on a picture that do not cover each other.

    Args:
        canvas: BGR uint8 [H, W, 3] to write on.
    """

    def __init__(self, canvas: np.ndarray) -> None:
        self._canvas = canvas
        height, width = canvas.shape[:2]
        self._taken = np.zeros((height // _CELL + 1, width // _CELL + 1), bool)

    def keep_free(self, poses: Iterable[_Pose]) -> None:
        """Keep the joints of people free of texts."""
        size = self._canvas.shape[1::-1]
        for pose in poses:
            joints = pose.person.keypoints[pose.person.labelled]
            inside = ((joints >= 0) & (joints < size)).all(axis=1)
            x, y = (joints[inside] // _CELL).astype(int).T
            self._taken[y, x] = True

    def write_beside(self, text: str, extent: np.ndarray, scale: float, color: Color) -> bool:
        """Write a text above a box, else beside or in it; False if there is no room.

        Args:
            text: The text.
            extent: [4] ``[x, y, w, h]`` of the object that the text names.
            scale: Font scale.
            color: Colour of the tag.
        """
        width, height, _, _ = _text_size(text, scale)
        x, y, w, h = extent.tolist()
        gap = height / 2
        places = (
            (x + (w - width) / 2, y - height - gap),
            (x + w + gap, y),
            (x - width - gap, y),
            (x + (w - width) / 2, y + h + gap),
            (max(x, 0), max(y, 0)),
        )
        is_seen = x + w >= 0 and y + h >= 0
        return is_seen and any(self.write(text, place, scale, color) for place in places)

    def write(self, text: str, corner: tuple[float, float], scale: float, color: Color) -> bool:
        """Write a text on a tag with this top left corner; return False if there is no room."""
        width, height, padding, stroke = _text_size(text, scale)
        left, top = round(corner[0]), round(corner[1])
        picture_height, picture_width = self._canvas.shape[:2]
        if left < 0 or top < 0 or left + width > picture_width or top + height > picture_height:
            return False
        bottom, right = (top + height - 1) // _CELL, (left + width - 1) // _CELL
        cells = self._taken[top // _CELL : bottom + 1, left // _CELL : right + 1]
        if cells.any():
            return False
        cells[:] = True
        self._canvas[top : top + height, left : left + width] = color
        # Black on light tags, white on dark ones, by the luma of BT.601.
        light = np.dot(color, (0.114, 0.587, 0.299)) > 110
        ink = (0, 0, 0) if light else (255, 255, 255)
        place = (left + padding, top + height - padding)
        cv2.putText(self._canvas, text, place, _FONT, scale, ink, stroke, cv2.LINE_AA)
        return True


@lru_cache(maxsize=4096)
def _text_size(text: str, scale: float) -> tuple[int, int, int, int]:
    """Measure a tag in pixels: width and height with padding, the padding, and the stroke."""
    stroke = max(1, round(2 * scale))
    (width, height), _ = cv2.getTextSize(text, _FONT, scale, stroke)
    padding = max(2, round(5 * scale))
    return width + 2 * padding, height + 2 * padding, padding, stroke
