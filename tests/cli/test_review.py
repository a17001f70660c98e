"""The command ``review``, but for the page that it serves."""

from __future__ import annotations

import json
import shutil
import socket
from functools import partial

import numpy as np
import pytest

from stdpose_mm.cli import propagate, review
from stdpose_mm.io.calibration import write_calibration
from stdpose_mm.io.labels import read_labels
from stdpose_mm.io.video import open_frames
from stdpose_mm.review_app.server import ListeningServer
from stdpose_mm.structures import Skeleton, VideoLabels
from stdpose_mm.structures.camera import Camera
from support.label_samples import content
from support.pose_network_files import JOINTS, write_described_network
from support.refusals import refusal

pytestmark = pytest.mark.slow


@pytest.fixture
def run(run_main):
    return partial(run_main, review.main)


@pytest.fixture
def label_fields(label_fields):
    label_fields['categories'][0]['keypoints'] = [*JOINTS]
    return label_fields


@pytest.fixture
def network(tmp_path):
    return write_described_network(tmp_path / 'dot.onnx')


@pytest.fixture
def shown(monkeypatch):
    """The poses that a page would show, one item for each server that was started."""
    poses = []
    monkeypatch.setattr(
        ListeningServer, 'run', lambda self: poses.append(self._project[0].collect()[0])
    )
    return poses


def places(labels: VideoLabels) -> np.ndarray:
    people = sorted(labels.persons, key=lambda person: (person.frame_index, person.track_id))
    return np.stack([person.keypoints for person in people])


def test_shows_what_propagate_writes_with_the_same_network(
    run, run_main, movie, label_file, tmp_path, network, shown
):
    plain, dense = tmp_path / 'plain.json', tmp_path / 'dense.json'
    assert run_main(propagate.main, movie, label_file, '--out', plain)[0] == 0
    with_network = ['--pose-onnx', network]
    assert run_main(propagate.main, movie, label_file, '--out', dense, *with_network)[0] == 0
    code, printed, said = run(movie, label_file, '--no-browser', *with_network)
    assert (code, said) == (0, [])
    assert printed.startswith('http://127.0.0.1:')

    assert places(read_labels(dense)) != pytest.approx(places(read_labels(plain)), abs=0.01)
    assert places(shown[0]) == pytest.approx(places(read_labels(dense)), abs=0.01)


@pytest.mark.parametrize(
    ('options', 'sentence'),
    [
        ('--method flow', '--pose-onnx would have no effect: give --method auto'),
        ('--batch-size 0', 'argument --batch-size: expected a whole number of at least 1'),
        ('--project dot.onnx', '--project dot.onnx is also given as --pose-onnx'),
        ('--drafts none.json', 'the poses none.json do not exist'),
        ('--drafts labels.json --out labels.json', 'is also given as --drafts'),
        ('--det-checkpoint weights.pth', 'give --detector'),
        ('--proofread --calibration a.toml', 'give labels without --proofread'),
        ('--proofread --drafts labels.json', '--drafts would have no effect'),
        ('--proofread --as-given 0.5', '--as-given would have no effect'),
        ('--skeleton coco', '--skeleton would have no effect: give a video without LABELS'),
    ],
)
def test_options_that_do_not_fit_are_refused(
    run, movie, label_file, tmp_path, network, monkeypatch, options, sentence
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ListeningServer, 'run', lambda self: None)
    arguments = f'--no-browser --pose-onnx {network.name} {options}'.split()
    assert sentence in refusal(run, movie, label_file, *arguments)


@pytest.mark.parametrize(
    ('options', 'drafted'),
    [
        (['--drafts', 'labels.json', '--method', 'linear'], [0, 4, 8]),
        (['--pose-onnx', 'dot.onnx'], []),
    ],
)
def test_drafts_come_from_a_file_or_a_network(
    run, movie, label_file, tmp_path, network, monkeypatch, options, drafted
):
    monkeypatch.chdir(tmp_path)
    answers = []

    def serve(server):
        video = server._project[0]
        for frame in range(len(video.state.frames) if drafted else 0):
            answers.extend(video.draft({'do': 'find', 'frame': frame}, 0.95)['drafts'])
        answers.append(video.drafts.describe_state())

    monkeypatch.setattr(ListeningServer, 'run', serve)
    code, _, said = run(movie, '--skeleton', label_file, '--no-browser', *options)
    assert (code, said) == (0, [])
    *frames, state = answers
    assert [int(frame) for frame in frames] == drafted
    # The file finds people and the network places joints, but neither does both.
    assert (state['refused'] is None, state['find_refused'] is None) == (not drafted, bool(drafted))


def test_the_page_finds_videos_that_are_added_to_the_folder(run, movie, tmp_path, monkeypatch):
    folder, videos = tmp_path / 'videos', []
    folder.mkdir()
    shutil.copy(movie, folder / 'a.mp4')

    def serve(server):
        shutil.copy(movie, folder / 'b.mp4')
        # Neither this one nor a file of another folder was named on the command line.
        shutil.copy(movie, folder / 'notes.txt')
        for _ in range(2):
            server._project.list_again()
            videos.append([video['name'] for video in server._project.describe()['videos']])

    monkeypatch.setattr(ListeningServer, 'run', serve)
    assert run(folder, '--skeleton', 'coco', '--no-browser', '--method', 'linear')[0] == 0
    assert videos == [['a', 'b']] * 2


def test_only_a_view_of_calibrated_cameras_needs_no_label_file(
    run, movie, label_file, tmp_path, monkeypatch
):
    videos, labels = tmp_path / 'videos', tmp_path / 'labels'
    for folder in (videos, labels):
        folder.mkdir()
    for name in 'ab':
        shutil.copy(movie, videos / f'{name}.mp4')
    shutil.copy(label_file, labels / 'a.json')
    assert 'b.mp4' in refusal(run, videos, labels, '--no-browser')
    lens = np.array([(50.0, 0, 16), (0, 50, 12), (0, 0, 1)]), np.zeros(5)
    write_calibration(
        [Camera(name, open_frames(movie).size, *lens, np.eye(3), np.arange(3.0)) for name in 'ab'],
        tmp_path / 'cameras.toml',
    )
    shown = []
    monkeypatch.setattr(
        ListeningServer, 'run', lambda self: shown.extend(self._project.describe()['videos'])
    )
    calibration = ('--calibration', tmp_path / 'cameras.toml')
    assert run(videos, labels, '--no-browser', '--method', 'linear', *calibration)[0] == 0
    assert [video['name'] for video in shown] == ['a', 'b']


def test_out_and_project_in_folders_are_named_after_the_video(
    run, movie, label_file, tmp_path, monkeypatch
):
    outs = []

    def serve(server):
        edit = {'type': 'mark_absent', 'frame': 4, 'person': 0}
        server._project[0].edit({'id': 'mine', 'page': 'p', 'revision': 0, 'edit': edit})
        outs.append(server._project[0].out)

    monkeypatch.setattr(ListeningServer, 'run', serve)
    folders = ['--out', f'{tmp_path}/reviewed/', '--project', f'{tmp_path}/projects/']
    assert run(movie, label_file, *folders, '--no-browser', '--method', 'linear')[0] == 0
    assert outs == [tmp_path / 'reviewed' / 'clip.json']
    assert [path.name for path in (tmp_path / 'projects').iterdir()] == ['labels.review.jsonl']


def test_labels_in_out_are_not_replaced_by_labelling_that_begins_anew(
    run, movie, label_file, tmp_path, monkeypatch
):
    """``stdpose review clip.mp4 --out labels.json`` with labels that were made elsewhere."""

    edits = (
        {'type': 'set_skeleton', 'name': 'coco'},
        {'type': 'add_person', 'frame': 2, 'joints': {'nose': [9, 9, 2]}},
    )

    def serve(server):
        for number, edit in enumerate(edits):
            asked = {'id': f'mine {number}', 'page': 'p', 'revision': number, 'edit': edit}
            server._project[0].edit(asked)
        server._project[0].save()

    monkeypatch.setattr(ListeningServer, 'run', serve)
    line = refusal(run, movie, '--out', label_file, '--no-browser')
    assert f'{label_file} exists but was not saved by this project' in line
    assert 'give it as LABELS to continue from it, or give another --out' in line

    beside = movie.with_name(f'{movie.stem}_reviewed.json')
    beside.write_text(label_file.read_text())
    line = refusal(run, movie, '--project', tmp_path / 'other.jsonl', '--no-browser')
    assert f'{beside} exists' in line
    beside.unlink()

    # What the page saved is there from the second start on, and so are its edits.
    mine = ['--out', tmp_path / 'mine.json', '--no-browser']
    assert run(movie, *mine)[0] == 0
    assert run(movie, *mine)[0] == 0

    sentence = refusal(run, movie, '--out', label_file, '--no-browser')
    assert f'{label_file} exists and is not the file that was saved from' in sentence


def test_after_a_change_of_labels_edits_go_on_with_those_of_before_or_begin_anew(
    run, movie, label_fields, label_file, tmp_path, shown, monkeypatch
):
    """The options that LABELS needed are not needed any more."""
    before = label_file.read_text()
    for image in label_fields['images']:
        image.update(width=192, height=160)
    label_file.write_text(json.dumps(label_fields))
    edit = {'type': 'mark_absent', 'person': 1, 'frame': 6}

    def serve(server):
        review = server._project[0]
        if not review.revision:
            review.edit({'id': 'mine', 'page': 'p', 'revision': 0, 'edit': edit})
        shown.append(review.collect()[0])

    monkeypatch.setattr(ListeningServer, 'run', serve)
    options = ['--no-browser', '--method', 'linear']
    assert run(movie, label_file, *options, '--labels-size', '192x160')[0] == 0
    project = label_file.with_name(f'{label_file.stem}.review.jsonl')
    edits = project.read_bytes()
    label_file.unlink()
    assert run(movie, label_file, *options)[0] == 2
    label_file.write_text(before)

    line = refusal(run, movie, label_file, *options)
    assert (
        f'as before, with its options, or --project {project} and no LABELS, to continue, or'
        in line
    )
    assert line.endswith('or another file with --project to start over')

    code, _, (said,) = run(movie, *options, '--project', project)
    assert code == 0
    assert said.endswith(f'{project}: using the labels with which its edits began')
    assert content([*shown[1].persons]) == content([*shown[0].persons])

    assert run(movie, label_file, *options, '--project', tmp_path / 'anew.jsonl')[0] == 0
    assert places(shown[2]) != pytest.approx(places(shown[0]), abs=1)
    assert project.read_bytes() == edits


def test_the_port_is_that_of_the_project_unless_it_is_taken(run, movie, label_file, shown):
    arguments = [movie, label_file, '--no-browser', '--method', 'linear']

    def port():
        code, printed, said = run(*arguments)
        assert code == 0
        return int(printed.split(':')[2].split('/')[0]), said

    first, said = port()
    assert said == []
    with socket.socket() as holder:
        holder.bind(('127.0.0.1', first))
        holder.listen()
        other, (sentence,) = port()
    assert other != first
    assert f'port {first} of this project is taken' in sentence
    other = label_file.with_name('other.json')
    other.write_text(label_file.read_text())
    arguments[1] = other
    assert port()[0] != first


def test_a_second_server_of_a_project_says_where_it_is_open(
    run, movie, label_file, shown, monkeypatch
):
    arguments = [movie, label_file, '--no-browser', '--method', 'linear']
    second = []

    def serve(server):
        server._project[0].save()
        second.append(run(*arguments))

    monkeypatch.setattr(ListeningServer, 'run', serve)
    run(*arguments)
    ((code, _, said),) = second
    assert code == 2
    assert [sentence.endswith('use that one or stop it first') for sentence in said] == [True]


CATEGORIES = [
    {'id': 1, 'name': 'ball', 'keypoints': [], 'skeleton': []},
    {'id': 2, 'name': 'mouse', 'keypoints': ['nose', 'tail'], 'skeleton': [[1, 2]]},
]


@pytest.mark.parametrize(
    'content',
    [
        {'categories': CATEGORIES},
        {'images': [], 'annotations': [], 'categories': CATEGORIES},
        {'joints': ['nose', 'tail'], 'limbs': [[0, 1]], 'category': 'mouse'},
    ],
)
def test_a_skeleton_comes_from_a_file_as_on_the_page(run, movie, tmp_path, monkeypatch, content):
    path, skeletons = tmp_path / 'joints.json', []
    path.write_text(json.dumps(content))
    monkeypatch.setattr(
        ListeningServer, 'run', lambda self: skeletons.append(self._project[0].state.skeleton)
    )
    assert run(movie, '--skeleton', path, '--no-browser', '--method', 'linear')[0] == 0
    assert skeletons == [Skeleton(('nose', 'tail'), ((0, 1),), 'mouse')]


@pytest.mark.parametrize('content', [{'images': [], 'annotations': []}, {'joints': 'nose'}])
def test_a_file_without_joints_is_no_skeleton(run, movie, tmp_path, content):
    path = tmp_path / 'joints.json'
    path.write_text(json.dumps(content))
    sentence = refusal(run, movie, '--skeleton', path, '--no-browser', '--method', 'linear')
    assert str(path) in sentence
    assert 'joints' in sentence
