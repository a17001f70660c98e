"""The one error type that stands for a mistake in what the user gave."""

from __future__ import annotations

import importlib.util
import re
from textwrap import shorten

PACKAGES = {
    'torch': ('PyTorch', 'train'),
    'torchvision': ('torchvision', 'train'),
    'mmengine': ('MMEngine', 'train'),
    'mmcv': ('MMCV', 'train'),
    'mmdet': ('MMDetection', 'train'),
    'mmpose': ('MMPose', 'train'),
    'onnx': ('onnx', 'train'),
    'sleap_io': ('sleap-io', 'sleap'),
}
"""Module -> (name, extra of this package that it belongs to), for what not everyone installs."""


class InputError(ValueError):
    """What the user gave (a file, a label, an option) cannot be used.

    The message is one sentence: what was given, what was expected, what to do. Command-line
    tools print it as one line on stderr and exit with code 2; every other exception is a bug and
    keeps its traceback.
    """


class InputWarning(UserWarning):
    """How something was read that the user should know of, in one sentence.

    Functions of the library warn in Python's way; command-line tools print the sentence on stderr.
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


def require_packages(purpose: str, *modules: str) -> None:
    """Raise :class:`InputError` if a module of ``PACKAGES`` that is needed is not installed.

    Args:
        purpose: What needs it, the subject of the sentence.
        modules: Names of the modules, all of the same extra.
    """
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        raise InputError(f'{purpose} needs {missing_packages(*missing)}')


def missing_packages(*modules: str) -> str:
    """Say that modules of ``PACKAGES`` are not installed, and what to do."""
    names = ' and '.join(PACKAGES[module][0] for module in modules)
    extra = PACKAGES[modules[0]][1]
    verb = 'is' if len(modules) == 1 else 'are'
    more = " and OpenMMLab's packages, or run `make setup`" if extra == 'train' else ''
    return f'{names}, which {verb} not installed: install stdpose-mm[{extra}]{more}'


def one_line(error: BaseException) -> str:
    """The error's text on one line of readable length."""
    return shorten(str(error) or type(error).__name__, width=160, placeholder=' ...')
