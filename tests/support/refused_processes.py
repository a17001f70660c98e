"""Imported first in a process that may start no other one, whatever is imported after it."""

from __future__ import annotations

import subprocess
from typing import NoReturn


def _refuse(*arguments: object, **options: object) -> NoReturn:
    raise AssertionError('a process is started')


subprocess.Popen = _refuse  # type: ignore[assignment,misc]
