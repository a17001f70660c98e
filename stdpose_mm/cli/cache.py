"""Show or clear the cache of finished work.

    stdpose cache
    stdpose cache clear

It serves the next run on the same video: one that was killed goes on, one with corrected labels
does only what they touch. See docs/guide/propagation.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import datetime

from stdpose_mm.cli.arguments import add_cache_argument
from stdpose_mm.cli.one_line_parser import OneLineParser
from stdpose_mm.cli.run_command import run_command

SHOW, CLEAR = 'show', 'clear'


def main(arguments: Sequence[str] | None = None, prog: str = 'stdpose cache') -> int:
    """Run the command line and return the exit code."""
    return run_command(make_parser(prog), run, arguments)


def make_parser(prog: str) -> argparse.ArgumentParser:
    """Build the parser of the command line."""
    parser = OneLineParser(prog, __doc__)
    parser.add_argument(
        'action',
        nargs='?',
        choices=(SHOW, CLEAR),
        default=SHOW,
        help='show what is in the cache, or remove all of it (%(default)s)',
    )
    add_cache_argument(parser)
    return parser


def run(args: argparse.Namespace) -> None:
    """Print the contents of the cache by video, or clear the cache.

    Raises:
        InputError: If the size limit of the cache is no number.
    """
    from stdpose_mm.io.cache_folder import CacheFolder, choose_cache_folder

    folder = choose_cache_folder(args.cache)
    if folder is None:
        print('nothing is kept: the cache is off')
        return
    cache = CacheFolder(folder)
    if args.action == CLEAR:
        print(f'{folder}: {cache.clear()} entries removed')
        return
    usage = cache.usage()
    total = sum(one.size for one in usage)
    print(f'{folder}: {_megabytes(total)} of at most {_megabytes(cache.limit)}')
    if usage:
        width = max(len('video'), *(len(one.video) for one in usage))
        print(f'{"video":<{width}} {"entries":>8} {"size":>10}  last used')
        for one in usage:
            when = datetime.fromtimestamp(one.last_used).strftime('%Y-%m-%d %H:%M')
            print(f'{one.video:<{width}} {one.entries:>8} {_megabytes(one.size):>10}  {when}')


def _megabytes(size: int) -> str:
    return f'{size / 1e6:.1f} MB'
