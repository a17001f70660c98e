"""Run the work of a command: errors become one sentence and an exit code."""

from __future__ import annotations

import argparse
import io
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from stdpose_mm.errors import (
    PACKAGES,
    InputWarning,
    cut_long,
    explain_error,
    missing_packages,
    os_error_text,
)

from .one_line_parser import EXIT_INPUT_ERROR, OneLineParser

EXIT_INTERRUPTED = 130


def run_command(
    parser: argparse.ArgumentParser,
    work: Callable[[argparse.Namespace], object],
    arguments: Sequence[str] | None,
    interrupted: str = 'interrupted',
) -> int:
    """Parse a command line, do its work, and return the exit code.

    Outputs that the parser knows of (:meth:`OneLineParser.add_output`) are refused before the work
    begins if they cannot be written or are inputs. See :func:`with_sentences` for errors.

    Args:
        parser: Parser of the command line.
        work: Function of the parsed arguments.
        arguments: Command line; by default that of the process.
        interrupted: Line on stderr after Ctrl-C, with exit code 130, if the ``KeyboardInterrupt``
            has no message.
    """

    def parse_and_work() -> None:
        args = parser.parse_args(arguments)
        if isinstance(parser, OneLineParser):
            parser.guard_outputs(args)
        work(args)

    return with_sentences(parser.prog, parse_and_work, interrupted)


def with_sentences(
    prog: str, work: Callable[[], int | None], interrupted: str = 'interrupted'
) -> int:
    """Do the work of a command; turn an error into one line on stderr and exit code 2.

    Such errors are an :class:`InputError`, wrapped or not, everything that the operating system
    refuses (files, disks, memory, also stdout), and a missing package of an extra. An
    :class:`InputWarning` is one line on stderr too. Every other exception is a bug and passes
    through. Characters that stdout cannot show are printed as escapes.

    Args:
        prog: Name of the command, which the lines begin with.
        work: The work; returns the exit code, None for 0.
        interrupted: See :func:`run_command`.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors='backslashreplace')
    try:
        with _warnings_as_lines(prog):
            code = work()
        # Without a flush here, a full disk behind stdout would be noticed too late.
        sys.stdout.flush()
        return code or 0
    except KeyboardInterrupt as stop:
        # The traceback keeps a progress bar open; the line would be printed behind the bar.
        traceback.clear_frames(stop.__traceback__)
        print(f'{prog}: {str(stop) or interrupted}', file=sys.stderr)
        return EXIT_INTERRUPTED
    except SystemExit:
        # After --help.
        sentence = _stdout_error()
        if sentence is None:
            raise
        print(f'{prog}: {sentence}', file=sys.stderr)
        return EXIT_INPUT_ERROR
    except Exception as error:
        sentence = _stdout_error() or explain_error(error)
        if isinstance(error, ModuleNotFoundError) and error.name in PACKAGES:
            sentence = f'this needs {missing_packages(error.name)}'
        if sentence is None:
            raise
        # The traceback keeps a progress bar open; the line would be printed behind the bar.
        traceback.clear_frames(error.__traceback__)
        print(f'{prog}: {sentence}', file=sys.stderr)
        return EXIT_INPUT_ERROR


def _stdout_error() -> str | None:
    """Say why stdout cannot be written to, which is then turned off; None if it can."""
    try:
        sys.stdout.flush()
    except OSError as error:
        # Python flushes the buffer at exit, and would print an error message of its own.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return os_error_text(error, 'what is printed cannot be written to stdout')
    return None


@contextmanager
def _warnings_as_lines(prog: str) -> Iterator[None]:
    """Show each InputWarning once, as one line of the command, other warnings as usual."""
    show_any = warnings.showwarning
    shown: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        if issubclass(category, InputWarning):
            # A file may be opened several times.
            if str(message) not in shown:
                from tqdm import tqdm

                # A bar of progress may be open.
                tqdm.write(f'{prog}: {cut_long(str(message))}', file=sys.stderr)
            shown.add(str(message))
        else:
            show_any(message, category, *place, **more)

    with warnings.catch_warnings():
        warnings.simplefilter('always', InputWarning)
        warnings.showwarning = show
        yield
