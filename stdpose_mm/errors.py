"""The one error type that stands for a mistake in what the user gave."""

from __future__ import annotations

import re
from textwrap import shorten


class InputError(ValueError):
    """What the user gave (a file, a label, an option) cannot be used.

    The message is one sentence: what was given, what was expected, what to do. Command-line
    tools print it as one line on stderr and exit with code 2; every other exception is a bug and
    keeps its traceback.
    """


def find_input_error(error: BaseException) -> str | None:
    """The sentence of the :class:`InputError` behind ``error``, however it was wrapped.

    Between a dataset and the command line, a registry may raise the error again as ``class `X` in
    x.py: <sentence>``, and a data loader as the text of a worker's traceback.

    Returns:
        The sentence on one line; None if no ``InputError`` is behind ``error``.
    """
    sentence = None
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, InputError):
            sentence = str(link)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    if sentence is None:
        return None
    in_worker = re.findall(rf'^[\w.]*{InputError.__name__}: (.*)', sentence, flags=re.MULTILINE)
    if in_worker:
        sentence = in_worker[-1]
    sentence = re.sub(r'^(class `\w+` in \S+: )+', '', sentence)
    return ' '.join(sentence.split())


def one_line(error: BaseException) -> str:
    """The error's text on one line of readable length."""
    return shorten(str(error) or type(error).__name__, width=160, placeholder=' ...')
