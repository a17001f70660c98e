"""What the scripts for Slurm ask ``srun`` for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from support.paths import ROOT

ARGUMENTS = {
    'train': ['config.py', 'work'],
    'test': ['config.py', 'last.pth'],
    'videos': ['propagate', 'clip.mp4', 'labels.json'],
}


@pytest.mark.parametrize('script', ARGUMENTS)
@pytest.mark.parametrize(
    ('environment', 'present', 'absent'),
    [
        ({}, ['--gres=gpu:8', '--ntasks=8', '--ntasks-per-node=8'], []),
        ({'GPUS': '2'}, ['--gres=gpu:2', '--ntasks=2', '--ntasks-per-node=2'], []),
        (
            {'GPUS': '16', 'GPUS_PER_NODE': '4'},
            ['--gres=gpu:4', '--ntasks=16', '--ntasks-per-node=4'],
            [],
        ),
        ({'GRES': 'gpu:a100:8'}, ['--gres=gpu:a100:8'], ['--gres=gpu:8']),
        ({'GRES': '', 'SRUN_ARGS': '--gpus-per-task=1 -t 9'}, ['--gpus-per-task=1', '9'], ['gres']),
    ],
)
def test_resources(
    script: str,
    environment: dict[str, str],
    present: list[str],
    absent: list[str],
    tmp_path: Path,
) -> None:
    srun = tmp_path / 'srun'
    srun.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    srun.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if 'GPU' not in name}
    done = subprocess.run(
        ['bash', str(ROOT / f'tools/slurm_{script}.sh'), 'part', 'job', *ARGUMENTS[script]],
        env={**kept, **environment, 'PATH': f'{tmp_path}{os.pathsep}{os.environ["PATH"]}'},
        capture_output=True,
        text=True,
        check=True,
    )
    asked = done.stdout.splitlines()
    assert set(present) <= set(asked)
    assert '' not in asked
    assert not any(part in argument for part in absent for argument in asked)
