"""The clip to try: what ``stdpose demo`` writes, and that the commands it prints work."""

from __future__ import annotations

import contextlib
import io
import shlex
from pathlib import Path

import pytest

from stdpose_mm.cli import demo, propagate, review
from stdpose_mm.datasets.synthetic import ClipSettings, generate_clip
from stdpose_mm.io.calibration import read_calibration
from stdpose_mm.io.labels import read_labels
from stdpose_mm.io.labels.tables import read_scene
from stdpose_mm.io.video import open_frames
from support.without_torch import run_without_torch

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def written(tmp_path_factory):
    """The folder of the clip, and the words of each command that is printed when it is made."""
    folder, printed = tmp_path_factory.mktemp('demo'), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.chdir(folder)
        assert demo.main(['my example']) == 0
    lines = printed.getvalue().splitlines()
    return folder, [shlex.split(line) for line in lines if line.startswith('  ')]


@pytest.fixture
def printed_commands(written, monkeypatch):
    monkeypatch.chdir(written[0])
    return written[1]


def test_a_clip_of_two_seconds_and_labels_of_every_seventh_frame(printed_commands):
    frames = open_frames(Path('my example') / 'clip.mp4')
    assert len(frames) / frames.fps == 2
    labels = read_labels(Path('my example') / 'labels.json')
    labelled = {(person.frame_index, person.track_id) for person in labels.persons}
    assert labelled == {(frame, person) for frame in (0, 7, 14, 21, 28) for person in (0, 1)}


def test_the_printed_propagation_is_right_for_most_joints(printed_commands):
    command, verb, *arguments = printed_commands[0]
    assert (command, verb) == ('stdpose', 'propagate')
    assert propagate.main(arguments) == 0
    written = {path.name for path in (Path('my example')).iterdir()}
    assert written == {'clip.mp4', 'labels.json', 'dense.json', 'overlay.mp4', 'report.html'}
    truth = generate_clip(demo.SEED, ClipSettings(frames=demo.FRAMES, people=(2, 2))).labels
    dense = read_labels(Path('my example') / 'dense.json')
    right = joints = 0
    for true, filled in zip(truth.persons, dense.persons, strict=True):
        assert (true.frame_index, true.track_id) == (filled.frame_index, filled.track_id)
        places = true.keypoints[true.labelled]
        error = abs(filled.keypoints[true.labelled] - places).max(axis=1)
        right += int((error < 0.1 * (places.max(axis=0) - places.min(axis=0)).max()).sum())
        joints += len(places)
    assert right / joints > 0.9


def test_the_printed_review_opens_the_clip_with_its_labels(printed_commands):
    command, verb, *arguments = printed_commands[1]
    assert (command, verb) == ('stdpose', 'review')
    (inputs,) = review._list_inputs(review.main.parse(arguments))
    files = inputs.files
    assert (files.video.name, files.labels and files.labels.name) == ('clip.mp4', 'labels.json')


def test_several_cameras_get_calibration_truth_and_labels_of_two_of_them(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, 'VIEW_FRAMES', 3)
    monkeypatch.setattr(demo, 'VIEW_INTERVAL', 2)
    folder = tmp_path / 'session'
    assert demo.main([str(folder), '--cameras', '3']) == 0
    names = ['cam1', 'cam2', 'cam3']
    assert [camera.name for camera in read_calibration(folder / 'calibration.toml')] == names
    assert {path.stem for path in folder.glob('labels/*.json')} == {'cam1', 'cam2'}
    assert {*read_labels(folder / 'labels' / 'cam2.json').labelled_frame_indices} == {0, 2}
    for name in names:
        assert len(open_frames(folder / f'{name}.mp4')) == 3
        assert len(read_labels(folder / 'truth' / f'{name}.json').persons) == 6
    scene = read_scene(folder / 'truth' / 'scene_3d.csv')
    assert scene.points.shape == (3, 2, 15, 3)


def test_the_files_of_a_folder_are_not_replaced(tmp_path, capsys):
    mine = tmp_path / 'labels.json'
    mine.write_text('mine')
    assert demo.main([str(tmp_path)]) == 2
    assert capsys.readouterr().err == f'stdpose demo: {tmp_path} holds files, give a new folder\n'
    assert mine.read_text() == 'mine'


def test_the_clip_is_made_without_the_heavy_packages(tmp_path):
    run_without_torch('demo', tmp_path / 'example')
    assert (tmp_path / 'example' / 'clip.mp4').is_file()
