"""The data set on disk: layout, format, determinism, resuming, refusals, the command."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest

from stdpose_mm.datasets.synthetic import ClipSettings, write_dataset
from stdpose_mm.datasets.synthetic.writer import VideoTask, write_video
from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import read_posetrack18
from support.paths import ROOT

SMALL = ClipSettings(frames=3, width=64, height=48)
TOOL = ROOT / 'tools/dataset_converters/make_synthetic_posetrack.py'
VIDEO = 'images/val/500001_synth_val'


@pytest.fixture(scope='module')
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp('synthetic') / 'set'
    write_dataset(out, 2, 1, SMALL, seed=5, workers=1)
    return out


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob('*'))
        if path.is_file()
    }


def run_tool(*arguments: object) -> int:
    return runpy.run_path(str(TOOL))['main']([str(argument) for argument in arguments])


def test_layout(dataset):
    files = set(digests(dataset))
    frames = [f'{i:06d}.jpg' for i in range(3)]
    assert files == {
        'synthetic_settings.json',
        'annotations/train/000001_synth_train.json',
        'annotations/train/000002_synth_train.json',
        'annotations/val/500001_synth_val.json',
        *(f'images/train/00000{n}_synth_train/{name}' for n in (1, 2) for name in frames),
        *(f'{VIDEO}/{name}' for name in frames),
    }


def test_images_have_posetrack18s_fields(dataset):
    data = json.loads((dataset / 'annotations/val/500001_synth_val.json').read_text())
    image = data['images'][1]
    assert image == {
        'id': 95000010001,
        'frame_id': 95000010001,
        'frame_index': 1,
        'file_name': f'{VIDEO}/000001.jpg',
        'vid_id': '500001',
        'nframes': 3,
        'width': 64,
        'height': 48,
        'is_labeled': True,
        'has_labeled_person': image['has_labeled_person'],
        'ignore_regions_x': [],
        'ignore_regions_y': [],
    }
    labelled = {annotation['image_id'] for annotation in data['annotations']}
    assert image['has_labeled_person'] == (image['id'] in labelled)


def test_labels_read_back_as_they_were_generated(dataset):
    task = VideoTask(dataset, 'val', 0, 5, SMALL)
    expected, found = task.generate().labels, read_posetrack18(task.label_file)
    assert found.name == expected.name
    for a, b in zip(found.persons, expected.persons, strict=True):
        np.testing.assert_array_equal(a.keypoints, b.keypoints)
        np.testing.assert_array_equal(a.visibility, b.visibility)
        assert a.track_id == b.track_id


def test_pictures_are_the_generated_frames_up_to_compression(dataset):
    frames = VideoTask(dataset, 'val', 0, 5, SMALL).generate().frames
    stored = cv2.imread(str(dataset / VIDEO / '000002.jpg'))
    assert stored.shape == (48, 64, 3)
    assert np.abs(stored.astype(int) - frames[2]).mean() < 15


def test_ids_are_distinct_over_splits(dataset):
    for field, key in (('images', 'id'), ('annotations', 'id')):
        ids = [
            entry[key]
            for path in dataset.glob('annotations/*/*.json')
            for entry in json.loads(path.read_text())[field]
        ]
        assert len(ids) == len(set(ids))


@pytest.mark.slow
def test_files_depend_on_neither_workers_nor_number_of_videos(dataset, tmp_path):
    write_dataset(tmp_path / 'more', 3, 2, SMALL, seed=5, workers=2)
    one, more = digests(dataset), digests(tmp_path / 'more')
    assert one == {name: more[name] for name in one}


@pytest.mark.slow
def test_workers_start_after_opencv_has_used_threads_of_its_own(tmp_path):
    before = cv2.getNumThreads()
    cv2.setNumThreads(4)
    try:
        cv2.GaussianBlur(np.zeros((2000, 2000, 3), np.float32), (0, 0), 5)
        write_dataset(tmp_path / 'set', 2, 1, SMALL, seed=5, workers=2)
        assert cv2.getNumThreads() == 4
    finally:
        cv2.setNumThreads(before)
    assert len(list(tmp_path.glob('set/annotations/*/*.json'))) == 3


def test_rerun_keeps_finished_videos_and_makes_missing_ones(dataset, tmp_path, monkeypatch):
    write_dataset(tmp_path / 'set', 2, 1, SMALL, seed=5, workers=1)
    (tmp_path / 'set/annotations/train/000002_synth_train.json').unlink()
    made = []
    monkeypatch.setattr(
        'stdpose_mm.datasets.synthetic.writer.write_video',
        lambda task: made.append(task.name) or write_video(task),
    )
    write_dataset(tmp_path / 'set', 2, 1, SMALL, seed=5, workers=1)
    assert made == ['000002_synth_train']
    assert digests(tmp_path / 'set') == digests(dataset)


def test_failed_video_leaves_nothing_behind(tmp_path, monkeypatch):
    task = VideoTask(tmp_path, 'val', 0, 5, SMALL)
    calls = []

    def fail_at_the_second(frame: np.ndarray, quality: int) -> bytes:
        calls.append(quality)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, 'No space left on device')
        return b''

    monkeypatch.setattr('stdpose_mm.datasets.synthetic.writer.encode_jpeg', fail_at_the_second)
    with pytest.raises(InputError, match='cannot be written: No space left on device'):
        write_video(task)
    assert digests(tmp_path) == {}
    assert list((tmp_path / 'images/val').iterdir()) == []


def test_what_a_killed_run_left_behind_is_removed(tmp_path):
    left = tmp_path / f'images/val/.0.partial.{Path(VIDEO).name}'
    left.mkdir(parents=True)
    (left / '000000.jpg').touch()
    os.utime(left, (0, 0))
    write_video(VideoTask(tmp_path, 'val', 0, 5, SMALL))
    assert [*left.parent.iterdir()] == [tmp_path / VIDEO]


def test_other_settings_are_refused(dataset):
    before = digests(dataset)
    with pytest.raises(InputError, match=r'other settings \(seed 5 instead of 6\)'):
        write_dataset(dataset, 2, 1, SMALL, seed=6)
    assert digests(dataset) == before


def test_fewer_videos_than_there_are_are_refused(dataset):
    with pytest.raises(InputError, match='holds 1 more videos than asked for'):
        write_dataset(dataset, 1, 1, SMALL, seed=5)


def test_foreign_folder_is_refused(tmp_path):
    (tmp_path / 'notes.txt').write_text('mine')
    with pytest.raises(InputError, match='was not made by this command'):
        write_dataset(tmp_path, 1, 1, SMALL)
    assert list(digests(tmp_path)) == ['notes.txt']


def test_command_writes_a_data_set(tmp_path, capsys):
    sizes = ('--frames', 2, '--width', 64, '--height', 48, '--people', 1, 2, '--workers', 1)
    assert run_tool(tmp_path / 'set', '--train-videos', 1, '--val-videos', 1, *sizes) == 0
    printed = capsys.readouterr().out
    assert printed.startswith('1 training and 1 validation videos in ')
    stamp = json.loads((tmp_path / 'set/synthetic_settings.json').read_text())
    assert (stamp['seed'], stamp['frames'], stamp['people']) == (0, 2, [1, 2])


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('--seed', -1), 'seed must be a whole number from 0, got -1'),
        (('--frames', 0), 'frames must be in 1..9999, got 0'),
        (('--people', 3, 1), 'got 3 and 1'),
        (('--workers', 0), 'workers must be a whole number from 1, got 0'),
        (('--train-videos', -2), 'the number of train videos must be 0..499999, got -2'),
        (
            ('--train-videos', 0, '--val-videos', 0),
            'val_videos must be a whole number from 1, got 0',
        ),
    ],
)
def test_command_answers_wrong_input_with_one_line_and_code_2(arguments, message, tmp_path, capsys):
    assert run_tool(tmp_path / 'set', *arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count('\n') == 1
    assert not (tmp_path / 'set').exists()
