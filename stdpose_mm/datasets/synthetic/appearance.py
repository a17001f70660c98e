"""Appearance of a person: skin, hair, clothes, and the texture of every body part.

Left and right limbs always differ somewhere (a band, a sock, a stripe), or at least in the fine
grain of the cloth, and so do front and back of the trunk and the head. The sides can therefore be
told from the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .body import SIDES
from .textures import cloth_image, random_color

LIMB_TEXTURE_SIZE = (40, 20)
"""Rows down the limb, columns across it."""
TRUNK_TEXTURE_SIZE = (40, 96)
"""Rows from neck to hips, columns once around the trunk: front at 0, left at a quarter."""
HEAD_TEXTURE_SIZE = (64, 128)
"""Rows from crown to chin, columns once around the head: nose at 0, left at a quarter."""

_PATTERNS = ('plain', 'plain', 'rings', 'stripes', 'checks', 'noise', 'dots')
_SKIN_TONES = np.array(
    [
        (150, 190, 235),
        (120, 165, 215),
        (90, 130, 185),
        (65, 95, 145),
        (45, 65, 100),
        (165, 200, 245),
    ],
    np.float32,
)
_HAIR_TONES = np.array(
    [(25, 25, 28), (30, 45, 75), (45, 80, 120), (90, 160, 205), (40, 60, 150), (175, 175, 175)],
    np.float32,
)


@dataclass(frozen=True)
class Appearance:
    """Textures of one person.

    Args:
        limbs: Part name -> [rows, columns, 4] uint8 BGRA, alpha 255; see ``LIMB_TEXTURE_SIZE``.
        trunk: ``TRUNK_TEXTURE_SIZE`` x 4 uint8 BGRA.
        head: ``HEAD_TEXTURE_SIZE`` x 4 uint8 BGRA.
        long_hair: Whether hair falls to the shoulders.
        loose: [upper arm, thigh, shank] widths of the clothes relative to the limb's.
    """

    limbs: dict[str, np.ndarray]
    trunk: np.ndarray
    head: np.ndarray
    long_hair: bool
    loose: tuple[float, float, float]


def sample_appearance(rng: np.random.Generator, light: np.ndarray) -> Appearance:
    """Draw the appearance of a person.

    Args:
        rng: Source of all choices.
        light: [3] BGR gain of the scene's light.
    """
    skin = _SKIN_TONES[rng.integers(len(_SKIN_TONES))] * np.float32(rng.uniform(0.88, 1.08))
    hair = _HAIR_TONES[rng.integers(len(_HAIR_TONES))] * np.float32(rng.uniform(0.8, 1.2))
    shirt, trousers, shoes = random_color(rng), random_color(rng, high=190), random_color(rng)
    shirt_pattern, trouser_pattern = (_PATTERNS[i] for i in rng.integers(0, len(_PATTERNS), 2))
    sleeve = rng.choice([0.0, 0.9, 1.2, 2.0])
    leg = rng.choice([0.6, 1.1, 2.0, 2.0])
    rows, columns = LIMB_TEXTURE_SIZE

    def limb(covered: float, cloth: np.ndarray, pattern: str) -> np.ndarray:
        """Draw a limb whose upper part (a share of its length) is covered by cloth."""
        image = cloth_image(rng, rows, columns, skin, 'plain')
        hem = int(np.clip(covered, 0, 1) * rows)
        if hem:
            image[:hem] = cloth_image(rng, rows, columns, cloth, pattern)[:hem]
        return image

    limbs: dict[str, np.ndarray] = {}
    for side in SIDES:
        limbs[f'{side}_upper_arm'] = limb(sleeve, shirt, shirt_pattern)
        limbs[f'{side}_forearm'] = limb(sleeve - 1, shirt, shirt_pattern)
        limbs[f'{side}_hand'] = limb(0, skin, 'plain')
        limbs[f'{side}_thigh'] = limb(leg, trousers, trouser_pattern)
        limbs[f'{side}_shank'] = limb(leg - 1, trousers, trouser_pattern)
        limbs[f'{side}_foot'] = cloth_image(rng, rows, columns, shoes, 'plain')
        limbs[f'{side}_foot'][:, -4:] = random_color(rng)
    _mark_sides(rng, limbs)
    limbs['pelvis'] = cloth_image(rng, rows, columns, trousers, 'plain')
    limbs['neck'] = cloth_image(rng, rows, columns, skin * 0.9, 'plain')
    limbs['nose'] = cloth_image(rng, rows, columns, skin * 0.85, 'plain')
    limbs['hair'] = cloth_image(rng, rows, columns, hair, 'noise')
    long_hair = bool(rng.random() < 0.35)
    return Appearance(
        {name: _finish(image * light * _tube_shade(columns)) for name, image in limbs.items()},
        _finish(_trunk_texture(rng, shirt, shirt_pattern, skin) * light),
        _finish(_head_texture(rng, skin, hair, long_hair) * light),
        long_hair,
        (
            float(rng.uniform(1.0, 1.3)) if sleeve else 1.0,
            float(rng.uniform(1.0, 1.35)),
            float(rng.uniform(1.0, 1.5)) if leg > 1.5 else 1.0,
        ),
    )


def _mark_sides(rng: np.random.Generator, limbs: dict[str, np.ndarray]) -> None:
    for part in ('upper_arm', 'forearm', 'thigh', 'shank'):
        if rng.random() < 0.45:
            side = SIDES[rng.integers(2)]
            start = int(rng.uniform(0.1, 0.7) * LIMB_TEXTURE_SIZE[0])
            limbs[f'{side}_{part}'][start : start + int(rng.integers(4, 12))] = random_color(rng)
    if rng.random() < 0.3:
        side = SIDES[rng.integers(2)]
        limbs[f'{side}_foot'][:] = random_color(rng)
    if rng.random() < 0.25:
        side = SIDES[rng.integers(2)]
        limbs[f'{side}_hand'][:] = random_color(rng)


def _trunk_texture(
    rng: np.random.Generator, shirt: np.ndarray, pattern: str, skin: np.ndarray
) -> np.ndarray:
    rows, columns = TRUNK_TEXTURE_SIZE
    image = cloth_image(rng, rows, columns, shirt, pattern)
    azimuth = _azimuth(columns)
    front = np.cos(azimuth)
    neckline = int(rng.integers(2, 8))
    image[:neckline, front > 0.85] = skin
    if rng.random() < 0.6:
        top, middle = rng.integers(8, 18), rng.uniform(-0.5, 0.5)
        logo = np.abs(azimuth - middle) < rng.uniform(0.15, 0.5)
        image[top : top + int(rng.integers(4, 14)), logo] = random_color(rng)
    if rng.random() < 0.4:
        image[:, np.abs(np.abs(azimuth) - np.pi) < rng.uniform(0.2, 0.9)] = random_color(rng)
    if rng.random() < 0.4:
        image[:, np.abs(azimuth - rng.choice([-1, 1]) * np.pi / 2) < 0.35] = random_color(rng)
    if rng.random() < 0.3:
        image[:, np.abs(azimuth) < 0.06] = random_color(rng)
    image[-3:] = random_color(rng, high=120)
    return image


def _head_texture(
    rng: np.random.Generator, skin: np.ndarray, hair: np.ndarray, long_hair: bool
) -> np.ndarray:
    rows, columns = HEAD_TEXTURE_SIZE
    azimuth = _azimuth(columns)[None, :]
    elevation = np.pi / 2 - (np.arange(rows)[:, None] + 0.5) / rows * np.pi
    image = cloth_image(rng, rows, columns, skin, 'plain')
    for sign in (-1, 1):
        eye = ((azimuth - sign * 0.42) / 0.2) ** 2 + ((elevation - 0.12) / 0.11) ** 2
        pupil = ((azimuth - sign * 0.42) / 0.1) ** 2 + ((elevation - 0.12) / 0.1) ** 2
        brow = (np.abs(azimuth - sign * 0.42) < 0.24) & (np.abs(elevation - 0.36) < 0.07)
        ear = ((np.abs(azimuth) - 1.6) / 0.14) ** 2 + ((elevation + 0.02) / 0.22) ** 2 < 1
        image[eye < 1] = (235, 235, 235)
        image[pupil < 1] = (30, 30, 30)
        image[brow] = hair * 0.8
        image[ear] = skin * 0.75
    mouth = (np.abs(azimuth) < 0.3) & (np.abs(elevation + 0.55) < 0.07)
    image[mouth] = skin * (0.55, 0.5, 0.8)
    if rng.random() < 0.2:
        beard = (np.abs(azimuth) < 1.0) & (elevation < -0.35) & ~mouth
        image[np.broadcast_to(beard, (rows, columns))] = hair
    hairline_front, hairline_back = rng.uniform(0.5, 0.8), rng.uniform(-0.9, -0.4)
    if long_hair:
        hairline_back = -1.3
    elif rng.random() < 0.1:
        hairline_front = 1.3
    share = 0.5 - 0.5 * np.cos(np.clip((np.abs(azimuth) - 0.6) / 1.7, 0, 1) * np.pi)
    covered = elevation > hairline_front + share * (hairline_back - hairline_front)
    strands = cloth_image(rng, rows, columns, hair, 'plain') * rng.uniform(
        0.8, 1.15, (1, columns, 1)
    )
    image[covered] = strands[covered]
    if rng.random() < 0.2:
        cap = elevation > 0.5
        peak = (np.abs(azimuth) < 0.9) & (elevation > 0.38)
        image[np.broadcast_to(cap | peak, (rows, columns))] = random_color(rng)
    return cv2.GaussianBlur(image.astype(np.float32), (3, 3), 0.6)


def _azimuth(columns: int) -> np.ndarray:
    """Compute angles around the body [columns]: 0 at the front, positive to the person's left."""
    angle = (np.arange(columns) + 0.5) / columns * 2 * np.pi
    return np.where(angle > np.pi, angle - 2 * np.pi, angle)


def _tube_shade(columns: int) -> np.ndarray:
    """Compute the brightness across a round limb [1, columns, 1]: darker towards its outline."""
    across = np.linspace(-0.95, 0.95, columns)
    return (0.55 + 0.5 * np.sqrt(1 - across**2))[None, :, None]


def _finish(image: np.ndarray) -> np.ndarray:
    opaque = np.full((*image.shape[:2], 1), 255, np.uint8)
    return np.concatenate([np.clip(image, 0, 255).astype(np.uint8), opaque], axis=2)
