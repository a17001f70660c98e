"""A few kills of what tools/misc/soak_kills.py does by the dozen."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import warm_commands

pytestmark = pytest.mark.slow


def test_killed_commands_leave_nothing_half_done(tmp_path: Path) -> None:
    done = warm_commands.run(
        *('tools/misc/soak_kills.py', tmp_path / 'o'),
        *('--kills', 3, '--commands', 'propagate', '--seed', 1),
        cwd=tmp_path,
    )
    assert done.stdout.count('fine') == 3
    assert done.stdout.splitlines()[-1].endswith('runs were killed, 0 things were wrong')
