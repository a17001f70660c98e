"""The ``stdpose`` command: ``stdpose VERB`` with the arguments of the verb."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from types import ModuleType

from stdpose_mm.cli.command import with_sentences
from stdpose_mm.errors import InputError
from stdpose_mm.text import either
from stdpose_mm.version import __version__

VERBS = (
    *('demo', 'propagate', 'learn', 'plan', 'infer', 'check', 'review', 'train', 'test'),
    *('evaluate', 'convert', 'export', 'networks', 'queries', 'cache', 'env'),
)
"""Modules of this package with a command ``main``; their docstrings begin with a summary."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    return with_sentences('stdpose', partial(_run, words or ['help']))


def _run(arguments: Sequence[str]) -> int:
    verb, *rest = arguments
    if verb == 'help' and rest:
        verb, rest = rest[0], ['--help']
    if verb in VERBS:
        return load_verb(verb).main(rest, f'stdpose {verb}')
    if verb in ('help', '-h', '--help'):
        print(format_help())
        return 0
    if verb in ('-V', '--version'):
        print(f'stdpose {__version__}')
        return 0
    similar = get_close_matches(verb, VERBS)
    advice = f'did you mean {either(similar)}?' if similar else f'choose one of {", ".join(VERBS)}'
    raise InputError(f'unknown verb {verb!r}, {advice}')


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
            '`stdpose help VERB` lists the options of a verb, `stdpose --version` the version.',
        ]
    )
