"""The second system through every tool that the first one goes through."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stdpose_mm.io.labels import read_labels
from support.tiny_models import Files, model_cfg, random_model, semantic_motion, write_model_files
from support.tools import load_tool

pytestmark = pytest.mark.slow

NUM_FRAMES = 9

Run = Callable[..., tuple[int, str, list[str]]]


def make_files(folder: Path, **changes: Any) -> Files:
    return write_model_files(folder, random_model(model_cfg(3, **changes)), **changes)


@pytest.fixture(scope='module')
def with_labels(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Made for propagation."""
    return make_files(tmp_path_factory.mktemp('labels'), **semantic_motion(3, labels=True))


@pytest.fixture(scope='module')
def without_labels(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Made for estimation, without a head for single frames."""
    folder = tmp_path_factory.mktemp('estimation')
    return make_files(folder, **semantic_motion(3), frame_head=None)


@pytest.fixture
def run(run_main: Run) -> Run:
    return lambda tool, *arguments: run_main(load_tool(tool).main, *arguments)


def model_options(files: Files) -> tuple[object, ...]:
    return '--config', files[0], '--checkpoint', files[1]


def poses_of(path: Path) -> dict[tuple[int, int | None], np.ndarray]:
    return {(p.frame_index, p.track_id): p.keypoints for p in read_labels(path).persons}


# Propagation


def test_it_propagates_and_the_labels_count(run, with_labels, folder, label_file, tmp_path):
    fields = json.loads(label_file.read_text())
    for annotation in fields['annotations']:
        # The middle frame's labels, without the boxes that move with them.
        annotation['bbox'] = [10.0, 10.0, 50.0, 50.0]
    moved = json.loads(json.dumps(fields))
    for annotation in moved['annotations']:
        if annotation['image_id'] == 5:
            annotation['keypoints'] = [
                value + 9 if n % 3 == 0 else value
                for n, value in enumerate(annotation['keypoints'])
            ]
    found = []
    for name, content in (('plain', fields), ('moved', moved)):
        labels, out = tmp_path / f'{name}.json', tmp_path / f'{name}_dense.json'
        labels.write_text(json.dumps(content))
        options = ('--method', 'semantic-motion', *model_options(with_labels))
        code, printed, errors = run('propagate', folder, labels, '--out', out, *options)
        assert code == 0, errors
        assert '6 given and 12 propagated poses' in printed
        found.append(poses_of(out))
    assert set(found[0]) == {(frame, person) for frame in range(NUM_FRAMES) for person in (0, 1)}
    for frame in (3, 5):
        assert not np.array_equal(found[0][frame, 0], found[1][frame, 0])


@pytest.mark.parametrize('kind', ['with_labels', 'without_labels'])
def test_auto_takes_it_as_evidence(request, run, kind, folder, label_file, tmp_path):
    files = request.getfixturevalue(kind)
    poses = []
    for name, options in (('alone', ()), ('evidence', model_options(files))):
        out = tmp_path / f'{name}.json'
        code, printed, errors = run('propagate', folder, label_file, '--out', out, *options)
        assert code == 0, errors
        poses.append(poses_of(out))
        assert ('heatmaps for 3 of 3 joints' in printed) == (name == 'evidence')
    alone, with_evidence = poses
    assert not np.array_equal(alone[2, 0], with_evidence[2, 0])
    assert all(np.isfinite(pose).all() for pose in with_evidence.values())


# Fitting to a video


# Estimation
