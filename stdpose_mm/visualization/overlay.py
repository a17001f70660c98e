"""Poses drawn on frames: tracks by colour, given labels, and the confidence of the others."""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Iterable, Iterator, Sequence
from os import PathLike
from typing import Any

import cv2
import numpy as np

from stdpose_mm.io.video import FrameSource, write_video
from stdpose_mm.structures import OCCLUDED, PersonLabel, Skeleton, VideoLabels

GIVEN_COLOR = (80, 220, 80)
TEXT_COLOR = (255, 255, 255)
MIN_OPACITY = 0.15
"""A joint with score 0 is drawn this faintly, so that nothing is hidden from review."""

Color = tuple[int, int, int]


def track_color(track_id: int | None) -> Color:
    """Choose a BGR colour that differs clearly between neighbouring track ids; grey without one."""
    if track_id is None:
        return (160, 160, 160)
    golden_ratio = 0.618034
    red, green, blue = colorsys.hsv_to_rgb((0.55 + track_id * golden_ratio) % 1.0, 0.75, 1.0)
    return round(255 * blue), round(255 * green), round(255 * red)


def draw_people(
    picture: np.ndarray,
    persons: Iterable[PersonLabel],
    skeleton: Skeleton,
    frame_index: int | None = None,
) -> np.ndarray:
    """Draw people on a copy of a frame.

    Colours tell tracks apart. A given pose is opaque with filled joints, its box carries the tag
    'given' and the frame a green border; a propagated pose has hollow joints and fades with its
    scores. Occluded joints are smaller. Absent people are not drawn.

    Args:
        picture: BGR uint8 [H, W, 3].
        persons: People of this frame.
        skeleton: Joints and limbs of the people.
        frame_index: 0-based index to write into the corner, if not ``None``.

    Returns:
        BGR uint8 [H, W, 3].
    """
    canvas = picture.copy()
    height, width = canvas.shape[:2]
    unit = max(1.0, max(height, width) / 480)
    any_given = False
    for person in persons:
        if not person.has_place:
            continue
        any_given |= person.source == 'given'
        _draw_person(canvas, person, skeleton, unit)
    if any_given:
        edge = round(2 * unit)
        cv2.rectangle(canvas, (0, 0), (width - 1, height - 1), GIVEN_COLOR, 2 * edge)
    if frame_index is not None:
        text = f'frame {frame_index}' + (' given' if any_given else '')
        _write(canvas, text, (round(8 * unit), round(18 * unit)), TEXT_COLOR, unit)
    return canvas


def overlay_frames(frames: FrameSource, labels: VideoLabels) -> Iterator[np.ndarray]:
    """Yield every frame of a video with its people drawn."""
    by_frame = {index: labels[index] for index in labels}
    for index in range(len(frames)):
        yield draw_people(frames[index], by_frame.get(index, ()), labels.skeleton, index)


def write_overlay(path: str | PathLike[str], frames: FrameSource, labels: VideoLabels) -> None:
    """Write a video of all frames with the people of ``labels`` drawn, atomically.

    Raises:
        InputError: If a frame cannot be read or the file cannot be written.
    """
    write_video(path, overlay_frames(frames, labels), fps=frames.fps or 25)


def _draw_person(canvas: np.ndarray, person: PersonLabel, skeleton: Skeleton, unit: float) -> None:
    color = track_color(person.track_id)
    given = person.source == 'given'
    scores = np.ones(len(person.visibility)) if given or person.scores is None else person.scores
    opacity = np.clip(scores, MIN_OPACITY, 1.0)
    points = [(round(x), round(y)) for x, y in person.keypoints.tolist()]
    for first, second in skeleton.limbs:
        if person.labelled[first] and person.labelled[second]:
            faint = float(min(opacity[first], opacity[second]))
            ends, thickness = (points[first], points[second]), round(2 * unit)
            _blend(canvas, ends, thickness + 2, faint, cv2.line, color, thickness)
    for joint in np.flatnonzero(person.labelled):
        radius = round((2 if person.visibility[joint] == OCCLUDED else 3) * unit)
        style = (radius, color, cv2.FILLED if given else max(1, radius // 2))
        _blend(canvas, [points[joint]], radius + 3, float(opacity[joint]), cv2.circle, *style)
    if person.labelled.any():
        left, top = person.keypoints[person.labelled].min(axis=0)
        name = '' if person.track_id is None else f'{person.track_id} '
        corner = (round(left), max(round(top - 6 * unit), round(12 * unit)))
        _write(canvas, f'{name}given' if given else name, corner, color, unit)


def _blend(
    canvas: np.ndarray,
    points: Sequence[tuple[int, int]],
    margin: int,
    opacity: float,
    draw: Callable[..., object],
    *style: Any,
) -> None:
    """Blend a shape into the region around its points; blending the whole canvas is slow."""
    size = canvas.shape[1::-1]
    low = np.clip(np.min(points, axis=0) - margin, 0, size)
    high = np.clip(np.max(points, axis=0) + margin + 1, 0, size)
    pixels = canvas[low[1] : high[1], low[0] : high[0]]
    if pixels.size:
        painted = pixels.copy()
        draw(painted, *((int(x - low[0]), int(y - low[1])) for x, y in points), *style, cv2.LINE_AA)
        cv2.addWeighted(painted, opacity, pixels, 1 - opacity, 0, dst=painted)
        pixels[:] = painted


def _write(
    canvas: np.ndarray, text: str, corner: tuple[int, int], color: Color, unit: float
) -> None:
    scale, thickness = 0.4 * unit, max(1, round(unit))
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(canvas, text, corner, font, scale, (0, 0, 0), thickness + 2, cv2.LINE_AA)
    cv2.putText(canvas, text, corner, font, scale, color, thickness, cv2.LINE_AA)
