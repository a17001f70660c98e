"""Real programs open what this package writes: `make test-programs`, which installs them.

Each program runs in its own environment, by a script in ``drivers`` that opens the file, changes
nothing and saves it again. Not part of the other tests, as it takes minutes and gigabytes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from stdpose_mm.errors import InputWarning
from stdpose_mm.io.labels import read_labels, write_labels
from stdpose_mm.labelling.evidence import PoseNetworkFiles, load_pose_network
from stdpose_mm.structures import VideoFrame, VideoLabels
from support.label_samples import person, sample

DRIVERS = Path(__file__).with_name('drivers')
ENVIRONMENTS = Path(__file__).parents[2] / '.venv-programs'


def run(program: str, *args: object, python: Path | None = None, **env: str) -> None:
    """Run the script of a program in its environment."""
    python = python or ENVIRONMENTS / program / 'bin/python'
    if not (ENVIRONMENTS / program).exists():
        pytest.skip(f'{program} is not installed, see `make test-programs`')
    command = [python, DRIVERS / f'run_{program}.py', *args]
    environment = os.environ | {'QT_QPA_PLATFORM': 'offscreen', **env}
    result = subprocess.run(
        list(map(str, command)), env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-8000:]


def run_with_torch(program: str, *args: object) -> None:
    """Run the script of a program whose packages are added to those of this environment."""
    run(
        *(program, *args),
        python=Path(sys.executable),
        PYTHONPATH=f'{ENVIRONMENTS / program}',
        YOLO_CONFIG_DIR=f'{Path(str(args[-1])).parent}',
        YOLO_OFFLINE='true',
        HF_HUB_OFFLINE='1',
    )


def require(module: str) -> Any:
    """Import an optional module, of the environment of `make test-sleap`."""
    if find_spec(module.partition('.')[0]) is None:
        pytest.skip(f'{module} is not installed, see `make test-programs`')
    return import_module(module)


def two_people(folder: str, estimated: bool = True) -> VideoLabels:
    """Two people in frame 0, nobody in frame 1, an estimate of the first in frame 2."""
    frames = tuple(
        VideoFrame(i, file_name=f'{folder}img{i:04d}.png', width=640, height=480) for i in range(3)
    )
    other = np.array([[100.25, 200], [110, 210.5], [130, 240.5]])
    box = np.array([90, 190, 60, 60.0])
    last = {'scores': np.array([0.5, 0, 0.25]), 'source': 'propagated'} if estimated else {}
    people = (
        person(0, 0, visibility=np.array([2, 0, 2])),
        person(0, 1, keypoints=other, visibility=np.array([2, 2, 2]), bbox=box),
        person(2, 0, visibility=np.array([2, 0, 2]), **last),
    )
    return sample(frames=frames, persons=people)


def write_pictures(labels: VideoLabels, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for frame in labels.frames:
        picture = np.zeros((480, 640, 3), np.uint8)
        assert cv2.imwrite(str(folder / Path(frame.file_name).name), picture)


def poses(labels: VideoLabels, given: bool = False) -> dict[tuple[int, int], list[list[float]]]:
    """Map frame and number of a person, from left to right, to the joints."""
    found = {}
    for index in labels:
        people = [
            np.where(p.labelled[:, None], p.keypoints, np.nan)
            for p in labels[index]
            if p.labelled.any() and (p.source == 'given' or not given)
        ]
        for number, points in enumerate(sorted(people, key=lambda xy: xy[0, 0])):
            found[index, number] = points
    return found


def assert_same(back: VideoLabels, labels: VideoLabels, within: float, **options: bool) -> None:
    assert set(back.skeleton.keypoint_names) == set(labels.skeleton.keypoint_names)
    order = [back.skeleton.index_of(name) for name in labels.skeleton.keypoint_names]
    expected, found = poses(labels, **options), poses(back, **options)
    assert found.keys() == expected.keys()
    for key, points in expected.items():
        np.testing.assert_allclose(found[key][order], points, rtol=0, atol=within)


def test_label_studio_exports_the_labels_that_it_imported(tmp_path):
    labels = two_people('clip/')
    write_labels(labels, tmp_path / 'tasks.json', 'label-studio')

    run(
        *('label_studio', tmp_path / 'tasks.json'),
        *(tmp_path / 'tasks_config.xml', tmp_path / 'export.json'),
    )
    with pytest.warns(InputWarning, match='left out the predictions of 1 task'):
        back = read_labels(tmp_path / 'export.json')
    assert_same(back, labels, 1e-6, given=True)
    tracks = {(p.frame_index, p.track_id) for p in back.persons}
    assert tracks == {(p.frame_index, p.track_id) for p in labels.persons if p.is_given}


def test_x_anylabeling_saves_the_labels_that_it_opened(tmp_path):
    labels = two_people('')
    write_labels(labels, tmp_path / 'clip_labelme', 'labelme')
    write_pictures(labels, tmp_path / 'clip_labelme')

    run('x_anylabeling', tmp_path / 'clip_labelme', tmp_path / 'saved', HOME=str(tmp_path))
    back = read_labels(tmp_path / 'saved')
    assert_same(back, labels, 0)
    tracks = [(p.frame_index, p.track_id, p.source) for p in back.persons]
    assert tracks == [(p.frame_index, p.track_id, p.source) for p in labels.persons]


def test_napari_deeplabcut_saves_the_labels_that_it_opened(tmp_path):
    require('h5py')
    labels, folder = two_people('', estimated=False), tmp_path / 'labeled-data/clip'
    write_pictures(labels, folder)
    table = folder / 'CollectedData_annotator.h5'
    write_labels(labels, table, 'deeplabcut-h5')
    (folder / 'CollectedData_annotator_config.yaml').rename(tmp_path / 'config.yaml')
    before = table.stat().st_mtime_ns

    run('napari_deeplabcut', folder, HOME=str(tmp_path))
    assert table.stat().st_mtime_ns > before
    assert_same(read_labels(table), labels, 0)


def test_ultralytics_trains_on_the_joints_that_were_written(tmp_path):
    labels = two_people('', estimated=False)
    write_labels(labels, tmp_path / 'clip_yolo', 'yolo-pose')
    write_pictures(labels, tmp_path / 'clip_yolo/images')

    run_with_torch('ultralytics', 'train', tmp_path / 'clip_yolo/data.yaml', tmp_path / 'seen.json')
    seen = json.loads((tmp_path / 'seen.json').read_text())
    assert seen['flip_idx'] == [0, 2, 1]
    assert seen['kpt_names'] == {'0': [*labels.skeleton.keypoint_names]}
    for frame in labels.frames:
        joints = [np.column_stack([p.keypoints, p.visibility]) for p in labels[frame.index]]
        found = np.reshape(sorted(seen['joints'][frame.file_name]), (-1, 3, 3))
        np.testing.assert_allclose(found, np.reshape(joints, (-1, 3, 3)), rtol=0, atol=1e-4)


@pytest.mark.parametrize('program', ['ultralytics', 'rfdetr'])
@pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning')
def test_people_and_joints_equal_those_of_the_package_of_a_one_stage_network(tmp_path, program):
    """On one picture, whose size and shape are not those of the input."""
    noise = np.random.default_rng(0).integers(0, 255, (240, 360, 3)).astype(np.uint8)
    picture = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 4), None, 0, 255, cv2.NORM_MINMAX)
    cv2.imwrite(str(tmp_path / 'picture.png'), picture)
    args = ('export',) if program == 'ultralytics' else ()
    run_with_torch(program, *args, tmp_path / 'picture.png', tmp_path)
    networks = sorted(tmp_path.glob('*.expected'))
    assert len(networks) == (6 if program == 'ultralytics' else 1)
    for file in networks:
        expected = {name: np.array(values) for name, values in json.loads(file.read_text()).items()}
        # Untrained networks give boxes that are inside out, too.
        low, high = np.split(expected['boxes'], 2, axis=1)
        is_box = (low < high).all(axis=1)
        boxes, scores, joints = (expected[name][is_box] for name in ('boxes', 'scores', 'joints'))
        order = np.argsort(-scores, kind='stable')
        path = file.with_suffix('.onnx')
        if joints.shape[1] == 5:
            path.with_suffix('.json').write_text(json.dumps({'joints': [*'abcde']}))
        people = load_pose_network(PoseNetworkFiles(str(path))).people(picture)
        assert len(people) == len(boxes) > 10, path
        found = np.array([person.bbox for person in people])
        found[:, 2:] += found[:, :2]
        np.testing.assert_allclose(found, boxes[order], rtol=0, atol=0.01)
        points = np.array([person.keypoints for person in people])
        if program == 'ultralytics':
            # It moves joints outside the picture to its edges.
            points = points.clip(0, picture.shape[1::-1])
        np.testing.assert_allclose(points, joints[order][..., :2], rtol=0, atol=0.01)
        found = [person.extra['bbox_score'] for person in people]
        np.testing.assert_allclose(found, scores[order], rtol=0, atol=1e-4)
        if joints.shape[2] == 3:
            found = [person.scores for person in people]
            np.testing.assert_allclose(found, joints[order][..., 2], rtol=0, atol=1e-4)
        if 'covariance' in expected:
            variances = np.einsum('nkii->nk', expected['covariance'])[is_box][order] / 2
            found = [person.deviations for person in people]
            np.testing.assert_allclose(found, np.sqrt(variances), rtol=1e-3)


def test_pycocotools_scores_results_on_the_labels_they_were_made_of(tmp_path):
    coco, scoring = import_module('pycocotools.coco'), import_module('pycocotools.cocoeval')
    labels = two_people('clip/', estimated=False)
    write_labels(labels, tmp_path / 'labels.json', 'coco')
    write_labels(labels, tmp_path / 'results.json', 'coco-results')

    truth = coco.COCO(str(tmp_path / 'labels.json'))
    results = truth.loadRes(str(tmp_path / 'results.json'))
    evaluation = scoring.COCOeval(truth, results, 'keypoints')
    evaluation.params.kpt_oks_sigmas = np.full(3, 0.05)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] == evaluation.stats[5] == 1


def test_movement_saves_the_poses_that_it_opened(tmp_path):
    save, xarray = require('movement.io.save_poses'), require('xarray')
    labels = two_people('')
    write_labels(labels, tmp_path / 'a.nc', None, lambda index: index / 25)

    with xarray.open_dataset(tmp_path / 'a.nc') as dataset:
        dataset.to_netcdf(tmp_path / 'b.nc')
        save.to_dlc_file(dataset, tmp_path / 'c.csv', split_individuals=False)
    assert_same(read_labels(tmp_path / 'b.nc'), labels, 0)
    assert_same(read_labels(tmp_path / 'c.csv'), labels, 1e-6)


def test_sleap_io_reads_a_table_of_deeplabcut(tmp_path):
    sio = require('sleap_io')
    labels, folder = two_people('', estimated=False), tmp_path / 'labeled-data/clip'
    write_pictures(labels, folder)
    write_labels(labels, folder / 'CollectedData_annotator.csv', 'deeplabcut')

    project = sio.load_file(str(folder / 'CollectedData_annotator.csv'))
    sio.save_slp(project, str(tmp_path / 'a.slp'), embed=False)
    assert_same(read_labels(tmp_path / 'a.slp'), labels, 0)


def test_sleap_io_saves_the_project_that_it_opened(tmp_path):
    sio = require('sleap_io')
    labels = two_people('')
    write_labels(labels, tmp_path / 'a.slp')

    project = sio.load_slp(str(tmp_path / 'a.slp'), open_videos=False)
    sio.save_slp(project, str(tmp_path / 'b.slp'), embed=False)
    assert_same(read_labels(tmp_path / 'b.slp'), labels, 0)
