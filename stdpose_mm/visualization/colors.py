"""Colours of overlays, reports and plots, which colour-blind people can also tell apart.

They are the colours of Okabe and Ito (2008), whose hues differ for every kind of colour vision.
Left and right also differ in brightness, so that a swap shows on a grey print.
"""

from __future__ import annotations

import colorsys
from functools import lru_cache

from stdpose_mm.structures import Skeleton
from stdpose_mm.structures.skeleton import Side

SIDE_COLORS: dict[Side, str] = {'left': '#56B4E9', 'right': '#D55E00', 'middle': '#F2F2F2'}
"""Colours of joints, limbs and curves, by the subject's own left and right."""

_CURVE_COLORS: dict[Side, str] = {**SIDE_COLORS, 'middle': '#7F7F7F'}
"""Colours of curves on white, where the light colour of 'middle' would not be visible."""

_LINES = ('-', '--', '-.', ':')

GIVEN_COLOR = '#00C08A'
"""Colour of given labels."""

DOUBTFUL = 0.5
"""Score below which a propagated joint is more likely wrong than right and drawn as doubtful."""

DOUBT_COLOR = '#F0E442'
"""Colour of doubtful joints."""

DARK_COLOR = '#141414'
"""Colour of outlines that separate the other colours from the picture."""

Color = tuple[int, int, int]


def bgr(color: str) -> Color:
    """Convert ``#rrggbb`` to OpenCV's order."""
    red, green, blue = bytes.fromhex(color.removeprefix('#'))
    return blue, green, red


def track_color(track_id: int | None) -> str:
    """Choose a colour that differs clearly between neighbouring track ids; grey for None."""
    if track_id is None:
        return '#a0a0a0'
    golden_ratio = 0.618034
    rgb = colorsys.hsv_to_rgb((0.55 + track_id * golden_ratio) % 1.0, 0.75, 1.0)
    return '#' + bytes(round(255 * value) for value in rgb).hex()


def curve_styles(skeleton: Skeleton) -> list[dict[str, str]]:
    """Choose matplotlib's ``color`` and ``linestyle`` for every joint's curve, on white paper.

    The colour is a shade of the side's colour, from dark to light. The curves of a left and a right
    joint differ only in the side's colour.
    """
    styles: list[dict[str, str]] = [{} for _ in skeleton.keypoint_names]
    for side, base in _CURVE_COLORS.items():
        joints = [joint for joint, other in enumerate(skeleton.sides) if other == side]
        for rank, joint in enumerate(joints):
            share = (rank + 1) / len(joints)
            shade = _mix(base, '#000000' if share < 0.5 else '#ffffff', abs(share - 0.5))
            styles[joint] = {'color': shade, 'linestyle': _LINES[rank % len(_LINES)]}
    return styles


def _mix(color: str, other: str, share: float) -> str:
    pairs = zip(bgr(color), bgr(other), strict=True)
    blue, green, red = (round((1 - share) * a + share * b) for a, b in pairs)
    return f'#{red:02x}{green:02x}{blue:02x}'


@lru_cache(maxsize=16)
def limb_sides(skeleton: Skeleton) -> tuple[Side, ...]:
    """Return the side of every limb: the side of its ends, or 'middle' if they differ in side."""
    sides = []
    for limb in skeleton.limbs:
        ends: set[Side] = {skeleton.sides[joint] for joint in limb} - {'middle'}
        sides.append(ends.pop() if len(ends) == 1 else 'middle')
    return tuple(sides)
