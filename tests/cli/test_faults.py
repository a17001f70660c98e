"""A fault in any phase of a command loses nothing and leaves nothing half; see ``fault_runs``."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from support.fault_runs import NO_ROOM
from support.paths import ROOT
from support.platforms import linux

pytestmark = [pytest.mark.slow, linux]


COMMANDS = ['convert to a folder', 'propagate', 'review', 'split videos']
FAULTS = ['SIGTERM', 'SIGKILL', NO_ROOM]


@pytest.fixture(scope='module')
def results() -> dict[str, dict[str, list[str]]]:
    """What was wrong with each run of each command, by fault."""
    job = json.dumps({'commands': COMMANDS, 'faults': FAULTS, 'points': 2})
    done = subprocess.run(
        [sys.executable, str(ROOT / 'tests' / 'support' / 'fault_runs.py'), '--json', job],
        env={**os.environ, 'PYTHONPATH': f'{ROOT}{os.pathsep}{ROOT / "tests"}'},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize('command', COMMANDS)
def test_faults_in_all_phases(results, command):
    assert results[command] == {fault: ['', ''] for fault in FAULTS}
