"""The parser of all command lines, which also guards what a command overwrites."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from stdpose_mm.errors import cut_long
from stdpose_mm.io.outputs import Output, guard_outputs

EXIT_INPUT_ERROR = 2


class OneLineParser(argparse.ArgumentParser):
    """Parse a command line; report an error in one line, without repeating the usage.

    Args:
        prog: Name of the command.
        documentation: Docstring whose first line describes the command.
        intermixed: Whether the values of one positional argument, which are paths, may stand on
            both sides of options.
    """

    def __init__(self, prog: str, documentation: str | None, intermixed: bool = False) -> None:
        super().__init__(prog=prog, description=(documentation or '').splitlines()[0])
        self._intermixed = intermixed
        self._outputs: dict[str, Output] = {}
        self._label_sets: list[str] = []

    def add_output(
        self,
        *names: str,
        what: str = 'a file',
        suffixes: Sequence[str] = (),
        is_folder: bool | None = False,
        files: Sequence[str] = (),
        **options: Any,
    ) -> None:
        """Add an argument that names an output, for :meth:`guard_outputs`.

        Args:
            names: As in :meth:`add_argument`.
            what: See :class:`~stdpose_mm.io.outputs.Output`.
            suffixes: See ``Output``.
            is_folder: See ``Output``; with None the value stays a text.
            files: See ``Output``.
            options: As in :meth:`add_argument`.
        """
        kind = str if is_folder is None else Path
        action = self.add_argument(*names, **{'type': kind, **options})
        name = _name_of(action)
        self._outputs[action.dest] = Output(name, None, what, suffixes, is_folder, files)

    def add_labels(self, *names: str, **options: Any) -> None:
        """Add an argument that may name a folder; all label files in this folder are read."""
        self._label_sets.append(self.add_argument(*names, **options).dest)

    @property
    def outputs(self) -> Mapping[str, Output]:
        """Return the outputs added by :meth:`add_output`, by the name of the attribute."""
        return self._outputs

    def guard_outputs(self, args: argparse.Namespace) -> None:
        """Refuse outputs that cannot be written, or would overwrite an input file.

        Input files are all existing files that an argument names, as its whole value or separated
        by commas, colons or equality signs.

        Raises:
            InputError: See :func:`~stdpose_mm.io.outputs.guard_outputs`.
        """
        outputs = [
            replace(output, path=getattr(args, dest)) for dest, output in self._outputs.items()
        ]
        inputs: dict[str, list[str]] = {}
        label_sets: dict[str, list[str]] = {}
        for action in self._actions:
            if action.dest in self._outputs or action.choices is not None:
                continue
            names = _texts(getattr(args, action.dest, None))
            if action.dest in self._label_sets:
                label_sets[_name_of(action)] = names
            else:
                parts = [part for name in names for part in [name, *re.split('[,:=]', name)]]
                inputs[_name_of(action)] = [part for part in parts if os.path.isfile(part)]
        guard_outputs(outputs, inputs, label_sets)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse a command line."""
        if self._intermixed:
            parsed = self.parse_intermixed_args(_without_separator(args), namespace)
        else:
            parsed = super().parse_args(args, namespace)
        for action in self._actions:
            # argparse turns the value of `--boxes=--` into an empty list. In a repeatable option
            # this list is one of the values; the default of such an option is an empty list, too.
            value = getattr(parsed, action.dest, None)
            is_empty = value == [] != action.default or (isinstance(value, list) and [] in value)
            if action.nargs is None and is_empty:
                self.error(f'argument {_name_of(action)}: expected one argument')
        return parsed

    def print_help(self, file: Any = None) -> None:
        """Print the help; unlike argparse, raise an error if this fails."""
        print(self.format_help(), end='', file=file)

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Exit with a message on one line, even if arguments in it contain line breaks."""
        super().exit(status, message and f'{" ".join(message.split())}\n')

    def error(self, message: str) -> NoReturn:
        """Exit with code 2 and the message."""
        self.exit(EXIT_INPUT_ERROR, f'{self.prog}: {cut_long(message)}, see --help\n')


def _without_separator(args: Sequence[str] | None) -> list[str]:
    """Mark what follows ``--`` as paths, since argparse forgets ``--`` where it intermixes."""
    args = sys.argv[1:] if args is None else list(args)
    if '--' not in args:
        return args
    place = args.index('--')
    return args[:place] + [os.path.join('.', path) for path in args[place + 1 :]]


def _name_of(action: argparse.Action) -> str:
    """Return the name of an argument on the command line."""
    if action.option_strings:
        return action.option_strings[-1]
    return action.metavar if isinstance(action.metavar, str) else action.dest


def _texts(value: object) -> list[str]:
    """List the texts and paths in the value of an argument, which may be a list."""
    if isinstance(value, (str, Path)):
        return [str(value)]
    return [text for item in value for text in _texts(item)] if isinstance(value, list) else []
