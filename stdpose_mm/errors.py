"""Errors that are the user's to solve."""

from __future__ import annotations


class InputError(ValueError):
    """A file or an argument is not what was expected.

    The message is one sentence that names what was given (file, frame, field, value) and what was
    expected. Command-line tools print it on stderr and exit with code 2.
    """
