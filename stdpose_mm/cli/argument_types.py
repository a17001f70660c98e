"""Types of arguments: each converts the text of one argument, or says what was expected."""

from __future__ import annotations

import argparse
import math
import re

MAX_FRAME_RATE = 100_000


def seed(text: str) -> int:
    """Parse a seed of NumPy and PyTorch, 0..2^32 - 1.

    Raises:
        argparse.ArgumentTypeError: If ``text`` is no such number.
    """
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f'expected a whole number in 0..2^32 - 1, got {text!r}')
    return int(text)


def whole(text: str) -> int:
    """Parse a whole number of at least 0.

    Raises:
        argparse.ArgumentTypeError: If ``text`` is no such number, or has more than 9 digits.
    """
    if not re.fullmatch('[0-9]{1,9}', text):
        raise argparse.ArgumentTypeError(f'expected a whole number of at least 0, got {text!r}')
    return int(text)


def positive(text: str) -> int:
    """Parse a whole number of at least 1.

    Raises:
        argparse.ArgumentTypeError: If ``text`` is no such number.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'expected a whole number of at least 1, got {text!r}')
    return int(text)


def fraction(text: str) -> float:
    """Parse a number in 0..1.

    Raises:
        argparse.ArgumentTypeError: If ``text`` is no such number.
    """
    number = _number(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f'expected a number in 0..1, got {text!r}')
    return number


def frame_rate(text: str) -> float:
    """Parse a number of frames per second, above 0 and at most ``MAX_FRAME_RATE``.

    Raises:
        argparse.ArgumentTypeError: If ``text`` is no such number.
    """
    number = _number(text)
    if not 0 < number <= MAX_FRAME_RATE:
        raise argparse.ArgumentTypeError(
            f'expected frames per second, more than 0 and at most {MAX_FRAME_RATE}, got {text!r}'
        )
    return number


def _number(text: str) -> float:
    """Convert a text to a number; NaN if the text is no number."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def pixel_tolerance(text: str) -> float | None:
    """Parse a number of pixels above 0, or "all" to None.

    Raises:
        argparse.ArgumentTypeError: If ``text`` is neither.
    """
    if text == 'all':
        return None
    try:
        pixels = float(text)
    except ValueError:
        pixels = -1.0
    if not 0 < pixels < float('inf'):
        raise argparse.ArgumentTypeError(f'expected a number of pixels or "all", got {text!r}')
    return pixels


def picture_size(text: str) -> tuple[int, int]:
    """Parse a picture size such as 1280x720 to (width, height) in pixels.

    Raises:
        argparse.ArgumentTypeError: If ``text`` is no such size.
    """
    size = re.fullmatch('([1-9][0-9]{0,4})x([1-9][0-9]{0,4})', text)
    if size is None:
        raise argparse.ArgumentTypeError(
            f'expected width and height in pixels such as 1280x720, got {text!r}'
        )
    return int(size[1]), int(size[2])
