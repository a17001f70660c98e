"""What the command-line tools that need no runner have in common."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import NoReturn

from stdpose_mm.errors import InputError

EXIT_INPUT_ERROR = 2


class OneLineParser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one line, without repeating the usage."""

    def error(self, message: str) -> NoReturn:
        """Exit with code 2 and the message."""
        self.exit(EXIT_INPUT_ERROR, f'{self.prog}: {message}, see --help\n')


def exit_code(parser: argparse.ArgumentParser, work: Callable[[], None]) -> int:
    """Run ``work``: 0 if it succeeds; 2 and one line on stderr if it raises an InputError."""
    try:
        work()
    except InputError as error:
        print(f'{parser.prog}: {error}', file=sys.stderr)
        return EXIT_INPUT_ERROR
    return 0
