"""The way to CVAT and back on the command line."""

import zipfile
from functools import partial
from pathlib import Path

import pytest

from stdpose_mm.cli import propagate
from stdpose_mm.io.labels import read_labels
from support.cvat_task import CvatTask
from support.refusals import refusal

pytestmark = pytest.mark.slow

FRAMES = 9


def given_places(path: Path, **options: Path) -> dict:
    labels = read_labels(path, **options)
    return {
        (p.frame_index, p.track_id, joint): tuple(p.keypoints[joint].tolist())
        for p in labels.persons
        for joint in range(labels.skeleton.num_keypoints)
        if p.given[joint]
    }


@pytest.fixture
def run(run_main):
    return partial(run_main, propagate.main)


@pytest.fixture
def filled(run, folder, label_file, tmp_path) -> Path:
    out = tmp_path / 'filled.xml'
    assert run(folder, label_file, '--out', out, '--method', 'linear', '--format', 'cvat')[0] == 0
    return out


@pytest.mark.parametrize('has_attributes', [True, False])
def test_propagate_correct_in_cvat_and_propagate_again(
    run, folder, label_file, filled, tmp_path, has_attributes
):
    task = CvatTask(filled, FRAMES, ('source', 'score') if has_attributes else ())
    task.drag(1, task.joints[0], 3, 12.25, 13.5)
    task.export(tmp_path / 'annotations.xml')
    with zipfile.ZipFile(tmp_path / 'export.zip', 'w') as archive:
        archive.write(tmp_path / 'annotations.xml', 'annotations.xml')
    options = [] if has_attributes else ['--loaded-into-cvat', filled]
    out = tmp_path / 'again.json'
    code, _, errors = run(
        folder, tmp_path / 'export.zip', '--out', out, '--method', 'linear', *options
    )
    assert code == 0, errors

    before = given_places(label_file)
    again = given_places(out)
    person = task.tracks[1].file_id
    assert {key: again.get(key) for key in before} == before
    assert {key: place for key, place in again.items() if key not in before} == {
        (3, person, 0): (12.25, 13.5)
    }


def test_a_loaded_file_goes_with_an_export_of_cvat(run, folder, label_file, filled, tmp_path):
    options = ['--loaded-into-cvat', filled]
    line = refusal(run, folder, label_file, '--out', tmp_path / 'a.json', *options)
    assert '--loaded-into-cvat needs cvat' in line
