"""Drawing of people and objects, and of which joints are visible.

A person is a set of parts (tapered limbs, trunk, head) drawn back to front at twice the picture's
resolution and averaged down. The mid-exposure drawing also writes a part-id buffer; a joint is
occluded if the part drawn last at its pixel lies in front of it, or if a nearer layer covers it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stdpose_mm.structures import POSETRACK_SKELETON

from .appearance import HEAD_TEXTURE_SIZE, LIMB_TEXTURE_SIZE, TRUNK_TEXTURE_SIZE, Appearance
from .body import POINT_INDEX, SIDES, BodyShape

SUPERSAMPLING = 2
_SHIFT = 4
_ARC = 8

JOINTS = tuple(name for name in POSETRACK_SKELETON.keypoint_names if not name.endswith('_ear'))
"""The labelled joints, in PoseTrack's order without the ears."""


@dataclass(frozen=True)
class _Limb:
    name: str
    start: str
    end: str
    start_radius: float
    end_radius: float
    depth_bias: float = 0.0
    """Metres added to its depth to order the parts, so that adjoining parts do not flicker."""


_LIMBS = (
    _Limb('pelvis', 'left_hip', 'right_hip', 0.092, 0.092, 0.03),
    _Limb('neck', 'head_bottom', 'head', 0.05, 0.045, 0.02),
    _Limb('nose', 'head', 'nose', 0.03, 0.016),
    _Limb('hair', 'head', 'hair', 0.085, 0.05),
    *(
        limb
        for side in SIDES
        for limb in (
            _Limb(f'{side}_upper_arm', f'{side}_shoulder', f'{side}_elbow', 0.05, 0.04, -0.02),
            _Limb(f'{side}_forearm', f'{side}_elbow', f'{side}_wrist', 0.04, 0.028, -0.03),
            _Limb(f'{side}_hand', f'{side}_wrist', f'{side}_fingers', 0.034, 0.026, -0.03),
            _Limb(f'{side}_thigh', f'{side}_hip', f'{side}_knee', 0.082, 0.056),
            _Limb(f'{side}_shank', f'{side}_knee', f'{side}_ankle', 0.056, 0.036),
            _Limb(f'{side}_foot', f'{side}_heel', f'{side}_toes', 0.04, 0.03),
        )
    ),
)
_TRUNK, _HEAD = len(_LIMBS), len(_LIMBS) + 1
PART_NAMES = (*(limb.name for limb in _LIMBS), 'trunk', 'head')
_HAIR = PART_NAMES.index('hair')
_START = [POINT_INDEX[limb.start] for limb in _LIMBS]
_END = [POINT_INDEX[limb.end] for limb in _LIMBS]
_TRUNK_CORNERS = [
    POINT_INDEX[n] for n in ('left_shoulder', 'right_shoulder', 'right_hip', 'left_hip')
]

_OWN_PARTS = {
    (joint.replace('heel', 'ankle'), limb.name)
    for limb in _LIMBS
    for joint in (limb.start, limb.end)
    if limb.name != 'pelvis'
}
"""Joints and the parts that end at them; such a part shows the joint rather than hides it."""


@dataclass(frozen=True)
class PersonGeometry:
    """One person's parts in the picture at N times.

    Args:
        points: [N, len(POINTS), 2] pixels.
        depth: [N, len(POINTS)] metres; larger is further from the camera.
        scale: [N] pixels per metre.
        trunk, head: [N, 3, 3] columns left, up, forward in camera axes (x right, y up, z to the
            camera).
    """

    shape: BodyShape
    looks: Appearance
    points: np.ndarray
    depth: np.ndarray
    scale: np.ndarray
    trunk: np.ndarray
    head: np.ndarray
    outlines: np.ndarray
    """[N, limbs, 2 * _ARC, 2] limb outlines, pixels."""
    maps: np.ndarray
    """[N, limbs + 2, 2, 3] texture pixels -> picture pixels (limbs, trunk, head)."""
    trunk_circles: np.ndarray
    """[N, 4 * 12, 2] pixels; the trunk's outline is their convex hull."""
    head_outline: np.ndarray
    """[N, 24, 2] pixels."""
    part_depth: np.ndarray
    """[N, limbs + 2] metres, with bias: the order of drawing."""
    bounds: np.ndarray
    """[N, 4] x0, y0, x1, y1 of all parts together, pixels."""

    @property
    def head_size(self) -> np.ndarray:
        """[N, 2] half width and half height of the head's upright bounding box, pixels."""
        relative = self.head_outline - self.points[:, None, POINT_INDEX['head']]
        return np.abs(relative).max(axis=1)


def build_geometry(
    shape: BodyShape,
    looks: Appearance,
    points: np.ndarray,
    depth: np.ndarray,
    scale: np.ndarray,
    trunk: np.ndarray,
    head: np.ndarray,
) -> PersonGeometry:
    """Compute all outlines and texture maps of a person for a whole clip at once."""
    radii = np.array([(limb.start_radius, limb.end_radius) for limb in _LIMBS]) * shape.girth
    for i, limb in enumerate(_LIMBS):
        if limb.name in ('neck', 'nose', 'hair'):
            radii[i] /= shape.girth**0.6
        for part, loose in zip(('upper_arm', 'thigh', 'shank'), looks.loose, strict=True):
            if limb.name.endswith(part):
                radii[i] *= loose
    if not looks.long_hair:
        radii[_HAIR] = 0
    start, end = points[:, _START], points[:, _END]
    start_radius, end_radius = (radii[:, i] * scale[:, None] for i in range(2))
    outlines = _capsules(start, end, start_radius, end_radius)
    limb_maps = _limb_maps(start, end, start_radius, end_radius)

    corners = points[:, _TRUNK_CORNERS].copy()
    corners[:, 2] += 0.2 * (corners[:, 1] - corners[:, 2])
    corners[:, 3] += 0.2 * (corners[:, 0] - corners[:, 3])
    trunk_radii = np.array([0.055, 0.055, 0.085, 0.085]) * shape.girth * scale[:, None]
    circle = _unit(np.arange(12) / 12 * 2 * np.pi)
    circles = corners[:, :, None] + trunk_radii[:, :, None, None] * circle
    trunk_circles = circles.reshape(len(points), -1, 2)
    trunk_maps = _trunk_maps(corners, trunk_circles, trunk_radii[:, 0])

    centre = points[:, POINT_INDEX['head']]
    up = _direction(head[:, :2, 1] * (1, -1))
    across = np.stack([-up[:, 1], up[:, 0]], axis=1)
    visible_length = np.linalg.norm(head[:, :2, 1], axis=1)
    wide = shape.head_half_width
    tall = np.sqrt(wide**2 + (shape.head_half_height**2 - wide**2) * visible_length**2)
    half = np.stack([wide * scale, tall * scale], axis=1)
    angles = np.arange(24) / 24 * 2 * np.pi
    across, up = across * half[:, :1], up * half[:, 1:]
    cosine, sine = _unit(angles).T[:, :, None]
    head_outline = centre[:, None] + cosine * across[:, None] + sine * up[:, None]
    head_maps = _box_maps(centre, across, -up, _HEAD_PATCH, _HEAD_PATCH)

    bias = np.array([limb.depth_bias for limb in _LIMBS])
    part_depth = np.concatenate(
        [
            (depth[:, _START] + depth[:, _END]) / 2 + bias,
            depth[:, _TRUNK_CORNERS].mean(axis=1, keepdims=True),
            depth[:, [POINT_INDEX['head']]],
        ],
        axis=1,
    )
    everything = np.concatenate(
        [outlines.reshape(len(points), -1, 2), trunk_circles, head_outline], axis=1
    )
    return PersonGeometry(
        shape,
        looks,
        points,
        depth,
        scale,
        trunk,
        head,
        outlines,
        np.concatenate([limb_maps, trunk_maps[:, None], head_maps[:, None]], axis=1),
        trunk_circles,
        head_outline,
        part_depth,
        np.concatenate([everything.min(axis=1), everything.max(axis=1)], axis=1),
    )


@dataclass(frozen=True)
class Layer:
    """An image drawn on a part of the picture.

    Args:
        origin: x, y of its top-left pixel.
        image: [h, w, 4] float32 premultiplied BGR (0..255) and alpha (0..1).
        cover: [c * h, c * w] uint8, nonzero where it hides what is behind it at mid exposure: part
            index + 1 for a person. c is 1 or ``SUPERSAMPLING``.
    """

    origin: tuple[int, int]
    image: np.ndarray
    cover: np.ndarray

    def cover_at(self, x: float, y: float) -> int:
        """Look up the value of ``cover`` at a point in picture pixels; 0 outside the layer."""
        factor = self.cover.shape[0] // self.image.shape[0]
        column = int(np.floor((x - self.origin[0] + 0.5) * factor))
        row = int(np.floor((y - self.origin[1] + 0.5) * factor))
        height, width = self.cover.shape
        inside = 0 <= row < height and 0 <= column < width
        return int(self.cover[row, column]) if inside else 0

    def paint(self, frame: np.ndarray) -> None:
        """Draw the layer over ``frame`` [H, W, 3] float32 in place."""
        x, y = self.origin
        height, width = self.image.shape[:2]
        target = frame[y : y + height, x : x + width]
        target *= 1 - self.image[:, :, 3:]
        target += self.image[:, :, :3]


def draw_person(
    person: PersonGeometry, samples: list[int], width: int, height: int
) -> Layer | None:
    """Draw a person in one exposure; None if no part of it lies inside the picture.

    Args:
        person: The person to draw.
        samples: Times to average, ascending, an odd number; the middle time is mid exposure.
        width: Width of the picture.
        height: Height of the picture.
    """
    bounds = person.bounds[samples]
    window = _window(bounds[:, :2].min(axis=0), bounds[:, 2:].max(axis=0), width, height)
    if window is None:
        return None
    x0, y0, x1, y1 = window
    size = (SUPERSAMPLING * (y1 - y0), SUPERSAMPLING * (x1 - x0))
    # Pixel centres are integers at both resolutions, hence the half pixel.
    offset = (SUPERSAMPLING - 1) / 2 - SUPERSAMPLING * np.array((x0, y0), float)
    ids = np.zeros(size, np.uint8)
    total = np.zeros((*size, 4), np.float32)
    for sample in samples:
        canvas = np.zeros((*size, 4), np.uint8)
        middle = sample == samples[len(samples) // 2]
        _draw_parts(person, sample, offset, canvas, ids if middle else None)
        cv2.accumulate(canvas, total)
    # Colours stay in 0..255, alpha becomes 0..1.
    total *= np.array((1, 1, 1, 1 / 255), np.float32) / np.float32(len(samples))
    image = cv2.resize(total, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
    return Layer((x0, y0), image, ids)


def _draw_parts(
    person: PersonGeometry,
    sample: int,
    offset: np.ndarray,
    canvas: np.ndarray,
    ids: np.ndarray | None,
) -> None:
    height, width = canvas.shape[:2]
    trunk = cv2.convexHull(person.trunk_circles[sample].astype(np.float32))[:, 0]
    outlines = [
        np.rint((SUPERSAMPLING * outline + offset) * (1 << _SHIFT)).astype(np.int32)
        for outline in (person.outlines[sample], trunk, person.head_outline[sample])
    ]
    outlines = [*outlines[0], *outlines[1:]]
    low = np.array([outline.min(axis=0) for outline in outlines]) >> _SHIFT
    high = (np.array([outline.max(axis=0) for outline in outlines]) >> _SHIFT) + 2
    low, high = np.maximum(low, 0), np.minimum(high, (width, height))
    maps = SUPERSAMPLING * person.maps[sample]
    maps[:, :, 2] += offset - low
    boxes = np.concatenate([low, high], axis=1).tolist()
    for part in np.argsort(-person.part_depth[sample], kind='stable').tolist():
        left, top, right, bottom = boxes[part]
        if right <= left or bottom <= top:
            continue
        if part == _HAIR and not person.looks.long_hair:
            continue
        if part == _TRUNK:
            texture = _turned_trunk(person, sample)
        elif part == _HEAD:
            texture = _turned_head(person, sample)
        else:
            texture = person.looks.limbs[PART_NAMES[part]]
        box = np.s_[top:bottom, left:right]
        mask = np.zeros((bottom - top, right - left), np.uint8)
        local = outlines[part] - low[part].astype(np.int32) * (1 << _SHIFT)
        cv2.fillConvexPoly(mask, local, (255,), cv2.LINE_8, _SHIFT)
        size = right - left, bottom - top
        painted = cv2.warpAffine(texture, maps[part], size, borderMode=cv2.BORDER_REPLICATE)
        cv2.copyTo(painted, mask, canvas[box])
        if ids is not None:
            ids[box][mask > 0] = part + 1


def _window(
    low: np.ndarray, high: np.ndarray, width: int, height: int
) -> tuple[int, int, int, int] | None:
    """Find the pixels around two corners [2], x0, y0, x1, y1; None if none is in the picture."""
    x0, y0 = (int(max(np.floor(v) - 1, 0)) for v in low)
    x1, y1 = int(min(np.ceil(high[0]) + 2, width)), int(min(np.ceil(high[1]) + 2, height))
    return None if x1 <= x0 or y1 <= y0 else (x0, y0, x1, y1)


def draw_object_layer(
    texture: np.ndarray, matrices: np.ndarray, width: int, height: int
) -> Layer | None:
    """Draw a flat object in one exposure; None if it lies outside the picture.

    Args:
        texture: [h, w, 4] float32 premultiplied BGR and alpha.
        matrices: [S, 2, 3] texture pixels -> picture pixels at S (odd) times of the exposure.
        width: Width of the picture.
        height: Height of the picture.
    """
    rows, columns = texture.shape[:2]
    corners = np.array([(0, 0, 1), (columns, 0, 1), (0, rows, 1), (columns, rows, 1)], float)
    places = corners @ matrices.transpose(0, 2, 1)
    window = _window(places.min(axis=(0, 1)), places.max(axis=(0, 1)), width, height)
    if window is None:
        return None
    x0, y0, x1, y1 = window
    local = matrices.copy()
    local[:, :, 2] -= (x0, y0)
    drawn = [
        cv2.warpAffine(texture, matrix, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR)
        for matrix in local
    ]
    cover = (drawn[len(drawn) // 2][:, :, 3] > 0.5).astype(np.uint8)
    image = drawn[0] if len(drawn) == 1 else np.mean(drawn, axis=0)
    return Layer((x0, y0), image, cover)


def hidden_by_own_body(person: PersonGeometry, sample: int, layer: Layer) -> np.ndarray:
    """Find the joints behind another part of the same person: [len(JOINTS)] bool.

    The part that is drawn last at the joint's pixel hides the joint if the part's axis is nearer to
    the camera by more than the thickness of the part there.
    """
    hidden = np.zeros(len(JOINTS), bool)
    points, depth = person.points[sample], person.depth[sample]
    for i, joint in enumerate(JOINTS):
        point = POINT_INDEX[joint]
        part = layer.cover_at(*points[point]) - 1
        if part < 0 or (joint, PART_NAMES[part]) in _OWN_PARTS:
            continue
        if part == _TRUNK:
            nearer = depth[point] - depth[_TRUNK_CORNERS].mean()
            # A shoulder or hip at the far edge of a trunk seen at an angle is still visible.
            tolerance = 0.75 * person.shape.shoulder_half
        elif part == _HEAD:
            nearer = depth[point] - depth[POINT_INDEX['head']]
            tolerance = {'nose': 0.3, 'head_top': 0.85}.get(joint, 0.5)
            tolerance *= person.shape.head_half_width
        elif PART_NAMES[part] == 'pelvis':
            nearer = depth[point] - depth[[_START[part], _END[part]]].mean()
            tolerance = 0.75 * person.shape.hip_half
        else:
            a, b = points[_START[part]], points[_END[part]]
            along = np.dot(points[point] - a, b - a) / max(np.dot(b - a, b - a), 1e-9)
            along = np.clip(along, 0, 1)
            axis = (1 - along) * depth[_START[part]] + along * depth[_END[part]]
            nearer, tolerance = depth[point] - axis, 0.05
        hidden[i] = nearer > tolerance
    return hidden


_HEAD_PATCH = 24


def _head_normals() -> np.ndarray:
    """Compute the normals [_HEAD_PATCH ** 2, 3] of a ball in camera axes (right, up, near)."""
    side = (np.arange(_HEAD_PATCH) + 0.5) / _HEAD_PATCH * 2 - 1
    x, y = np.meshgrid(side, -side)
    radius = np.maximum(np.hypot(x, y), 1.0)
    x, y = x / radius, y / radius
    return np.stack([x, y, np.sqrt(np.maximum(1 - x**2 - y**2, 0))], axis=-1).reshape(-1, 3)


_NORMALS = _head_normals()
_HEAD_SHADE = (0.68 + 0.34 * _NORMALS[:, 2] + 0.06 * _NORMALS[:, 1])[:, None]
_TRUNK_COLUMNS = np.arcsin((np.arange(32) + 0.5) / 16 - 1)
_TRUNK_SHADE = (0.6 + 0.42 * np.cos(_TRUNK_COLUMNS))[None, :, None]


def _turned_trunk(person: PersonGeometry, sample: int) -> np.ndarray:
    """Warp the visible half of the trunk's texture onto a round trunk."""
    left_z, _, forward_z = person.trunk[sample, 2]
    columns = TRUNK_TEXTURE_SIZE[1]
    azimuth = np.arctan2(left_z, forward_z) + _TRUNK_COLUMNS
    picked = np.floor(azimuth / (2 * np.pi) * columns).astype(int) % columns
    texture = person.looks.trunk[:, picked] * _TRUNK_SHADE
    texture[:, :, 3] = 255
    return np.minimum(texture, 255).astype(np.uint8)


def _turned_head(person: PersonGeometry, sample: int) -> np.ndarray:
    """Warp the visible half of the head's texture onto a ball."""
    head = person.head[sample]
    up = _direction(head[None, :2, 1])[0]
    # Picture axes of the patch; its columns are perpendicular to the head's projected up direction.
    patch_axes = np.array([(up[1], -up[0], 0), (up[0], up[1], 0), (0, 0, 1)])
    normals = _NORMALS @ (patch_axes @ head)
    rows, columns = HEAD_TEXTURE_SIZE
    elevation = np.arcsin(np.clip(normals[:, 1], -1, 1))
    azimuth = np.arctan2(normals[:, 0], normals[:, 2])
    row = np.clip(((0.5 - elevation / np.pi) * rows).astype(int), 0, rows - 1)
    column = np.floor(azimuth / (2 * np.pi) * columns).astype(int) % columns
    texture = person.looks.head[row, column] * _HEAD_SHADE
    texture[:, 3] = 255
    return np.minimum(texture, 255).astype(np.uint8).reshape(_HEAD_PATCH, _HEAD_PATCH, 4)


def _direction(vectors: np.ndarray) -> np.ndarray:
    """Normalise vectors [N, 2] to unit length; vectors of length 0 point along +y."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.where(length > 1e-6, vectors / np.maximum(length, 1e-6), (0.0, 1.0))


def _unit(angles: np.ndarray) -> np.ndarray:
    """Return vectors [..., 2] of length 1 in the given directions."""
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1)


def _capsules(
    start: np.ndarray, end: np.ndarray, start_radius: np.ndarray, end_radius: np.ndarray
) -> np.ndarray:
    """Outline two circles and their common tangents: convex polygons [..., 2 * _ARC, 2]."""
    axis = end - start
    length = np.linalg.norm(axis, axis=-1)
    heading = np.arctan2(axis[..., 1], axis[..., 0])
    taper = np.clip((start_radius - end_radius) / np.maximum(length, 1e-6), -0.95, 0.95)
    opening = np.pi / 2 - np.arcsin(taper)
    steps = np.linspace(-1, 1, _ARC)
    around_end = heading[..., None] + opening[..., None] * steps
    around_start = heading[..., None] + np.pi + (np.pi - opening)[..., None] * steps

    def arc(centre: np.ndarray, radius: np.ndarray, angles: np.ndarray) -> np.ndarray:
        return centre[..., None, :] + radius[..., None, None] * _unit(angles)

    return np.concatenate(
        [arc(end, end_radius, around_end), arc(start, start_radius, around_start)], axis=-2
    )


def _limb_maps(
    start: np.ndarray, end: np.ndarray, start_radius: np.ndarray, end_radius: np.ndarray
) -> np.ndarray:
    """Map limb textures to the picture, [..., 2, 3]: rows along the limb from cap to cap."""
    length = np.linalg.norm(end - start, axis=-1, keepdims=True)
    along = _direction(end - start)
    across = np.stack([along[..., 1], -along[..., 0]], axis=-1)
    half_width = np.maximum(np.maximum(start_radius, end_radius), 0.3)[..., None]
    middle = (start + end) / 2 + along * (end_radius - start_radius)[..., None] / 2
    half_length = (length + start_radius[..., None] + end_radius[..., None]) / 2
    half_length = np.maximum(half_length, 0.3)
    return _box_maps(middle, across * half_width, along * half_length, *LIMB_TEXTURE_SIZE)


def _trunk_maps(corners: np.ndarray, circles: np.ndarray, top_radius: np.ndarray) -> np.ndarray:
    """Map the visible half of the trunk texture to the picture: [N, 2, 3]."""
    top, bottom = corners[:, :2].mean(axis=1), corners[:, 2:].mean(axis=1)
    down = _direction(bottom - top)
    across = np.stack([down[:, 1], -down[:, 0]], axis=1)
    relative = circles - ((top + bottom) / 2)[:, None]
    half_width = np.abs(np.einsum('npk,nk->np', relative, across)).max(axis=1)
    along = np.einsum('npk,nk->np', relative, down)
    low, high = along.min(axis=1), along.max(axis=1)
    middle = (top + bottom) / 2 + down * ((low + high) / 2)[:, None]
    return _box_maps(
        middle,
        across * half_width[:, None],
        down * np.maximum((high - low) / 2, top_radius)[:, None],
        TRUNK_TEXTURE_SIZE[0],
        len(_TRUNK_COLUMNS),
    )


def _box_maps(
    middle: np.ndarray, across: np.ndarray, down: np.ndarray, rows: int, columns: int
) -> np.ndarray:
    """Map a rows x columns texture to the box middle +- across +- down: [..., 2, 3]."""
    right, below = across * (2 / columns), down * (2 / rows)
    origin = middle - right * ((columns - 1) / 2) - below * ((rows - 1) / 2)
    return np.stack([right, below, origin], axis=-1)
