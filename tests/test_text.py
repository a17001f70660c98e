"""Numbers and lists in sentences."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stdpose_mm.text import counted, duration, escape_unprintable, listed, plural, ranges


@pytest.mark.parametrize(
    ('text', 'escaped'),
    [
        ('Ünïcode 名\n\t', 'Ünïcode 名\n\t'),
        ('a\x1b]0;title\x07b', r'a\x1b]0;title\x07b'),
        ('\x1b[2J', r'\x1b[2J'),
        ('cod\u202egpj.exe', r'cod\u202egpj.exe'),
        ('\rbar \x1b[1;31mred\x1b[0m', '\rbar \x1b[1;31mred\x1b[0m'),
        # Hidden text.
        ('\x1b[8mx', r'\x1b[8mx'),
    ],
)
def test_what_would_control_a_terminal_is_escaped(text, escaped):
    assert escape_unprintable(text) == escaped
    assert escape_unprintable(escaped) == escaped


@pytest.mark.parametrize(
    ('noun', 'many'),
    [
        ('person', 'people'),
        ('frame', 'frames'),
        ('rat', 'rats'),
        ('mouse', 'mice'),
        ('lab mouse', 'lab mice'),
        ('Mouse', 'Mice'),
        ('fly', 'flies'),
        ('monkey', 'monkeys'),
        ('finch', 'finches'),
        ('fish', 'fish'),
        ('hands', 'hands'),
        ('mice', 'mice'),
    ],
)
def test_plural(noun, many):
    assert plural(noun) == many


@pytest.mark.parametrize(
    ('number', 'text'), [(0, '0 people'), (1, '1 person'), (2, '2 people'), (1200, '1200 people')]
)
def test_counted(number, text):
    assert counted(number, 'person') == text


@pytest.mark.parametrize(
    ('frames', 'text'),
    [
        ([], ''),
        ([3], '3'),
        ([0, 4, 8], '0, 4, 8'),
        ([0, 7, 14, 15, 16], '0, 7, 14-16'),
        (range(0, 281, 7), '0-280 every 7'),
        ([0, 1, 8, 15, 22, 29, 36], '0-1, 8-36 every 7'),
    ],
)
def test_ranges(frames, text):
    assert ranges(frames) == text


@given(st.sets(st.integers(0, 60)))
def test_ranges_name_every_frame_once(frames):
    named = []
    for first, last, step in re.findall(
        r'(\d+)(?:-(\d+))?(?: every (\d+))?', ranges(sorted(frames))
    ):
        named += range(int(first), int(last or first) + 1, int(step or 1))
    assert named == sorted(frames)


def test_listed():
    assert listed(['a', 'b'], 2) == 'a, b'
    assert listed(['a', 'b', 'c', 'd'], 2) == 'a, b and 2 more'


@pytest.mark.parametrize(
    ('seconds', 'text'),
    [(0.2, '1 s'), (8.4, '8 s'), (89, '89 s'), (90, '2 minutes'), (9000, '2.5 hours')],
)
def test_duration(seconds, text):
    assert duration(seconds) == text
