"""Show or clear the cache of finished work.

    stdpose cache
    stdpose cache clear

The next run on the same video uses it: a run that was killed continues, and a run with corrected
labels recomputes only what the corrections affect. See docs/guide/propagation.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .command import Command
from .options import CacheOptions
from .parser import argument

SHOW, CLEAR = 'show', 'clear'


@dataclass(frozen=True, kw_only=True)
class CacheCommandOptions(CacheOptions):
    """Options of ``stdpose cache``.

    Args:
        action: Show what is in the cache, or remove all of it.
    """

    action: str = argument('{show,clear}', nargs='?', choices=(SHOW, CLEAR), default=SHOW)


def run(options: CacheCommandOptions) -> None:
    """Print the contents of the cache by video, or clear the cache.

    Raises:
        InputError: If the size limit of the cache is not a number.
    """
    from stdpose_mm.io.cache_folder import CacheFolder

    folder = options.cache_folder
    if folder is None:
        print('nothing is kept: the cache is off')
        return
    cache = CacheFolder(folder)
    if options.action == CLEAR:
        print(f'{folder}: {cache.clear()} entries removed')
        return
    usage = cache.usage()
    total = sum(entry.size for entry in usage)
    print(f'{folder}: {_megabytes(total)} of at most {_megabytes(cache.limit)}')
    if usage:
        width = max(len('video'), *(len(entry.video) for entry in usage))
        print(f'{"video":<{width}} {"entries":>8} {"size":>10}  last used')
        for entry in usage:
            when = datetime.fromtimestamp(entry.last_used).strftime('%Y-%m-%d %H:%M')
            print(f'{entry.video:<{width}} {entry.entries:>8} {_megabytes(entry.size):>10}  {when}')


def _megabytes(size: int) -> str:
    return f'{size / 1e6:.1f} MB'


main = Command(CacheCommandOptions, run, __doc__, 'stdpose cache')
