from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def run_tool(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Runs a command-line tool in this process: its exit code and what it said on stderr."""

    def run(tool: Path, *arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, 'argv', [str(tool), *map(str, arguments)])
        with pytest.raises(SystemExit) as exited:
            runpy.run_path(str(tool), run_name='__main__')
        return int(exited.value.code or 0), capsys.readouterr().err

    return run
