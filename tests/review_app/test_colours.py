"""Contrast of the colours of the page (WCAG 2.2: text 4.5:1, signs and edges of controls 3:1)."""

import re
from pathlib import Path

import pytest

import stdpose_mm.review_app

STATIC = Path(stdpose_mm.review_app.__file__).parent / 'static'
DECLARED = re.compile(r'--([\w-]+):\s*light-dark\((#[0-9a-f]{6}),\s*(#[0-9a-f]{6})\);')
COLOURS = {
    name: {'light': light, 'dark': dark}
    for name, light, dark in DECLARED.findall((STATIC / 'colours.css').read_text())
}
GROUNDS = ('page', 'panel', 'raised', 'pressed')
TEXT = [
    *((text, ground) for text in ('text', 'quiet') for ground in GROUNDS),
    ('accent', 'panel'),
    ('accent', 'raised'),
    ('on-accent', 'accent'),
    ('good', 'good-back'),
    ('text', 'good-back'),
    ('quiet', 'good-back'),
    ('good', 'panel'),
    ('warn', 'warn-back'),
    ('bad', 'bad-back'),
    ('bad', 'panel'),
    ('panel', 'head'),
]
SIGNS = [
    *(('focus', ground) for ground in (*GROUNDS, 'stage')),
    ('accent', 'stage'),
    ('edge', 'panel'),
    ('edge', 'lane'),
    ('doubt', 'lane'),
    ('check', 'panel'),
    ('suggest', 'panel'),
    ('draft', 'panel'),
    ('head', 'panel'),
]


def luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_of_black_and_white_is_21():
    assert contrast('#000000', '#ffffff') == pytest.approx(21)


@pytest.mark.parametrize('scheme', ['light', 'dark'])
@pytest.mark.parametrize(
    ('front', 'ground', 'least'),
    [*((*pair, 4.5) for pair in TEXT), *((*pair, 3.0) for pair in SIGNS)],
)
def test_what_must_be_read_stands_out(front, ground, least, scheme):
    assert contrast(COLOURS[front][scheme], COLOURS[ground][scheme]) >= least


def test_every_colour_of_the_style_sheet_is_declared_for_light_and_dark():
    """A colour that is written elsewhere would escape the pairs above."""
    sheet = (STATIC / 'review.css').read_text()
    used = set(re.findall(r'var\(--([\w-]+)\)', sheet))
    assert used <= set(COLOURS)
    assert not re.findall(r'#[0-9a-fA-F]{3,8}\b(?=\s*[;,)])', sheet)
