"""The ``stdpose`` command where PyTorch and OpenMMLab's packages are not installed."""

from __future__ import annotations

import os
import subprocess
import sys

from support.paths import ROOT

CODE = """
import sys
from support.light_job import run_without_heavy_packages
sys.exit(run_without_heavy_packages())
"""


def run_without_torch(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command, which must succeed, in a new process that cannot import these packages."""
    done = subprocess.run(
        [sys.executable, '-c', CODE, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join([str(ROOT), str(ROOT / 'tests')])},
    )
    assert done.returncode == 0, done.stderr
    return done
