"""Pose networks by name where neither PyTorch nor MMPose is installed, through whole commands."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stdpose_mm.apis import PoseNetworkFiles, VideoPosePropagator
from stdpose_mm.cli import networks, propagate
from stdpose_mm.errors import installation_command
from stdpose_mm.structures import Skeleton
from support.bare_onnx import blob_detector
from support.light_job import FORBIDDEN
from support.published_files import publish
from support.refusals import refusal
from support.without_torch import run_without_torch

pytestmark = pytest.mark.slow

Run = Callable[..., tuple[int, str, list[str]]]
JOINTS = ('nose', 'left_wrist', 'right_wrist')


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let PyTorch and OpenMMLab's packages look as if they were not installed."""
    find = importlib.util.find_spec

    def find_spec(name: str, *rest: Any) -> Any:
        return None if name in FORBIDDEN else find(name, *rest)

    monkeypatch.setattr(importlib.util, 'find_spec', find_spec)


@pytest.fixture
def label_fields(label_fields: dict[str, Any]) -> dict[str, Any]:
    label_fields['categories'][0]['keypoints'] = [*JOINTS]
    return label_fields


@pytest.fixture
def run(run_main: Run, movie: Path, label_file: Path, light: None) -> Run:
    """Propagate the labels of the movie with some options."""

    def run(*options: object) -> tuple[int, str, list[str]]:
        code, printed, errors = run_main(propagate.main, movie, label_file, *options)
        return code, printed, [line for line in errors if 's to go' not in line]

    return run


def poses(path: Path) -> list[list[float]]:
    return [person['keypoints'] for person in json.loads(path.read_text())['annotations']]


def test_propagate_fetches_a_network_once(run, tmp_path, monkeypatch):
    outs = [tmp_path / f'dense_{n}.json' for n in range(3)]
    common = ('--no-stdpose', '--cache', 'off')
    with publish(tmp_path, monkeypatch, 'human') as requests:
        code, printed, notes = run(*common, '--out', outs[0], '--pose', 'human')
    assert (code, requests) == (0, ['GET'])
    assert [line.partition(' (')[0] for line in notes] == ['propagate.py: fetching human-m']
    assert notes[0].endswith(
        'licence of MMPose: Apache-2.0; training data (with their own terms, * is for '
        'non-commercial use only): AI Challenger, COCO, '
        'CrowdPose, MPII, sub-JHMDB, Halpe*, PoseTrack18; its SHA-256 is not known beforehand, it '
        'is compared from its first use on'
    )
    assert 'heatmaps of human-m for 3 of 3 joints' in printed
    # The server is gone.
    code, _, notes = run(*common, '--out', outs[1], '--pose', 'HUMAN-M')
    assert (code, notes) == (0, [])
    assert run(*common, '--out', outs[2])[0] == 0
    assert poses(outs[0]) == poses(outs[1]) != poses(outs[2])


def test_an_unknown_name_is_one_line(run, tmp_path):
    line = refusal(run, '--out', tmp_path / 'dense.json', '--pose', 'rtmpose-m')
    assert 'there is no rtmpose-m among the published networks' in line
    assert installation_command('train') in line


@pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning')
def test_python_takes_a_name_too(tmp_path, light, monkeypatch):
    with publish(tmp_path, monkeypatch, 'face-t'):
        propagator = VideoPosePropagator(pose_networks=[PoseNetworkFiles('face-t')])
    skeleton = Skeleton(('kpt-3', 'nose'))
    assert 'heatmaps of face-t for 1 of 2 joints' in propagator.describe(skeleton)


def test_the_command_lists_what_is_published_and_what_is_here(
    run_main, tmp_path, light, monkeypatch
):
    monkeypatch.setenv('STDPOSE_CACHE', 'off')
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    code, printed, errors = run_main(networks.main)
    lines = [line.split() for line in printed.splitlines()]
    assert (code, errors) == (0, [])
    assert lines[0][:5] == ['alias', 'joints', 'height', 'x', 'width']
    assert ['human,', 'body,', 'body17', 'coco', '256x192', 'ONNX', 'human-m', 'AI'] in [
        line[:8] for line in lines
    ]
    assert ['wholebody', '384x288', 'ONNX', 'wholebody-l-384', 'COCO-WholeBody*,', 'UBody'] in lines
    assert ['person', 'person', '640x640', 'ONNX', 'person-m', 'Human-Art*,', 'COCO'] in lines
    assert len(lines) == 1 + 48 + 1
    # Those with an alias come first.
    first = {line[line.index('ONNX') + 1] for line in lines[1:9]}
    assert first >= {'human-m', 'body26-m', 'animal-m', 'face-m'}
    assert 'for non-commercial use only' in printed


def test_networks_are_fetched_beforehand_and_checked(
    run_main: Run, tmp_path: Path, light: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        publish(tmp_path, monkeypatch, 'face-t') as requests,
        publish(tmp_path, monkeypatch, 'person-t', content=blob_detector()) as detectors,
    ):
        fetch = ('fetch', 'face-t', 'PERSON-T')
        code, printed, notes = run_main(networks.main, *fetch)
        assert (code, requests + detectors, len(notes)) == (0, ['GET', 'GET'], 2)
    # The servers are gone.
    assert run_main(networks.main, *fetch) == (0, printed, [])
    files = [Path(line.partition(': ')[2]) for line in printed.splitlines()]
    assert [file.suffix for file in files] == ['.onnx', '.onnx']
    size = f'{files[0].stat().st_size / 1e6:.1f} MB here'
    assert re.search(f'{size} +ONNX   face-t ', run_main(networks.main)[1])
    code, printed, _ = run_main(networks.main, 'check')
    times = re.findall(r' is as published, (\d+\.\d ms) for', printed)
    assert (code, len(times)) == (0, 2)
    listed = run_main(networks.main)[1]
    for name, milliseconds in zip(('face-t', 'person-t'), times, strict=True):
        assert re.search(f' MB here +{re.escape(milliseconds)} +ONNX   {name} ', listed)
    files[1].write_bytes(b'damaged')
    code, printed, (error,) = run_main(networks.main, 'check')
    assert (code, printed.count(' is as published, ')) == (2, 1)
    assert f'{files[1]} is not what it was' in error


@pytest.mark.parametrize('arguments', [('fetch',), ('check', 'human'), ('list', 'human')])
def test_names_are_for_fetch(run_main: Run, arguments: tuple[str, ...]) -> None:
    assert 'give names such as human and person, or all, to' in refusal(
        run_main, networks.main, *arguments
    )


def test_propagate_imports_no_pytorch(movie, label_file, tmp_path, monkeypatch):
    out = tmp_path / 'dense.json'
    with publish(tmp_path, monkeypatch, 'human-t'):
        done = run_without_torch('propagate', movie, label_file, '--out', out, '--pose', 'human-t')
    assert 'heatmaps of human-t for 3 of 3 joints' in done.stdout
    assert len(poses(out)) == 18
