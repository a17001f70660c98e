"""The one error type for a mistake in the user's input."""

from __future__ import annotations

import errno
import importlib.util
import os
import re
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from numbers import Integral, Real
from textwrap import shorten

PACKAGES = {
    'torch': ('PyTorch', 'train'),
    'torchvision': ('torchvision', 'train'),
    'mmengine': ('MMEngine', 'train'),
    'mmcv': ('MMCV', 'train'),
    'mmdet': ('MMDetection', 'train'),
    'mmpose': ('MMPose', 'train'),
    'onnx': ('onnx', 'train'),
    'openvino': ('OpenVINO', 'openvino'),
    'ai_edge_litert': ('LiteRT', 'tflite'),
    'sleap_io': ('sleap-io', 'sleap'),
    'h5py': ('h5py', 'deeplabcut'),
    'starlette': ('Starlette', 'review'),
    'uvicorn': ('uvicorn', 'review'),
}
"""Optional module -> (name, extra of this package that it belongs to)."""


class InputError(ValueError):
    """Input of the user (a file, a label, an option) that cannot be used.

    The message is one sentence: what was given, what was expected, what to do. Command-line
    tools print it as one line on stderr and exit with code 2; every other exception is a bug and
    keeps its traceback.
    """


class InputWarning(UserWarning):
    """A sentence to the user about how an input was read or used, see :func:`note`."""


def note(sentence: str) -> None:
    """Warn the user of how an input was read or used, in Python's way.

    Command-line tools print the sentence on stderr.
    """
    warnings.warn(sentence, InputWarning, stacklevel=3)


WRITE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EPIPE)
"""Error numbers that occur in writing only; Python names no file with them."""

MAX_WORD, MAX_SENTENCE = 255, 1200
"""Largest number of characters of a name, and of a whole message, that are shown."""


def explain_error(error: BaseException) -> str | None:
    """Return the sentence that a user gets instead of a traceback.

    It is that of an :class:`InputError`, or an error of the system: a file that cannot be read or
    written, a full disk, no memory left.

    Returns:
        The sentence on one line, with very long names cut; None if ``error`` is a bug.
    """
    sentence = find_input_error(error)
    if sentence is None:
        sentence = _find_refusal(error)
    return None if sentence is None else cut_long(sentence)


def os_error_text(error: OSError, what: str | None = None) -> str:
    """Describe an error of the operating system.

    Args:
        error: The error.
        what: Subject of the error; by default the file that it names.

    Returns:
        A sentence such as ``a.json: Permission denied``, on one line.
    """
    if what is None and isinstance(error.filename, (str, bytes)):
        what = os.fsdecode(error.filename)
    elif what is None and error.errno in WRITE_ERRORS:
        what = 'what is printed, or a file, cannot be written'
    # Errors of libraries may have a text and no number.
    reason = os.strerror(error.errno) if error.errno and error.errno > 0 else one_line(error)
    return reason if what is None else f'{what}: {reason}'


@contextmanager
def system_errors_of(what: str) -> Iterator[None]:
    """Turn an error of the operating system into an :class:`InputError` about ``what``."""
    try:
        yield
    except OSError as error:
        raise InputError(os_error_text(error, what)) from error


def cut_long(text: str) -> str:
    """Cut very long words of a message, such as a name of a million letters, and a long message."""
    text = re.sub(rf'\S{{{MAX_WORD + 1},}}', lambda word: _without_middle(word[0], MAX_WORD), text)
    return _without_middle(text, MAX_SENTENCE)


def _without_middle(text: str, length: int) -> str:
    if len(text) <= length:
        return text
    half = (length - 5) // 2
    return f'{text[:half]} ... {text[-half:]}'


def _find_refusal(error: BaseException) -> str | None:
    # The cause of a bug may be a system error that was handled; writers raise RuntimeError.
    if not isinstance(error, (OSError, MemoryError, RuntimeError)):
        return None
    for link in _links(error):
        if isinstance(link, MemoryError) or type(link).__name__ == 'OutOfMemoryError':
            return f'there is not enough memory ({one_line(link)}), give less at once'
        if isinstance(link, OSError):
            return ' '.join(os_error_text(link).split())
    return None


def _links(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes."""
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def find_input_error(error: BaseException) -> str | None:
    """Return the sentence of the :class:`InputError` that caused ``error``, however wrapped.

    Between a dataset and the command line, a registry may raise the error again as ``class `X` in
    x.py: <sentence>``, and a data loader as the text of a worker's traceback.

    Returns:
        The sentence on one line; None if no ``InputError`` caused ``error``.
    """
    sentence = None
    for link in _links(error):
        if isinstance(link, InputError):
            sentence = str(link)
    if sentence is None:
        return None
    in_worker = re.findall(rf'^[\w.]*{InputError.__name__}: (.*)', sentence, flags=re.MULTILINE)
    if in_worker:
        sentence = in_worker[-1]
    sentence = re.sub(r'^(class `\w+` in \S+: )+', '', sentence)
    return ' '.join(sentence.split())


def require_whole(name: str, value: object, least: int) -> None:
    """Raise :class:`InputError` unless a setting is a whole number of at least ``least``.

    A float such as 3.0 is refused, too: it finds the entry of 3, but is written as 3.0.

    Args:
        name: The setting's name, the subject of the sentence.
        value: What was given.
        least: The least number allowed.
    """
    if not isinstance(value, Integral) or isinstance(value, bool) or int(value) < least:
        raise InputError(f'{name} must be a whole number from {least}, got {value!r}')


def require_ratio(**settings: float) -> None:
    """Raise :class:`InputError` unless settings, given by their names, are in 0..1."""
    for name, value in settings.items():
        if not isinstance(value, Real) or not 0 <= value <= 1:
            raise InputError(f'{name} must be in 0..1, got {value!r}')


def require_choice(name: str, value: object, choices: Collection[str]) -> None:
    """Raise :class:`InputError` unless an argument is one of some names."""
    # A list cannot be looked up in a dict of choices.
    if value not in tuple(choices):
        raise InputError(f'{name} must be one of {", ".join(choices)}, got {value!r}')


def require_device(device: object) -> None:
    """Raise :class:`InputError` unless PyTorch can use a device.

    PyTorch is not imported for the CPU, on which some networks run without it.
    """
    if device == 'cpu':
        return
    require_packages(f'device {device!r}', 'torch')
    import torch

    try:
        torch.empty(0, device=torch.device(device))  # type: ignore[call-overload]
    except (RuntimeError, AssertionError, TypeError) as error:
        raise InputError(
            f'device {str(device)!r} cannot be used ({one_line(error)}), '
            "choose one that exists, such as 'cpu'"
        ) from error


def require_packages(purpose: str, *modules: str, extra: str | None = None) -> None:
    """Raise :class:`InputError` if a module of ``PACKAGES`` that is needed is not installed.

    Args:
        purpose: What needs the modules; the subject of the sentence.
        modules: Names of the modules, all of the same extra.
        extra: Another extra that brings all of them, too.
    """
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        raise InputError(f'{purpose} needs {missing_packages(*missing, extra=extra)}')


def missing_packages(*modules: str, extra: str | None = None) -> str:
    """Say that modules of ``PACKAGES`` are not installed, and which extra to install."""
    names = ' and '.join(PACKAGES[module][0] for module in modules)
    extra = extra or PACKAGES[modules[0]][1]
    verb = 'is' if len(modules) == 1 else 'are'
    more = " and OpenMMLab's packages, or run `make setup`" if extra == 'train' else ''
    return f'{names}, which {verb} not installed: install stdpose-mm[{extra}]{more}'


def one_line(error: BaseException) -> str:
    """Return the error's text on one line of readable length."""
    return shorten(str(error) or type(error).__name__, width=160, placeholder=' ...')
