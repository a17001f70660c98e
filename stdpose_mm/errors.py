"""The error type for mistakes in the user's input, and checks that raise it."""

from __future__ import annotations

import errno
import importlib.util
import os
import re
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from numbers import Integral, Real
from pathlib import Path
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
    'ndx_pose': ('ndx-pose', 'nwb'),
    'pynwb': ('pynwb', 'nwb'),
    'starlette': ('Starlette', 'review'),
    'uvicorn': ('uvicorn', 'review'),
}
"""Optional module -> (name, extra of this package that installs it)."""


class InputError(ValueError):
    """Error about user input (a file, a label, an option) that cannot be used.

    The message is one sentence: what was given, what was expected, what to do. Command-line tools
    print it as one line on stderr and exit with code 2; every other exception is a bug and keeps
    its traceback.
    """


class InputWarning(UserWarning):
    """A sentence to the user about how an input was read or used, see :func:`note`."""


def note(sentence: str) -> None:
    """Issue an :class:`InputWarning` about how an input was read or used.

    Command-line tools print the sentence on stderr.
    """
    collected = _COLLECTED.get()
    if collected is None:
        warnings.warn(sentence, InputWarning, stacklevel=3)
    else:
        collected.append(sentence)


_COLLECTED: ContextVar[list[str] | None] = ContextVar('collected notes', default=None)


@contextmanager
def collected_notes() -> Iterator[list[str]]:
    """Collect the sentences of :func:`note` of this thread in a list; no warning is issued."""
    sentences: list[str] = []
    token = _COLLECTED.set(sentences)
    try:
        yield sentences
    finally:
        _COLLECTED.reset(token)


DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Error numbers of a disk that takes no more."""

WRITE_ERRORS = (*DISK_ERRORS, errno.EPIPE)
"""Error numbers that occur only when writing; Python's errors then do not name the file."""

MAX_WORD, MAX_SENTENCE = 255, 1200
"""Largest number of characters shown of a name, and of a whole message."""


def explain_error(error: BaseException) -> str | None:
    """Return the sentence that a user gets instead of a traceback.

    It comes from an :class:`InputError` or from an error of the system: a file that cannot be read
    or written, a full disk, no memory left.

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
        what = 'a file or the output of the command cannot be written'
    # Errors of libraries may have a text but no number.
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
    """Shorten long messages, and very long words in them, such as a name of a million letters."""
    text = re.sub(rf'\S{{{MAX_WORD + 1},}}', lambda word: _without_middle(word[0], MAX_WORD), text)
    return _without_middle(text, MAX_SENTENCE)


def _without_middle(text: str, length: int) -> str:
    if len(text) <= length:
        return text
    half = (length - 5) // 2
    return f'{text[:half]} ... {text[-half:]}'


def _find_refusal(error: BaseException) -> str | None:
    # Any other exception is a bug, even if a handled system error caused it; writers raise
    # RuntimeError.
    if not isinstance(error, (OSError, MemoryError, RuntimeError)):
        return None
    for link in _links(error):
        if isinstance(link, MemoryError) or type(link).__name__ == 'OutOfMemoryError':
            return f'there is not enough memory ({one_line(link)}), process less at once'
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
    """Return the sentence of the :class:`InputError` that caused ``error``, even if it is wrapped.

    Between a dataset and the command line, a registry may raise the error again as ``class `X` in
    x.py: <sentence>``, and a data loader may turn it into the text of a worker's traceback.

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

    A float such as 3.0 is also refused: as a key it finds the entry of 3, but is written as 3.0.

    Args:
        name: Name of the setting, the subject of the sentence.
        value: The given value.
        least: The smallest allowed number.
    """
    if not isinstance(value, Integral) or isinstance(value, bool) or int(value) < least:
        raise InputError(f'{name} must be a whole number from {least}, got {value!r}')


def require_ratio(**settings: float) -> None:
    """Raise :class:`InputError` unless all settings, given by name, are in 0..1."""
    for name, value in settings.items():
        if not isinstance(value, Real) or not 0 <= value <= 1:
            raise InputError(f'{name} must be in 0..1, got {value!r}')


def require_positive(**settings: float) -> None:
    """Raise :class:`InputError` unless all settings, given by name, are numbers above 0."""
    for name, value in settings.items():
        if not isinstance(value, Real) or not value > 0:
            raise InputError(f'{name} must be a number above 0, got {value!r}')


def require_choice(name: str, value: object, choices: Collection[str]) -> None:
    """Raise :class:`InputError` unless an argument is one of the given names."""
    # Unhashable values such as lists cannot be looked up in a dict of choices.
    if value not in tuple(choices):
        raise InputError(f'{name} must be one of {", ".join(choices)}, got {value!r}')


def require_device(device: object) -> None:
    """Raise :class:`InputError` unless PyTorch can use a device.

    For the CPU, PyTorch is not imported, since some networks run without it.
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
            "choose an existing device such as 'cpu'"
        ) from error


def require_packages(purpose: str, *modules: str, extra: str | None = None) -> None:
    """Raise :class:`InputError` if a needed module of ``PACKAGES`` is not installed.

    Args:
        purpose: What needs the modules; the subject of the sentence.
        modules: Names of the modules, all of the same extra.
        extra: Another extra that installs all of them.
    """
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        raise InputError(f'{purpose} needs {missing_packages(*missing, extra=extra)}')


def missing_packages(*modules: str, extra: str | None = None) -> str:
    """Return a text that modules of ``PACKAGES`` are missing, and which extra to install."""
    names = ' and '.join(PACKAGES[module][0] for module in modules)
    extra = extra or PACKAGES[modules[0]][1]
    verb = 'is' if len(modules) == 1 else 'are'
    more = " and OpenMMLab's packages, or `make setup` in a clone" if extra == 'train' else ''
    return f'{names}, which {verb} not installed: run `{installation_command(extra)}`{more}'


def installation_command(extra: str) -> str:
    """Return the command that adds the packages of an extra to this installation.

    It names the clone that this package was installed from, if that is still there, else the
    packages: the name of this package alone would only do if an index had it.
    """
    import json
    from importlib.metadata import PackageNotFoundError, distribution
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    clone, requirements = Path(__file__).parents[1], []
    try:
        installed = distribution('stdpose-mm')
        origin = json.loads(installed.read_text('direct_url.json') or '{}').get('url', '')
        requirements = [
            requirement.partition(';')[0].strip()
            for requirement in installed.requires or ()
            if re.search(rf'extra == .{extra}[\'"]', requirement)
        ]
        if origin.startswith('file:'):
            clone = Path(url2pathname(urlsplit(origin).path))
    except PackageNotFoundError:
        # It runs in a clone without an installation.
        pass
    if (clone / 'pyproject.toml').is_file():
        return f'pip install "{clone}[{extra}]"'
    return ' '.join(['pip install', *(f'"{requirement}"' for requirement in requirements)])


def one_line(error: BaseException) -> str:
    """Return the text of an error on one line of readable length."""
    return shorten(str(error) or type(error).__name__, width=160, placeholder=' ...')
