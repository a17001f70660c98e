"""Text of numbers, lists of frames and durations for sentences that users read."""

from __future__ import annotations

import re
from collections.abc import Sequence

_IRREGULAR = {
    'calf': 'calves',
    'child': 'children',
    'deer': 'deer',
    'fish': 'fish',
    'foot': 'feet',
    'goose': 'geese',
    'man': 'men',
    'mouse': 'mice',
    'ox': 'oxen',
    'person': 'people',
    'sheep': 'sheep',
    'wolf': 'wolves',
    'woman': 'women',
}

_MIN_STEPS = 5
"""Least number of equally spaced frames that are written as one range."""


_COLOUR = r'\x1b\[(?:(?:[0-57]|3[0-7]|9[0-7]);?)*m'
"""Escape sequence of a terminal for the colour of text, such as log files of MMEngine have."""


def escape_unprintable(text: str) -> str:
    """Escape what would control a terminal: control characters, and those that turn text around.

    Line breaks, tabs, carriage returns of progress bars, and colours stay.
    """
    if text.isprintable():
        return text
    parts = re.split(f'({_COLOUR}|[\n\r\t])', text)
    return ''.join(part if number % 2 else _escape(part) for number, part in enumerate(parts))


def _escape(text: str) -> str:
    return ''.join(c if c.isprintable() else c.encode('unicode_escape').decode() for c in text)


def plural(noun: str) -> str:
    """Form the plural of an English noun; a word that looks like a plural stays."""
    before, space, last = noun.rpartition(' ')
    word = last.lower()
    many = _IRREGULAR.get(word)
    if many is None:
        if word in _IRREGULAR.values():
            many = word
        elif word.endswith('y') and word[-2:-1] not in 'aeiou':
            many = f'{word[:-1]}ies'
        elif word.endswith(('ss', 'us', 'x', 'z', 'ch', 'sh')):
            many = f'{word}es'
        else:
            many = word if word.endswith('s') else f'{word}s'
    return before + space + (many.capitalize() if last[:1].isupper() else many)


def counted(number: int, noun: str) -> str:
    """Write a number with its noun, given in the singular: ``1 person``, ``2 people``."""
    return f'{number} {noun if number == 1 else plural(noun)}'


def ranges(frames: Sequence[int]) -> str:
    """Write ascending, distinct frame numbers as ``0, 7, 14-16, 20-60 every 10``."""
    parts = []
    start = 0
    while start < len(frames):
        step = frames[start + 1] - frames[start] if start + 1 < len(frames) else 1
        stop = start + 1
        while stop < len(frames) and frames[stop] - frames[stop - 1] == step:
            stop += 1
        if stop - start == 1 or (step > 1 and stop - start < _MIN_STEPS):
            parts.append(str(frames[start]))
            start += 1
            continue
        text = f'{frames[start]}-{frames[stop - 1]}'
        parts.append(text if step == 1 else f'{text} every {step}')
        start = stop
    return ', '.join(parts)


def listed(items: Sequence[str], most: int) -> str:
    """Join the first ``most`` items: ``a, b, c and 17 more``."""
    text = ', '.join(items[:most])
    return text if len(items) <= most else f'{text} and {len(items) - most} more'


def duration(seconds: float) -> str:
    """Write a duration, rounded for reading: ``8 s``, ``3 minutes``, ``2.5 hours``."""
    if seconds < 90:
        return f'{max(1, round(seconds))} s'
    if seconds < 5400:
        return counted(round(seconds / 60), 'minute')
    return f'{seconds / 3600:.1f} hours'


def either(words: Sequence[str]) -> str:
    """List alternatives: ``a, b or c``."""
    *others, last = words
    return f'{", ".join(others)} or {last}' if others else last
