"""The ``stdpose`` command: ``stdpose VERB`` with the arguments of the verb."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from types import ModuleType

from stdpose_mm.cli.command import with_sentences
from stdpose_mm.errors import InputError
from stdpose_mm.version import __version__

VERBS = (
    *('propagate', 'learn', 'plan', 'infer', 'review', 'train', 'test', 'evaluate', 'convert'),
    *('export', 'networks', 'queries', 'cache', 'env'),
)
"""Modules of this package with a command ``main``; their docstrings begin with a summary."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    return with_sentences('stdpose', partial(_run, given or ['--help']))


def _run(arguments: Sequence[str]) -> int:
    verb, *rest = arguments
    if verb in VERBS:
        return load_verb(verb).main(rest, f'stdpose {verb}')
    if verb in ('-h', '--help'):
        print(format_help())
        return 0
    if verb == '--version':
        print(f'stdpose {__version__}')
        return 0
    raise InputError(f'unknown verb {verb!r}, choose one of {", ".join(VERBS)}')


def load_verb(verb: str) -> ModuleType:
    """Import the module of a verb."""
    return import_module(f'stdpose_mm.cli.{verb}')


def format_help() -> str:
    """List the verbs, one line each."""
    summaries = {verb: (load_verb(verb).__doc__ or '').splitlines()[0] for verb in VERBS}
    lines = [f'  {verb:<11}{summary}' for verb, summary in summaries.items()]
    return '\n'.join(
        [
            'usage: stdpose VERB ...',
            '',
            *lines,
            '',
            '`stdpose VERB --help` lists the options of a verb.',
        ]
    )
