"""The frame of all commands: parsing of options, errors as one sentence and an exit code."""

from __future__ import annotations

import io
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from stdpose_mm.errors import (
    PACKAGES,
    InputWarning,
    cut_long,
    explain_error,
    missing_packages,
    os_error_text,
)
from stdpose_mm.io import PathLike
from stdpose_mm.io.outputs import keep_edited

from .parser import EXIT_INPUT_ERROR, CliParser

EXIT_INTERRUPTED = 130


@dataclass(frozen=True)
class Command:
    """A command; calling it runs a command line and returns the exit code.

    Before the work begins, outputs that cannot be written or are also inputs are refused. See
    :func:`with_sentences` for errors.

    Args:
        options: Dataclass of its options, see :func:`~stdpose_mm.cli.parser.option`.
        work: Function that takes the options and does the work.
        documentation: Docstring whose first line describes the command.
        prog: Default name of the command.
        usage: See :class:`~stdpose_mm.cli.parser.CliParser`.
        interrupted: Line on stderr after Ctrl-C, with exit code 130, if the ``KeyboardInterrupt``
            has no message.
        keeps_edited: Whether earlier versions of output files are kept here if somebody may have
            edited them; commands that learn later which files they write do so themselves.
    """

    options: type
    work: Callable[[Any], object]
    documentation: str | None
    prog: str
    usage: str | None = None
    interrupted: str = 'interrupted'
    keeps_edited: bool = True

    def __call__(self, arguments: Sequence[str] | None = None, prog: str | None = None) -> int:
        parser = self.make_parser(prog)

        def parse_and_work() -> None:
            args = parser.parse_args(arguments)
            parser.guard_outputs(args)
            options = self.options(**vars(args))
            with self._keep_edited(parser.replaceable(args)):
                self.work(options)

        return with_sentences(parser.prog, parse_and_work, self.interrupted)

    def _keep_edited(self, paths: Sequence[PathLike]) -> AbstractContextManager[None]:
        if not self.keeps_edited or not paths:
            return nullcontext()
        from stdpose_mm.io.cache_folder import choose_cache_folder

        return keep_edited(choose_cache_folder(), *paths)

    def parse(self, arguments: Sequence[str]) -> Any:
        """Return the options of a command line."""
        return self.options(**vars(self.make_parser().parse_args(arguments)))

    def make_parser(self, prog: str | None = None) -> CliParser:
        """Build the parser of the command line."""
        return CliParser(prog or self.prog, self.documentation, self.options, self.usage)


def with_sentences(
    prog: str, work: Callable[[], int | None], interrupted: str = 'interrupted'
) -> int:
    """Do the work of a command; turn an error into one line on stderr and exit code 2.

    This covers :class:`InputError`, wrapped or not, errors of the operating system (files, disks,
    memory, also stdout), and missing packages of an extra. An :class:`InputWarning` also becomes
    one line on stderr. Every other exception is a bug and passes through. Characters that stdout
    cannot show are printed as escapes.

    Args:
        prog: Name of the command; each line begins with it.
        work: The work; returns the exit code, None for 0.
        interrupted: See :class:`Command`.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors='backslashreplace')
    try:
        with _warnings_as_lines(prog):
            code = work()
        # Without this flush, a full disk behind stdout would be noticed too late.
        sys.stdout.flush()
        return code or 0
    except (KeyboardInterrupt, SystemExit, Exception) as error:
        sentence: str | None
        if isinstance(error, KeyboardInterrupt):
            sentence, code = str(error) or interrupted, EXIT_INTERRUPTED
        else:
            sentence, code = _stdout_error() or _explain(error), EXIT_INPUT_ERROR
        if sentence is None:
            raise
        # The traceback keeps a progress bar open, and the line would be printed behind the bar.
        traceback.clear_frames(error.__traceback__)
        print(f'{prog}: {sentence}', file=sys.stderr)
        return code


def _explain(error: BaseException) -> str | None:
    if isinstance(error, ModuleNotFoundError) and error.name in PACKAGES:
        return f'this needs {missing_packages(error.name)}'
    return explain_error(error)


def _stdout_error() -> str | None:
    """Return why stdout cannot be written to, and turn it off; None if it can be written to."""
    try:
        sys.stdout.flush()
    except OSError as error:
        # Otherwise Python flushes the buffer at exit and prints its own error message.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return os_error_text(error, 'the output of the command cannot be written to stdout')
    return None


@contextmanager
def _warnings_as_lines(prog: str) -> Iterator[None]:
    """Show each InputWarning once, as one line of the command; show other warnings as usual."""
    show_any = warnings.showwarning
    shown: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        if not issubclass(category, InputWarning):
            show_any(message, category, *place, **more)
        # A file that is opened several times warns each time.
        elif str(message) not in shown:
            from tqdm import tqdm

            # A progress bar may be open.
            tqdm.write(f'{prog}: {cut_long(str(message))}', file=sys.stderr)
            shown.add(str(message))

    with warnings.catch_warnings():
        warnings.simplefilter('always', InputWarning)
        # MMDetection warns at import that an optional metric, which nothing here uses, is missing.
        warnings.filterwarnings('ignore', message='faster_coco_eval is not installed')
        warnings.showwarning = show
        yield
