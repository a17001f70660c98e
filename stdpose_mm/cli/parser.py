"""The parser of all command lines: options are fields of dataclasses, outputs are guarded."""

from __future__ import annotations

import argparse
import inspect
import os
import re
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from copy import copy
from dataclasses import MISSING, Field, field, fields, replace
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, get_args, get_origin, get_type_hints

from stdpose_mm.errors import cut_long
from stdpose_mm.io import PathLike
from stdpose_mm.io.disk.output_guards import Output, guard_outputs

EXIT_INPUT_ERROR = 2

REQUIRED: Any = MISSING
"""Default of an option that must be given."""

_MOST_CHOICES = 8
"""Choices of more words are not listed in the help, but where they are explained and in errors."""

_OUTPUT_FIELDS = ('what', 'suffixes', 'is_folder', 'files')


class Need(NamedTuple):
    """What an option needs in order to have an effect.

    Attributes:
        what: What to give, for the error.
        is_met: Whether the options of the command give it.
    """

    what: str
    is_met: Callable[[Any], bool]


def option(
    default: Any = None, /, *names: str, needs: Need | Sequence[Need] = (), **settings: Any
) -> Any:
    """Declare an option as a field of a dataclass, for :class:`CliParser`.

    The type of the field converts the text; ``bool`` makes a flag, ``list`` a repeatable option.
    The help is the text under ``Args`` in the docstring of the dataclass.

    Args:
        default: Value if the option is not given, or ``REQUIRED``.
        names: Names on the command line, the one in use last; by default the name of the field.
        needs: What the option needs, else :func:`~stdpose_mm.cli.options.refuse_idle` refuses it.
        settings: Further arguments of ``add_argument``. ``writes=True`` marks an output, which may
            have fields of :class:`~stdpose_mm.io.disk.output_guards.Output`; ``reads_folder=True``
            marks an argument that may name a folder, whose label files are all read.
    """
    needs = (needs,) if isinstance(needs, Need) else needs
    metadata = {'names': names, 'needs': needs, **settings}
    if default == []:
        return field(default_factory=list, metadata=metadata)
    return field(default=default, metadata=metadata)


def argument(metavar: str, **settings: Any) -> Any:
    """Declare a positional argument as a field of a dataclass; see :func:`option`."""
    return option(REQUIRED, metavar, metavar=metavar, **settings)


def option_names(item: Field) -> Sequence[str]:
    """List the names of an option on the command line, the one in use last."""
    return item.metadata['names'] or (f'--{item.name.replace("_", "-")}',)


class CliParser(argparse.ArgumentParser):
    """Parser that reports an error in one line and protects files from being overwritten.

    The help lists the options that ``options.common`` names first, in this order, then those of
    each dataclass under its ``help_title``, all others under "further options". It ends with the
    command lines and the page of the documentation that are found in ``documentation``.

    Args:
        prog: Name of the command.
        documentation: Docstring whose first line describes the command.
        options: Dataclass; each field declared by :func:`option` or :func:`argument` becomes an
            argument.
        usage: See ``argparse.ArgumentParser``; if given, there is one positional argument, a list
            of paths, and options may stand between the paths.

    Attributes:
        outputs: The outputs that arguments name, by field name.
    """

    def __init__(
        self, prog: str, documentation: str | None, options: type, usage: str | None = None
    ) -> None:
        summary, _, text = (documentation or '').partition('\n')
        super().__init__(
            prog=prog,
            description=summary,
            usage=usage,
            epilog=_examples(text),
            formatter_class=_HelpFormatter,
        )
        self.outputs: dict[str, Output] = {}
        self._label_sets: list[str] = []
        self._is_intermixed = usage is not None
        hints, texts = get_type_hints(options), _documented(options)
        declared = {item.name: item for item in fields(options) if 'names' in item.metadata}
        common = [name for name in getattr(options, 'common', declared) if name in declared]
        names_of = {name: item.metadata['names'] for name, item in declared.items()}
        positionals = [name for name, words in names_of.items() if words and words[0][0] != '-']
        titles = _help_titles(options, declared.keys() - {*positionals, *common})
        groups: dict[str, Any] = {}
        for name in dict.fromkeys([*positionals, *common, *titles]):
            title = titles.get(name, '')
            if title and title not in groups:
                groups[title] = self.add_argument_group(title)
            self._add(groups.get(title, self), declared[name], hints[name], texts)
        if usage is None:
            needed = [action for action in self._actions if action.required]
            words = [
                ' '.join([*action.option_strings[-1:], str(action.metavar or action.dest.upper())])
                for action in needed
            ]
            self.usage = ' '.join(['%(prog)s', *words, '[options]'])

    def _add(self, group: Any, item: Field, hint: Any, texts: Mapping[str, str]) -> None:
        """Add the argument of a field to a group of the help."""
        settings = {**_converter(hint, item), **item.metadata}
        settings['help'] = settings.get('help') or texts[item.name]
        names = option_names(item)
        for name in ('names', 'needs'):
            del settings[name]
        if names[0].startswith('-'):
            settings |= {'dest': item.name, **_default(item)}
        else:
            names = (item.name,)
        if len(settings.get('choices') or ()) > _MOST_CHOICES:
            settings.setdefault('metavar', names[-1].strip('-').upper())
        # The default of a flag is clear from its name.
        if settings.get('default') and settings.get('default') is not True:
            settings['help'] += ' (%(default)s)'
        writes, reads_folder = (settings.pop(n, False) for n in ('writes', 'reads_folder'))
        of_output = {n: settings.pop(n) for n in _OUTPUT_FIELDS if n in settings}
        action = group.add_argument(*names, **settings)
        if writes:
            self.outputs[item.name] = Output(_name_of(action), None, **of_output)
        if reads_folder:
            self._label_sets.append(item.name)

    def guard_outputs(self, args: argparse.Namespace) -> None:
        """Refuse outputs that cannot be written, or would overwrite an input file.

        Input files are all existing files that an argument names, either as its whole value or as a
        part between commas, colons or equals signs.

        Raises:
            InputError: See :func:`~stdpose_mm.io.disk.output_guards.guard_outputs`.
        """
        outputs = [
            replace(declared, path=getattr(args, dest)) for dest, declared in self.outputs.items()
        ]
        inputs: dict[str, list[str]] = {}
        label_sets: dict[str, list[str]] = {}
        for action in self._actions:
            if action.dest in self.outputs or action.choices is not None:
                continue
            texts = _texts(getattr(args, action.dest, None))
            if action.dest in self._label_sets:
                label_sets[_name_of(action)] = texts
            else:
                parts = [part for text in texts for part in [text, *re.split('[,:=]', text)]]
                inputs[_name_of(action)] = [part for part in parts if os.path.isfile(part)]
        guard_outputs(outputs, inputs, label_sets)

    def replaceable(self, args: argparse.Namespace) -> list[PathLike]:
        """List the files, and the folders of labels, that the outputs name or that lie in them."""
        paths: list[PathLike] = []
        for dest, output in self.outputs.items():
            path = getattr(args, dest)
            if path is not None and output.is_folder:
                paths += [file for pattern in output.files for file in Path(path).glob(pattern)]
            elif path is not None:
                paths.append(path)
        return paths

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse a command line."""
        if self._is_intermixed:
            parsed = self.parse_intermixed_args(_without_separator(args), namespace)
        else:
            parsed = super().parse_args(args, namespace)
        for action in self._actions:
            # argparse turns the value of `--boxes=--` into an empty list. For a repeatable option
            # this list is one of its values; the default of such an option is also an empty list.
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


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Format of the help: of an option with former names, the one in use."""

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if action.dest != 'help':
            action = copy(action)
            action.option_strings = action.option_strings[-1:]
        return super()._format_action_invocation(action)


def _help_titles(options: type, names: Collection[str]) -> dict[str, str]:
    """Map options to the title under which the help lists them, in the order of the help."""
    titles: dict[str, str] = {}
    for base in options.__mro__:
        for name in vars(base).get('__annotations__', ()):
            if name in names:
                titles.setdefault(name, vars(base).get('help_title', 'further options'))
    return titles


def _examples(documentation: str) -> str | None:
    """Quote the indented command lines, and the page of the docs, that a docstring names."""
    commands = re.findall(r'^ {4}((?:stdpose|python) (?:.*\\\n)*.*)', documentation, re.MULTILINE)
    if not commands:
        return None
    page = re.search(r'docs/\S+\.md', documentation)
    examples = [' '.join(command.replace('\\\n', ' ').split()) for command in commands]
    lines = ['examples:', *(f'  {example}' for example in examples)]
    return '\n'.join([*lines, f'see {page[0]}'] if page else lines)


def _documented(options: type) -> dict[str, str]:
    """Read the help of each field from the docstrings of a dataclass and its bases."""
    descriptions = {}
    for base in reversed(options.__mro__):
        entries = inspect.cleandoc(vars(base).get('__doc__') or '').partition('Args:\n')[2]
        for name, text in re.findall(r'^ {4}(\w+): (.*(?:\n {8}.*)*)', entries, re.MULTILINE):
            descriptions[name] = ' '.join(text.split()).removesuffix('.').replace('%', '%%')
    return descriptions


def _converter(hint: Any, item: Field) -> dict[str, Any]:
    """Derive from the type of a field how its text is converted."""
    if hint is bool:
        return {'action': 'store_false' if item.default else 'store_true'}
    if get_origin(hint) is list:
        return {} if 'nargs' in item.metadata else {'action': 'append'}
    kind = next(iter(get_args(hint)), hint)
    return {'type': kind} if kind in (int, float, Path) else {}


def _default(item: Field) -> dict[str, Any]:
    if item.default_factory is not MISSING:
        return {'default': []}
    return {'required': True} if item.default is MISSING else {'default': item.default}


def _without_separator(args: Sequence[str] | None) -> list[str]:
    """Mark what follows ``--`` as paths: ``parse_intermixed_args`` ignores ``--``."""
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
