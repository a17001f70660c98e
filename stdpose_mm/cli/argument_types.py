"""Types of arguments: each converts the text of one argument or says what was expected."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

MAX_FRAME_RATE = 100_000

Number = TypeVar('Number', int, float)


def _number(
    kind: Callable[[str], Number], is_allowed: Callable[[Number], bool], expected: str
) -> Callable[[str], Number]:
    """Return a function that parses a number, or fails with what was expected."""

    def parse(text: str) -> Number:
        with suppress(ValueError):
            number = kind(text)
            if is_allowed(number) and '_' not in text:
                return number
        raise argparse.ArgumentTypeError(f'expected {expected}, got {text!r}')

    return parse


seed = _number(int, lambda number: 0 <= number < 2**32, 'a whole number in 0..2^32 - 1')
whole = _number(int, lambda number: 0 <= number < 10**9, 'a whole number of at least 0')
positive = _number(int, lambda number: number >= 1, 'a whole number of at least 1')
port = _number(int, lambda number: 0 <= number <= 65535, 'a port, 0..65535')
fraction = _number(float, lambda number: 0 <= number <= 1, 'a number in 0..1')
frame_rate = _number(
    float,
    lambda number: 0 < number <= MAX_FRAME_RATE,
    f'frames per second, more than 0 and at most {MAX_FRAME_RATE}',
)
minutes = _number(
    float,
    lambda number: 0 < number < 10**6,
    'a number of minutes above 0 (without a number, put the option after the files)',
)
pixels = _number(float, lambda number: 0 < number < float('inf'), 'a number of pixels or "all"')


def pixel_tolerance(text: str) -> float | None:
    """Parse a number of pixels above 0, or "all" to None."""
    return None if text == 'all' else pixels(text)


def picture_size(text: str) -> tuple[int, int]:
    """Parse a picture size such as 1280x720 to (width, height) in pixels."""
    size = re.fullmatch('([1-9][0-9]{0,4})x([1-9][0-9]{0,4})', text)
    if size is None:
        raise argparse.ArgumentTypeError(
            f'expected width and height in pixels such as 1280x720, got {text!r}'
        )
    return int(size[1]), int(size[2])


def shard(text: str) -> tuple[int, int]:
    """Parse a share of the videos such as 2/8 to (1, 8): its position, from 0, and their number."""
    share = re.fullmatch('([1-9][0-9]{0,5})/([1-9][0-9]{0,5})', text)
    if share is None or int(share[1]) > int(share[2]):
        raise argparse.ArgumentTypeError(f'expected I/N with I in 1..N, such as 2/8, got {text!r}')
    return int(share[1]) - 1, int(share[2])
