"""Random textures: multi-scale noise, cloth patterns, backgrounds, foreground objects."""

from __future__ import annotations

import cv2
import numpy as np


def random_color(
    rng: np.random.Generator, low: float = 15, high: float = 235, saturation: float = 1.0
) -> np.ndarray:
    """Draw a colour [3] BGR, float32; ``saturation`` 0 gives greys."""
    color = rng.uniform(low, high, 3)
    return (color.mean() + saturation * (color - color.mean())).astype(np.float32)


def noise_image(
    rng: np.random.Generator, height: int, width: int, scales: tuple[int, ...], channels: int = 1
) -> np.ndarray:
    """Draw smooth noise [height, width, channels] float32 of about unit size, over ``scales``.

    Args:
        rng: Source of all choices.
        height: Rows.
        width: Columns.
        scales: Size in pixels of the blobs of every octave; larger blobs are stronger.
        channels: Number of independent fields.
    """
    total = np.zeros((height, width, channels), np.float32)
    for scale in scales:
        grid = rng.standard_normal((height // scale + 3, width // scale + 3, channels), np.float32)
        octave = cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        total += octave.reshape(height, width, channels) * np.float32(np.sqrt(scale))
    return total / np.float32(np.sqrt(sum(scales)))


def cloth_image(
    rng: np.random.Generator, height: int, width: int, base: np.ndarray, pattern: str
) -> np.ndarray:
    """Draw cloth [height, width, 3] float32 BGR; rows run down the limb, columns around it.

    Args:
        rng: Source of all choices.
        height: Rows.
        width: Columns.
        base: [3] BGR of the cloth.
        pattern: 'plain', 'rings', 'stripes', 'checks', 'noise' or 'dots'.
    """
    image = np.broadcast_to(base, (height, width, 3)).astype(np.float32)
    second = base + rng.choice([-1, 1]) * rng.uniform(35, 110)
    if rng.random() < 0.5:
        second = random_color(rng)
    rows = np.arange(height, dtype=np.float32)[:, None] / height
    columns = np.arange(width, dtype=np.float32)[None, :] / width
    period = rng.uniform(0.12, 0.35)
    across = (rows / period) % 1 < rng.uniform(0.3, 0.6)
    along = (columns * round(1.6 / period)) % 1 < rng.uniform(0.3, 0.6)
    masks = {
        'plain': np.zeros((height, width), bool),
        'rings': np.broadcast_to(across, (height, width)),
        'stripes': np.broadcast_to(along, (height, width)),
        'checks': across ^ along,
        'noise': noise_image(rng, height, width, (max(height // 6, 2),))[:, :, 0] > 0.3,
        'dots': (np.sin(rows * 40) * np.sin(columns * 40)) > 0.55,
    }
    image[masks[pattern]] = second
    return image + 5 * noise_image(rng, height, width, (2, 8))


def draw_background(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Draw a scene [height, width, 3] uint8 BGR: wall and floor, noise, blobs, lines and shapes."""
    saturation = rng.uniform(0.2, 1.0)
    top, bottom, floor = (random_color(rng, saturation=saturation) for _ in range(3))
    ramp = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    image = np.ascontiguousarray(np.broadcast_to(top + ramp * (bottom - top), (height, width, 3)))
    strength = rng.uniform(6, 26)
    image += strength * noise_image(rng, height, width, (4, 16, 64), channels=3)

    def color() -> tuple[float, ...]:
        return tuple(float(c) for c in random_color(rng, saturation=saturation))

    def place() -> tuple[int, int]:
        return int(rng.uniform(0, width)), int(rng.uniform(0, height))

    horizon = int(height * rng.uniform(0.5, 0.8))
    if rng.random() < 0.75:
        image[horizon:] = floor + strength * noise_image(
            rng, height - horizon, width, (3, 12, 40), channels=3
        )
        for _ in range(rng.integers(0, 8)):
            near = int(rng.uniform(-width, 2 * width)), height
            cv2.line(image, near, place(), color(), 1, cv2.LINE_AA)
    for _ in range(rng.integers(4, 16)):
        (x, y), shape = place(), rng.integers(0, 5)
        size = rng.uniform(0.04, 0.3) * height
        if shape == 0:
            far = (int(x + size * rng.uniform(0.3, 1.5)), int(y + size * rng.uniform(0.3, 2)))
            cv2.rectangle(image, (x, y), far, color(), -1)
        elif shape == 1:
            axes = (int(size * 0.5) + 1, int(size * rng.uniform(0.2, 0.6)) + 1)
            cv2.ellipse(image, (x, y), axes, rng.uniform(0, 180), 0, 360, color(), -1, cv2.LINE_AA)
        elif shape == 2:
            corners = np.array((x, y)) + rng.normal(0, size * 0.5, (4, 2))
            cv2.fillPoly(image, [corners.astype(np.int32)], color(), cv2.LINE_AA)
        else:
            # Limb-like strokes, so that a network does not take every elongated thing for an arm.
            end = (int(x + rng.normal(0, size)), int(y + rng.normal(0, size)))
            cv2.line(image, (x, y), end, color(), int(rng.integers(1, 13)), cv2.LINE_AA)
    if rng.random() < 0.5:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.6, 2.5))
    image = image + rng.uniform(2, 8) * noise_image(rng, height, width, (1, 2))
    return np.clip(image, 0, 255).astype(np.uint8)


_OBJECTS = {
    'post': (2.6, 0.28),
    'box': (0.7, 1.0),
    'disc': (0.6, 0.6),
    'plant': (1.1, 0.9),
    'bars': (0.9, 1.2),
}
"""Kind -> height and width relative to its size."""


def draw_object(rng: np.random.Generator, size: float) -> np.ndarray:
    """Draw a foreground object [h, w, 4] float32, premultiplied BGR and alpha in 0..1.

    Args:
        rng: Source of all choices.
        size: Typical extent of the object in pixels.
    """
    kind = [*_OBJECTS][rng.integers(len(_OBJECTS))]
    height, width = (max(int(size * r * rng.uniform(0.8, 1.25)), 6) for r in _OBJECTS[kind])
    # The mask is drawn at twice the size and averaged down, which smooths the outline.
    mask = np.zeros((2 * height, 2 * width), np.uint8)
    if kind in ('post', 'box'):
        mask[4:-4, 4:-4] = 255
    elif kind == 'disc':
        cv2.ellipse(mask, (width, height), (width - 3, height - 3), 0, 0, 360, (255,), -1)
    elif kind == 'plant':
        for _ in range(rng.integers(9, 18)):
            tip = np.array((rng.uniform(0.1, 1.9) * width, rng.uniform(0.05, 1.4) * height))
            root = np.array((width * rng.uniform(0.8, 1.2), 2 * height - 3))
            side = np.array((tip[1] - root[1], root[0] - tip[0])) * rng.uniform(0.06, 0.14)
            middle = (tip + root) / 2
            leaf = np.array([root, middle + side, tip, middle - side]).astype(np.int32)
            cv2.fillConvexPoly(mask, leaf, (255,))
    else:
        pitch = max(int(rng.uniform(0.18, 0.35) * height), 8)
        for y in range(pitch // 2, 2 * height, pitch * 2):
            mask[y : y + int(pitch * 0.7), 3:-3] = 255
        mask[4:-4, 4 : 4 + pitch] = mask[4:-4, -4 - pitch : -4] = 255
    alpha = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)[:, :, None] / 255.0
    patterns = ('plain', 'rings', 'stripes', 'checks', 'noise')
    color = cloth_image(
        rng, height, width, random_color(rng), patterns[rng.integers(len(patterns))]
    )
    light = np.linspace(rng.uniform(0.75, 1.1), rng.uniform(0.6, 1.0), width)[None, :, None]
    color = np.clip(color * light + 6 * noise_image(rng, height, width, (3, 10)), 0, 255)
    return np.concatenate([color * alpha, alpha], axis=2).astype(np.float32)
