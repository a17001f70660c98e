"""What the scripts that start several processes ask torchrun and Slurm for."""

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


def asked_of(program: str, words: list[str], folder: Path, variables: dict[str, str]) -> list[str]:
    """The arguments that a script gives to a program, which is replaced by one that prints them."""
    replaced = folder / program
    replaced.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    replaced.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if 'GPU' not in name}
    done = subprocess.run(
        ['bash', *words],
        env={**kept, **variables, 'PATH': f'{folder}{os.pathsep}{os.environ["PATH"]}'},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


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
def test_resources_of_slurm(script, environment, present, absent, tmp_path):
    words = [str(ROOT / f'tools/slurm_{script}.sh'), 'part', 'job', *ARGUMENTS[script]]
    asked = asked_of('srun', words, tmp_path, environment)
    assert set(present) <= set(asked)
    assert '' not in asked
    assert not any(part in argument for part in absent for argument in asked)


@pytest.mark.parametrize(
    ('script', 'arguments', 'started'),
    [
        (
            'train',
            ['c.py', '2', '--resume'],
            ['train.py', 'c.py', '--launcher', 'pytorch', '--resume'],
        ),
        (
            'train',
            ['stdpose-estimation', '2'],
            ['train.py', 'stdpose-estimation', '--launcher', 'pytorch'],
        ),
        (
            'test',
            ['c.py', 'last.pth', '2', '--out', 'm.json'],
            ['test.py', 'c.py', 'last.pth', '--launcher', 'pytorch', '--out', 'm.json'],
        ),
        (
            'videos',
            ['propagate', '2', 'videos', 'labels'],
            ['propagate.py', 'videos', 'labels', '--launcher', 'pytorch'],
        ),
    ],
)
@pytest.mark.parametrize('port', [{}, {'PORT': '29777'}], ids=['port as usual', 'own port'])
def test_processes_of_torchrun(script, arguments, started, port, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'c.py').touch()
    asked = asked_of('python', [str(ROOT / f'tools/dist_{script}.sh'), *arguments], tmp_path, port)
    assert asked[:2] == ['-m', 'torch.distributed.run']
    assert '--nproc_per_node=2' in asked
    assert f'--master_port={port.get("PORT", "29500")}' in asked
    tool, *rest = asked[-len(started) :]
    assert (Path(tool).name, *rest) == tuple(started)
    assert Path(tool).is_file()


@pytest.mark.parametrize('arguments', [['train', 'no.py', '2'], ['test', 'no.py', 'last.pth', '2']])
def test_a_missing_config_starts_no_processes(arguments, tmp_path):
    script, *words = arguments
    done = subprocess.run(
        ['bash', str(ROOT / f'tools/dist_{script}.sh'), *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f'dist_{script}.sh: config no.py does not exist, expected')
    assert len(done.stderr.splitlines()) == 1
