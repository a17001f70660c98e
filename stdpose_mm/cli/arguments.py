"""What all command-line tools have in common."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from stdpose_mm.errors import PACKAGES, find_input_error, missing_packages

EXIT_INPUT_ERROR, EXIT_INTERRUPTED = 2, 130


class OneLineParser(argparse.ArgumentParser):
    """Parse a command line; say what is wrong with it in one line, without repeating the usage.

    Args:
        prog: Name of the command.
        documentation: Docstring whose first line describes the command.
    """

    def __init__(self, prog: str, documentation: str | None) -> None:
        super().__init__(prog=prog, description=(documentation or '').splitlines()[0])

    def error(self, message: str) -> NoReturn:
        """Exit with code 2 and the message."""
        self.exit(EXIT_INPUT_ERROR, f'{self.prog}: {message}, see --help\n')


def add_labelled_videos(parser: argparse.ArgumentParser) -> None:
    """The arguments that name a set of labelled videos: LABELS and where their pictures lie."""
    parser.add_argument(
        'labels',
        type=Path,
        metavar='LABELS',
        help='folder of label files, one file, or a text file with one path a line',
    )
    parser.add_argument(
        '--image-root', type=Path, help='folder that file names of pictures in LABELS start from'
    )
    parser.add_argument(
        '--video-root', type=Path, help='folder that the video files named in LABELS start from'
    )


def run_command(
    parser: argparse.ArgumentParser,
    work: Callable[[argparse.Namespace], object],
    arguments: Sequence[str] | None,
    interrupted: str | None = None,
) -> int:
    """Parse a command line, do its work, and return the exit code.

    An :class:`InputError`, wrapped or not, is one line on stderr and exit code 2, and so is a
    package of an extra that is not installed. Every other exception is a bug and passes through.

    Args:
        parser: Parser of the command line.
        work: Function of the parsed arguments.
        arguments: Command line; by default that of the process.
        interrupted: Line on stderr after Ctrl-C, with exit code 130; by default
            ``KeyboardInterrupt`` passes through.
    """
    args = parser.parse_args(arguments)
    try:
        work(args)
    except KeyboardInterrupt:
        if interrupted is None:
            raise
        print(f'{parser.prog}: {interrupted}', file=sys.stderr)
        return EXIT_INTERRUPTED
    except Exception as error:
        sentence = find_input_error(error)
        if isinstance(error, ModuleNotFoundError) and error.name in PACKAGES:
            sentence = f'this needs {missing_packages(error.name)}'
        if sentence is None:
            raise
        print(f'{parser.prog}: {sentence}', file=sys.stderr)
        return EXIT_INPUT_ERROR
    return 0


def seed(text: str) -> int:
    """An argument that NumPy and PyTorch take as a seed.

    Raises:
        argparse.ArgumentTypeError: If it is none.
    """
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f'expected a whole number in 0..2^32 - 1, got {text!r}')
    return int(text)


def positive(text: str) -> int:
    """An argument that is a whole number of at least 1.

    Raises:
        argparse.ArgumentTypeError: If it is none.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'expected a whole number of at least 1, got {text!r}')
    return int(text)
