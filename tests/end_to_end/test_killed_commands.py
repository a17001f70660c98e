"""A few kills of what tools/misc/soak_kills.py does by the dozen."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.paths import ROOT

pytestmark = pytest.mark.slow


def test_killed_commands_leave_nothing_half_done(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, str(ROOT / 'tools' / 'misc' / 'soak_kills.py'), str(tmp_path / 'o')),
            *('--kills', '3', '--commands', 'propagate', '--seed', '1'),
        ],
        env={**os.environ, 'PYTHONPATH': str(ROOT), 'CUDA_VISIBLE_DEVICES': ''},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('fine') == 3
    assert done.stdout.splitlines()[-1].endswith('runs were killed, 0 things were wrong')
