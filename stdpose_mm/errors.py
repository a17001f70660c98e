"""The one error type that stands for a mistake in what the user gave."""

from __future__ import annotations


class InputError(ValueError):
    """What the user gave (a file, a label, an option) cannot be used.

    The message is one sentence: what was given, what was expected, what to do. Command-line
    tools print it as one line on stderr and exit with code 2; every other exception is a bug and
    keeps its traceback.
    """
