"""The frame of all commands: parsing of options, errors as one sentence and an exit code."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import (
    AbstractContextManager,
    contextmanager,
    nullcontext,
    redirect_stderr,
    redirect_stdout,
    suppress,
)
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, TextIO, cast

from stdpose_mm.errors import (
    PACKAGES,
    InputWarning,
    cut_long,
    explain_error,
    missing_packages,
    os_error_text,
)
from stdpose_mm.io import PathLike
from stdpose_mm.io.disk.outputs import keep_edited
from stdpose_mm.mmpose_patches import hide_library_notes
from stdpose_mm.text import escape_unprintable

from .parser import EXIT_INPUT_ERROR, CliParser

_END_SIGNALS = [getattr(signal, name) for name in ('SIGTERM', 'SIGHUP') if hasattr(signal, name)]
"""Signals that end a command like Ctrl-C: of docker stop, Slurm, timeout, a closed terminal."""

_EXIT_OF_SIGNAL = 128
"""Exit code of a command that a signal has ended, without the number of the signal."""

_received: list[int] = []
"""The number of the signal, other than Ctrl-C's, that has ended the command."""


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
        interrupted: Line on stderr after Ctrl-C, SIGTERM or SIGHUP, with exit code 130, 143 or 129,
            if the ``KeyboardInterrupt`` has no message.
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
        def parse_and_work() -> None:
            parser = self.make_parser(prog)
            args = parser.parse_args(arguments)
            parser.guard_outputs(args)
            options = self.options(**vars(args))
            with self._keep_edited(parser.replaceable(args)):
                self.work(options)

        return with_sentences(prog or self.prog, parse_and_work, self.interrupted)

    def _keep_edited(self, paths: Sequence[PathLike]) -> AbstractContextManager[None]:
        if not self.keeps_edited or not paths:
            return nullcontext()
        return keep_edited(_choose_cache_folder, *paths)

    def parse(self, arguments: Sequence[str]) -> Any:
        """Return the options of a command line."""
        return self.options(**vars(self.make_parser().parse_args(arguments)))

    def make_parser(self, prog: str | None = None) -> CliParser:
        """Build the parser of the command line."""
        return CliParser(prog or self.prog, self.documentation, self.options, self.usage)


def _choose_cache_folder() -> Path | None:
    # This imports the readers of videos, which many commands do not need.
    from stdpose_mm.io.cache_folder import choose_cache_folder

    return choose_cache_folder()


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
    hide_library_notes()
    try:
        with _signals_as_ctrl_c(), _printable_output(), _warnings_as_lines(prog):
            code = work()
        # Without this flush, a full disk behind stdout would be noticed too late.
        sys.stdout.flush()
        return code or 0
    except (KeyboardInterrupt, SystemExit, Exception) as error:
        sentence: str | None
        if isinstance(error, KeyboardInterrupt):
            code = _EXIT_OF_SIGNAL + next(iter(_received), signal.SIGINT)
            sentence = str(error) or interrupted
        else:
            sentence, code = _stdout_error() or _explain(error), EXIT_INPUT_ERROR
        if sentence is None:
            raise
        # The traceback keeps a progress bar open, and the line would be printed behind the bar.
        traceback.clear_frames(error.__traceback__)
        # The terminal may have been closed.
        with suppress(OSError):
            print(escape_unprintable(f'{prog}: {sentence}'), file=sys.stderr)
        return code


class _PrintableStream:
    """A text stream whose terminal names from files cannot control.

    Args:
        stream: The stream to write to.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text with control characters escaped."""
        return self._stream.write(escape_unprintable(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def _printable_output() -> Iterator[None]:
    out, errors = (cast(TextIO, _PrintableStream(s)) for s in (sys.stdout, sys.stderr))
    with redirect_stdout(out), redirect_stderr(errors):
        yield


@contextmanager
def _signals_as_ctrl_c() -> Iterator[None]:
    """Let the first signal that asks the command to end do what Ctrl-C does, and ignore others.

    Signals that a caller ignores or handles, such as ``nohup``, stay as they are.
    """
    is_main = threading.current_thread() is threading.main_thread()
    default_signals = [n for n in _END_SIGNALS if is_main and signal.getsignal(n) is signal.SIG_DFL]
    process = os.getpid()

    def end(number: int, frame: FrameType | None) -> None:
        if os.getpid() != process:
            # A forked worker ends at once.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        if _received:
            return
        _received.append(number)
        on_ctrl_c = signal.getsignal(signal.SIGINT)
        if not callable(on_ctrl_c):
            raise KeyboardInterrupt
        on_ctrl_c(number, frame)

    if default_signals:
        _received.clear()
    try:
        for number in default_signals:
            signal.signal(number, end)
        yield
    finally:
        for number in default_signals:
            signal.signal(number, signal.SIG_DFL)


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
    messages: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        if not issubclass(category, InputWarning):
            show_any(message, category, *place, **more)
        # A file that is opened several times warns each time.
        elif str(message) not in messages:
            from tqdm import tqdm

            # A progress bar may be open.
            tqdm.write(f'{prog}: {cut_long(str(message))}', file=sys.stderr)
            messages.add(str(message))

    with warnings.catch_warnings():
        warnings.simplefilter('always', InputWarning)
        # MMDetection warns at import that an optional metric, which nothing here uses, is missing.
        warnings.filterwarnings('ignore', message='faster_coco_eval is not installed')
        warnings.showwarning = show
        yield
