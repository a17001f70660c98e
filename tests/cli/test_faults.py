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


@pytest.mark.parametrize('command', ['convert to a folder', 'propagate', 'review', 'split videos'])
def test_faults_in_all_phases(tmp_path, command):
    faults = ['SIGTERM', 'SIGKILL', NO_ROOM]
    job = {'folder': str(tmp_path), 'command': command, 'faults': faults, 'points': 2}
    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / 'tests' / 'support' / 'fault_runs.py'),
            '--json',
            json.dumps(job),
        ],
        env={**os.environ, 'PYTHONPATH': f'{ROOT}{os.pathsep}{ROOT / "tests"}'},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert results == {fault: ['', ''] for fault in faults}
