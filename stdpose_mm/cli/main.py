"""The ``stdpose`` command: one verb after it, then what belongs to the verb."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from types import ModuleType

from stdpose_mm.cli.command import with_sentences
from stdpose_mm.errors import InputError
from stdpose_mm.version import __version__

VERBS = {
    'propagate': 'stdpose_mm.cli.propagate',
    'plan': 'stdpose_mm.cli.plan',
    'infer': 'stdpose_mm.cli.infer',
    'review': 'stdpose_mm.cli.review',
    'train': 'stdpose_mm.cli.train',
    'test': 'stdpose_mm.cli.test',
    'evaluate': 'stdpose_mm.cli.evaluate',
    'convert': 'stdpose_mm.cli.convert',
    'export': 'stdpose_mm.cli.export',
    'cache': 'stdpose_mm.cli.cache',
    'env': 'stdpose_mm.cli.env',
}
"""Verb -> module with ``main(arguments, prog)``; the first line of its docstring is its summary."""


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
    raise InputError(f'there is no {verb!r}, choose one of {", ".join(VERBS)}')


def load_verb(verb: str) -> ModuleType:
    """Import the module of a verb."""
    return import_module(VERBS[verb])


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
