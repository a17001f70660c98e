"""Labels of a video that are a folder of files, as OpenPose's: where they go, what is replaced."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stdpose_mm.cli import convert, propagate
from stdpose_mm.io.video import write_video
from support.refusals import refusal


@pytest.fixture
def data(tmp_path: Path, pictures: np.ndarray, label_fields: dict[str, Any]) -> Path:
    """``videos/{a,b}.mp4`` of 9 frames, and ``labels/{a,b}.json``."""
    for folder in ('videos', 'labels'):
        (tmp_path / folder).mkdir()
    label_fields['images'] = [{'id': n + 1, 'frame_index': n} for n in (0, 4, 8)]
    for name in 'ab':
        write_video(tmp_path / 'videos' / f'{name}.mp4', pictures, fps=10)
        (tmp_path / 'labels' / f'{name}.json').write_text(json.dumps(label_fields))
    return tmp_path


@pytest.fixture
def run(run_main):
    """The command by straight lines as OpenPose's files, for a video and its labels."""
    options = ('--method', 'linear', '--format', 'openpose', '--out')
    return lambda video, labels, out: run_main(propagate.main, video, labels, *options, out)


def files_of(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


NAMES = [f'a_{n:012d}_keypoints.json' for n in range(9)]


@pytest.mark.parametrize(
    ('out', 'folder'),
    [('a_json', 'a_json'), ('corrected', 'corrected'), ('out/', 'out/a_json'), ('.', 'a_json')],
)
def test_a_video_becomes_a_folder(run, data, monkeypatch, out, folder):
    monkeypatch.chdir(data)
    assert run('videos/a.mp4', 'labels/a.json', out)[0] == 0

    assert files_of(data / folder) == NAMES
    people = json.loads((data / folder / NAMES[3]).read_text())['people']
    assert [len(one['pose_keypoints_2d']) % 3 for one in people] == [0] * len(people)
    assert people


def test_the_same_command_replaces_what_it_wrote_and_keeps_what_was_edited(run, data):
    out, command = data / 'a_json', partial(run, data / 'videos/a.mp4', data / 'labels/a.json')
    command(out)
    before = (out / NAMES[2]).read_text()
    assert command(out)[0] == 0
    assert files_of(data) == ['a_json', 'labels', 'videos']
    (data / 'empty_json').mkdir()
    assert 'already existed' not in str(command(data / 'empty_json')[2])

    (out / NAMES[2]).write_text('{"people": []}')
    code, _, notes = command(out)

    assert code == 0
    assert f'{out} already existed and may have been edited, its old version is kept' in str(notes)
    assert (out / NAMES[2]).read_text() == before
    assert (data / 'a_json.bak' / NAMES[2]).read_text() == '{"people": []}'


def test_several_videos_become_a_folder_each_and_are_skipped_when_done(run, data):
    out = data / 'out'
    assert run(data / 'videos', data / 'labels', out)[0] == 0
    assert files_of(out / 'a_json') == NAMES
    assert files_of(out / 'b_json') == [name.replace('a_', 'b_', 1) for name in NAMES]
    times = [file.stat().st_mtime_ns for file in sorted(out.rglob('*_keypoints.json'))]

    assert run(data / 'videos', data / 'labels', out)[0] == 0
    assert [f.stat().st_mtime_ns for f in sorted(out.rglob('*_keypoints.json'))] == times
    (out / 'a_json' / NAMES[0]).write_text('{"people": []}')
    code, said, _ = run(data / 'videos', data / 'labels', out)
    assert code == 2
    assert 'a_json was changed since it was written by this command' in said


def test_files_that_are_read_are_not_replaced(run_main, data):
    out = data / 'a_json'
    assert run_main(convert.main, data / 'labels/a.json', out, '--to', 'openpose')[0] == 0
    assert len(files_of(out)) == 3

    line = refusal(run_main, convert.main, out, out, '--to', 'openpose')
    assert line.endswith(
        f'OUT {out} is also given as IN, which would be overwritten, give another folder'
    )


def test_the_name_of_a_file_is_refused(run, data):
    line = refusal(run, data / 'videos/a.mp4', data / 'labels/a.json', data / 'a_out.json')
    assert '--format openpose, whose files end in _json: give such a name' in line


@pytest.mark.parametrize(
    ('format', 'names'),
    [
        ('labelme', [f'a_{n:012d}.json' for n in range(9)]),
        ('yolo-pose', ['data.yaml', *(f'labels/a_{n:012d}.txt' for n in range(9))]),
    ],
)
def test_a_propagated_video_becomes_files_of_another_tool(run_main, data, format, names):
    out, options = data / 'out', ('--method', 'linear', '--format', format)
    code, said, errors = run_main(
        propagate.main, data / 'videos/a.mp4', data / 'labels/a.json', *options, '--out', out
    )

    assert code == 0, (said, errors)
    files = [str(f.relative_to(out)) for f in out.rglob('*') if f.is_file()]
    assert sorted(files) == names


def test_the_labels_of_a_project_of_deeplabcut_are_found_by_video(run_main, data, label_fields):
    for name in 'ab':
        folder = data / 'labeled-data' / name
        inputs = (data / 'labels' / f'{name}.json', folder / 'CollectedData_me.csv')
        folder.mkdir(parents=True)
        assert run_main(convert.main, *inputs, '--to', 'deeplabcut')[0] == 0
    out, options = data / 'out', ('--method', 'linear', '--format', 'tidy-csv')
    code, _, errors = run_main(
        propagate.main, data / 'videos', data / 'labeled-data', *options, '--out', out
    )

    assert code == 0, errors
    assert files_of(out) == ['.stdpose', 'a.csv', 'b.csv']
    lines = (out / 'a.csv').read_text().splitlines()
    people, joints = 2, 3
    assert len(lines) == 1 + 9 * people * joints
