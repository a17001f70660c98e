"""Blocks of code in the documentation, and the commands that a shell calls for them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from support.paths import ROOT

PAGES = [
    path
    for folder in ('.', 'docs', 'demo', 'tests')
    for path in sorted((ROOT / folder).glob('*.md' if folder == '.' else '**/*.md'))
]

_FENCE = re.compile(r'^( *)```([^\n]*)\n(.*?)^\1``` *$', re.MULTILINE | re.DOTALL)

_SHIM = """#!{python} -IS
import json, os, sys
call = [{name!r}, *sys.argv[1:]]
if call[:2] == ['git', 'clone']:
    os.makedirs(call[-1], exist_ok=True)
with open({log!r}, 'a') as log:
    print(json.dumps([call, sys.stdin.read() if call[1:2] == ['-'] else '']), file=log)
"""

RECORDED = ('stdpose', 'python', 'pip', 'make', 'torchrun', 'srun', 'git')
"""Commands that blocks may call; the shell finds no other ones."""


@dataclass(frozen=True)
class Block:
    """Describe a fenced block.

    Args:
        line: 1-based line of its fence.
        language: Word after the opening fence.
        text: Its lines, without the indentation of the fence.
    """

    line: int
    language: str
    text: str


class Call(NamedTuple):
    """Describe a command as the shell calls it: words after expansion, and its piped input."""

    words: list[str]
    piped: str


def blocks_of(page: Path) -> list[Block]:
    """Return the fenced blocks of a page, in order; all fences are closed."""
    text = page.read_text(encoding='utf-8')
    found = [
        Block(text.count('\n', 0, match.start()) + 1, match[2], textwrap.dedent(match[3]))
        for match in _FENCE.finditer(text)
    ]
    assert len(re.findall(r'^ *(?:```|~~~)', text, re.MULTILINE)) == 2 * len(found), page
    return found


def calls_of(script: str, folder: Path) -> list[Call]:
    """Run a script with bash in a folder and return the commands it calls, which do nothing.

    Args:
        script: Text of the script.
        folder: A copy of the repository, in which scripts of ``tools`` are found.
    """
    log, shims = folder / '.calls', folder / '.shims'
    log.write_text('')
    shims.mkdir(exist_ok=True)
    for name in RECORDED:
        for place in (shims, folder / '.venv' / 'bin'):
            place.mkdir(parents=True, exist_ok=True)
            shim = place / name
            shim.write_text(_SHIM.format(python=sys.executable, name=name, log=str(log)))
            shim.chmod(0o755)
    done = subprocess.run(
        ['/bin/bash', '-euo', 'pipefail', '-c', script],
        cwd=folder,
        env={'PATH': f'{shims}:/usr/bin:/bin', 'HOME': os.environ.get('HOME', '/')},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f'{script}\n{done.stderr}'
    return [Call(*json.loads(line)) for line in log.read_text().splitlines()]
