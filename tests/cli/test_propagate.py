from __future__ import annotations

import json
import os
import re
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stdpose_mm.apis import VideoPosePropagator
from stdpose_mm.cli import propagate
from stdpose_mm.detection import PersonDetector
from stdpose_mm.errors import InputError
from stdpose_mm.io import labels as labels_io
from stdpose_mm.io.labels import read_labels, write_labels
from stdpose_mm.io.video import write_video
from stdpose_mm.labelling import report
from stdpose_mm.structures import VISIBLE, PersonLabel, Skeleton, VideoFrame, VideoLabels
from support.paths import ROOT
from support.refusals import refusal
from support.warm_commands import start_code

pytestmark = pytest.mark.slow


@pytest.fixture
def run(run_main):
    return partial(run_main, propagate.main)


def check_dense(path: Path, label_fields: dict) -> None:
    """Everyone in every frame, fields complete, given keypoints equal to the label file's."""
    dense = json.loads(path.read_text())
    assert [image['frame_index'] for image in dense['images']] == list(range(9))
    frame_of = {image['id']: image['frame_index'] for image in dense['images']}
    found = {(frame_of[a['image_id']], a['track_id']): a for a in dense['annotations']}
    assert sorted(found) == [(frame, person) for frame in range(9) for person in range(2)]
    given_of = {image['id']: image['frame_index'] for image in label_fields['images']}
    given = {(given_of[a['image_id']], a['track_id']): a for a in label_fields['annotations']}
    for place, fields in found.items():
        assert len(fields['scores']) == 3
        assert all(0 <= score <= 1 for score in fields['scores'])
        assert len(fields['bbox']) == 4
        assert fields['source'] == ('given' if place in given else 'propagated')
        if place in given:
            assert fields['keypoints'] == given[place]['keypoints']


@pytest.mark.parametrize(
    ('source', 'method'), [('folder', 'linear'), ('movie', 'flow'), ('folder', 'auto')]
)
def test_without_a_model(request, run, source, method, label_file, label_fields, tmp_path):
    video = request.getfixturevalue(source)
    out = tmp_path / 'out' / 'dense.json'
    code, printed, _ = run(video, label_file, '--out', out, '--method', method)
    assert code == 0
    *_, how, summary, took = printed.splitlines()
    assert took.startswith('6 frames computed in ')
    assert how.startswith(f'method: {method} (')
    assert summary == f'{out}: 9 frames, 2 people, 6 given and 12 propagated poses'
    check_dense(out, label_fields)


@pytest.mark.parametrize('source', ['folder', 'movie'])
def test_with_a_model(request, run, source, model_files, label_file, label_fields, tmp_path):
    video = request.getfixturevalue(source)
    out = tmp_path / 'dense.json'
    model = ['--config', model_files[0], '--checkpoint', model_files[1]]
    code, _, _ = run(video, label_file, '--out', out, *model)
    assert code == 0
    check_dense(out, label_fields)


def write_still_video(folder: Path, shift_of: dict[int, int]) -> tuple[Path, Path]:
    """Write a video that ends with its last label, and labels: frame -> how far right they are."""
    picture = np.random.default_rng(0).integers(0, 255, (48, 64, 3)).astype(np.uint8)
    video, labels = folder / 'still.avi', folder / 'labels.json'
    write_video(video, [picture] * (max(shift_of) + 1), fps=10)
    joints, visible = np.array([[20, 8], [12, 40], [28, 40]], float), np.full(3, VISIBLE)
    people = [
        PersonLabel(n, np.add(joints, (x, 0)), visible, track_id=0) for n, x in shift_of.items()
    ]
    skeleton = Skeleton(('head', 'left_foot', 'right_foot'))
    frames = tuple(map(VideoFrame, shift_of))
    write_labels(VideoLabels('still', skeleton, frames, tuple(people)), labels)
    return video, labels


@pytest.mark.parametrize('method', ['linear', 'flow'])
def test_no_score_is_taken_for_a_probability_that_is_none(run, method, tmp_path):
    """Scores fall with the distance from the labels, though nobody has moved in between."""
    video, labels = write_still_video(tmp_path, {0: 0, 10: 0, 20: 0})
    out, page = tmp_path / 'dense.json', tmp_path / 'page.html'
    options = ['--method', method, '--check', 1, '--suggest', 1, '--report', page]
    code, printed, _ = run(video, labels, '--out', out, *options)
    assert code == 0
    scores = [score for person in read_labels(out).persons for score in person.scores]
    assert min(scores) < 0.8
    *_, check, suggestion, outlook = printed.splitlines()
    assert 'check frame' in check
    shown = re.findall(r'foot of person 0 \(score (0\.\d+)\)', check)
    shown += re.findall(r'foot of person 0: (\d\.\d+)', page.read_text())
    assert len(shown) > 2
    assert min(map(float, shown)) > 0.9
    assert 'label frame' in suggestion
    assert outlook.endswith('know whether that is enough: give --measure')


def test_what_hidden_labels_show_goes_into_the_advice_and_not_into_out(run, tmp_path):
    """The person jumps at every second label, which nobody can foresee between the others."""
    video, labels = write_still_video(tmp_path, {n: 20 * (n % 2) for n in range(0, 41, 5)})
    plain, out, page = (tmp_path / name for name in ('plain.json', 'dense.json', 'page.html'))
    method = ('--method', 'flow', '--suggest', 1)
    code, printed, _ = run(video, labels, '--out', plain, *method)
    assert code == 0
    trusting = printed.splitlines()[-1]
    code, printed, _ = run(video, labels, '--out', out, *method, '--measure', 9, '--report', page)
    assert code == 0
    *_, hidden, between, _, outlook = printed.splitlines()
    assert hidden.startswith('of the labels in 7 frames (5-35 every 5), each hidden and filled in ')
    assert 'from labels 10 frames apart, 0 of 21 joints came out right: 0.0% [' in hidden
    assert 'of the propagated joints between labels are expected to be right' in between
    assert f'{hidden}; {between}' in page.read_text()
    percent = re.compile(r'([\d.]+)%(?: \[.*%\])? of joints are expected to be right')
    assert float(percent.match(outlook)[1]) < float(percent.match(trusting)[1]) - 5
    assert out.read_text() == plain.read_text()


def test_exchanged_sides_are_fixed_between_labels(run, tmp_path, monkeypatch):
    video, labels = write_still_video(tmp_path, {0: 0, 10: 0})
    propagated = VideoPosePropagator.collect_labels

    def exchange(*arguments: Any) -> VideoLabels:
        dense = propagated(*arguments)
        return dense.with_persons(
            [p.reordered((0, 2, 1)) if 3 <= p.frame_index < 6 else p for p in dense.persons]
        )

    plain, out = tmp_path / 'plain.json', tmp_path / 'dense.json'
    arguments = (video, labels, '--method', 'linear', '--out')
    assert run(*arguments, plain)[0] == 0
    monkeypatch.setattr(VideoPosePropagator, 'collect_labels', exchange)
    code, printed, _ = run(*arguments, out, '--fix-sides')
    assert (code, 'left and right exchanged in 3 poses' in printed) == (0, True)
    assert out.read_text() == plain.read_text()


def test_names_with_a_leading_dash_may_follow_two_dashes(
    run, folder, label_file, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    folder.rename('-clip')
    label_file.rename('-labels.json')
    options = ['--method', 'linear', '--out', 'dense.json']
    assert run(*options, '--', '-clip', '-labels.json')[0] == 0
    assert Path('dense.json').is_file()


def test_keep_every_takes_a_part_of_full_labels(run, folder, label_file, tmp_path):
    full, thinned = tmp_path / 'full.json', tmp_path / 'thinned.json'
    assert run(folder, label_file, '--out', full, '--method', 'linear')[0] == 0
    fields = json.loads(full.read_text())
    for annotation in fields['annotations']:
        annotation['source'] = 'given'
        del annotation['keypoint_sources']
    full.write_text(json.dumps(fields))
    code, printed, _ = run(folder, full, '--out', thinned, '--method', 'linear', '--keep-every', 3)
    assert code == 0
    assert '8 given and 10 propagated' in printed


def without_labels(fields):
    fields['annotations'] = []


def beyond_the_end(fields):
    for image in fields['images']:
        image.pop('file_name')
        image['frame_index'] += 5


def nobody_there(fields):
    for annotation in fields['annotations']:
        annotation.update(keypoints=[0] * 9, source='given')


def boxes_without_a_labelled_joint(fields):
    for annotation in fields['annotations']:
        annotation['keypoints'][2::3] = [0] * 3
        annotation['bbox'] = [1, 2, 30, 40]


def more_frames_than_the_video(fields):
    for index in range(9, 12):
        name = f'clip/{index + 1:06d}.jpg'
        fields['images'].append({'id': index + 1, 'file_name': name, 'frame_index': index})


def another_joint(fields):
    fields['categories'][0]['keypoints'][2] = 'tail'


@pytest.mark.parametrize(
    ('change', 'arguments', 'message'),
    [
        (without_labels, '', 'no given labels to propagate'),
        (nobody_there, '', 'none of the 6 given labels of labels.json has a labelled joint'),
        (boxes_without_a_labelled_joint, '', 'visibility 1 or 2, label the joints of a person'),
        (more_frames_than_the_video, '', 'list 6 frames, but clip (9 frames) has only 3'),
        (beyond_the_end, '', 'frame 9, which is not among the 9 frames of clip'),
        (
            another_joint,
            'MODEL --method stdpose',
            'the labels use tail, which the model does not know',
        ),
        (None, '--method stdpose', "method 'stdpose' needs a config and a checkpoint"),
        (None, '--config no.py --checkpoint no.pth', 'no.py does not exist'),
        (None, 'MODEL --method linear', '--config would have no effect'),
        (None, '--method linear --checkpoint w.pth', '--checkpoint would have no effect'),
        (None, '--method linear --fuser f.npz', '--fuser would have no effect'),
        (None, '--method spline --flow-weights f.pth', '--flow-weights would have no effect'),
        (None, '--method linear --device cuda', '--device would have no effect'),
        (None, '--method flow --no-stdpose', '--no-stdpose would have no effect'),
        (None, '--precision bfloat16', '--precision would have no effect: give a --config'),
        (None, '--config no.py', "method 'auto' needs a config and a checkpoint"),
        (None, '--save-video dense.json', 'are the same file dense.json'),
        (None, '--method magic', "invalid choice: 'magic'"),
        (None, '--boxes detector', '--boxes detector would have no effect: give --detector'),
        (None, '--boxes boxes.json', 'boxes.json does not exist'),
        (None, '--boxes detector --detector d.onnx', 'd.onnx does not exist'),
        (None, '--detector d.py', '--detector would have no effect: give --boxes detector'),
        (None, '--boxes-frame-of b.csv', '--boxes-frame-of would have no effect: give --boxes F'),
        (None, '--dry-run', '--dry-run would have no effect: give several videos, or leave it'),
        (None, '--keep-every 0', 'must be at least 1, got 0'),
        (None, '--batch-size 0', 'argument --batch-size: expected a whole number'),
        (None, '--labels-video other', "no video named 'other'"),
        (None, '--save-video overlay.txt', 'is not a name for a video, give one ending in .mp4'),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(
    run, folder, label_fields, model_files, tmp_path, monkeypatch, change, arguments, message
):
    monkeypatch.chdir(tmp_path)
    if change is not None:
        change(label_fields)
    Path('labels.json').write_text(json.dumps(label_fields))
    config, checkpoint = model_files
    words = arguments.replace('MODEL', f'--config {config} --checkpoint {checkpoint}').split()
    before = sorted(tmp_path.iterdir())
    code, printed, errors = run(folder, 'labels.json', '--out', 'dense.json', *words)
    assert (code, len(errors)) == (2, 1), errors
    # Where the labels are read before the mistake is found, they have been summarized.
    assert printed == '' or change is another_joint
    assert errors[0].startswith('propagate.py: ')
    assert message in errors[0]
    assert sorted(tmp_path.iterdir()) == before


def boxes_of(path: Path, track_id: int) -> dict[int, list[float]]:
    dense = json.loads(path.read_text())
    frame_of = {image['id']: image['frame_index'] for image in dense['images']}
    people = [a for a in dense['annotations'] if a['track_id'] == track_id]
    return {frame_of[a['image_id']]: a['bbox'] for a in people}


@pytest.mark.parametrize(
    ('name', 'line', 'options'),
    [
        # Ground truth of SoccerNet; a tracker of BoxMOT, which counts from 0; a spreadsheet.
        ('gt.txt', '{1},{0},1,2,30,40,1,-1,-1,-1\n', []),
        ('clip.txt', '{2} {0} 1 2 30 40 0.5 0 -1\n', ['--boxes-first-frame-number', 0]),
        ('clip.csv', '{1}, {0}, 1, 2, 30, 40\n', []),
    ],
)
def test_boxes_of_a_tracker_are_taken_over(run, folder, label_file, tmp_path, name, line, options):
    frame, track_id, out = 2, 1, tmp_path / 'dense.json'
    (tmp_path / name).write_text(line.format(track_id, frame + 1, frame))
    boxes = ['--boxes', tmp_path / name, '--method', 'linear']
    assert run(folder, label_file, '--out', out, *boxes, *options)[0] == 0
    assert boxes_of(out, 1)[2] == [1, 2, 30, 40]
    assert boxes_of(out, 0)[2] != [1, 2, 30, 40]


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('2,-1,1,2,30,40\n', 'b.txt has boxes without track ids in frame 1, give boxes of tracked'),
        ('2,7,1,2,30,40\n', 'are of track 7, but the labels have no such track'),
        ('10,1,1,2,30,40\n', 'are on frame 9, which is not among the 9 frames of clip'),
        ('', 'hold no person box with a track id'),
    ],
)
def test_boxes_of_a_tracker_that_do_not_fit_are_refused(
    run, folder, label_file, tmp_path, line, message
):
    (tmp_path / 'b.txt').write_text(line)
    out = tmp_path / 'dense.json'
    code, _, errors = run(folder, label_file, '--out', out, '--boxes', tmp_path / 'b.txt')
    assert (code, out.exists()) == (2, False)
    assert message in errors[-1]


def test_detected_boxes_are_taken_over(run, folder, label_file, tmp_path, monkeypatch):
    class Corner(PersonDetector):
        def _detect(self, picture):
            assert picture.shape == (80, 96, 3)
            return np.array([[10.0, 10, 40, 40]]), np.array([0.9])

    monkeypatch.setattr('stdpose_mm.detection.build_person_detector', lambda *_: Corner())
    out = tmp_path / 'dense.json'
    detector = ['--boxes', 'detector', '--detector', 'any.onnx', '--method', 'linear']
    assert run(folder, label_file, '--out', out, *detector)[0] == 0
    first, second = boxes_of(out, 0), boxes_of(out, 1)
    # Person 0 walks right, through that box; person 1 is further down.
    assert first[1] == [10, 10, 30, 30]
    assert first[7] != [10, 10, 30, 30]
    assert [10, 10, 30, 30] not in second.values()


def test_a_label_that_marks_absence_is_no_given_pose(run, folder, label_fields, tmp_path):
    for one in label_fields['annotations']:
        if (one['track_id'], one['image_id']) == (1, 5):
            one.update(keypoints=[0] * 9, source='given')
    (tmp_path / 'labels.json').write_text(json.dumps(label_fields))
    arguments = [folder, tmp_path / 'labels.json', '--method', 'linear']
    code, printed, _ = run(*arguments, '--out', tmp_path / 'dense.json')
    assert code == 0
    assert 'person 1: frames 0, 8; absent from frame 4 on' in printed
    assert '5 given and 9 propagated poses, 4 times absent' in printed


@pytest.mark.parametrize(('option', 'flag'), [([], 1), (['--visible-as-1'], 2)])
def test_a_v_of_1_may_be_said_to_be_visible(run, folder, label_fields, tmp_path, option, flag):
    for one in label_fields['annotations']:
        one['keypoints'][2::3] = [1] * 3
    (tmp_path / 'labels.json').write_text(json.dumps(label_fields))
    out = tmp_path / 'dense.json'
    code, _, said = run(
        folder, tmp_path / 'labels.json', '--out', out, '--method', 'linear', *option
    )

    assert (code, any('--visible-as-1' in line for line in said)) == (0, not option)
    given = [person for person in read_labels(out).persons if person.source == 'given']
    assert {*given[0].visibility.tolist()} == {flag}


def test_a_label_file_that_cannot_be_written_leaves_the_report_of_before(
    run, folder, label_file, tmp_path, monkeypatch
):
    out, pages = tmp_path / 'dense.json', tmp_path / 'pages'
    arguments = [folder, label_file, '--out', out, '--report', pages / 'page.html', '--method']
    assert run(*arguments, 'linear')[0] == 0
    before = (pages / 'page.html').read_text()

    def refuse(*_: object) -> None:
        raise InputError('dense.json cannot be written: No space left on device')

    # So that the video is to lie beside the page.
    monkeypatch.setattr(report, 'MAX_VIDEO_BYTES', 100)
    monkeypatch.setattr(labels_io, 'write_labels', refuse)
    code, _, errors = run(*arguments, 'spline')
    assert (code, len(errors)) == (2, 1)
    assert 'No space left' in errors[0]
    assert [path.name for path in pages.iterdir()] == ['page.html']
    assert (pages / 'page.html').read_text() == before


def test_outputs_in_folders_are_named_after_the_video(run, movie, label_file, tmp_path):
    """A slash at the end, or a folder that is there, means a folder, as with several videos."""
    (tmp_path / 'pages').mkdir()
    dense, overlays = tmp_path / 'dense', tmp_path / 'overlays'
    arguments = ['--out', f'{dense}/', '--report', tmp_path / 'pages']
    code, _, _ = run(movie, label_file, *arguments, '--save-video', f'{overlays}/')
    assert code == 0
    assert [path.name for path in dense.iterdir()] == ['clip.json']
    assert [path.name for path in overlays.iterdir()] == ['clip.mp4']
    assert [path.name for path in (tmp_path / 'pages').iterdir()] == ['clip.html']


def test_an_output_in_the_folder_of_its_video_does_not_replace_it(run, movie, label_file, tmp_path):
    before = movie.read_bytes()
    line = refusal(run, movie, label_file, '--out', f'{tmp_path}/dense/', '--save-video', tmp_path)
    assert f'--save-video {movie} is also given as the video, which would be overwritten' in line
    assert movie.read_bytes() == before


HELD = """
import signal, sys, time
from stdpose_mm import visualization
from stdpose_mm.cli import progress, propagate
from stdpose_mm.visualization import overlay

# Whoever runs the tests in the background may have made them deaf to it.
signal.signal(signal.SIGINT, signal.default_int_handler)
work, calls = {owner}.{name}, []

def hold(*arguments):
    calls.append(arguments)
    if len(calls) == 5:
        print('held', flush=True)
        time.sleep(300)
    return work(*arguments)

{owner}.{name} = hold
sys.exit(propagate.main(sys.argv[1:]))
"""


NOTHING = 'no output was written; the same command reuses what is in the cache'
LABELS_ALONE = 'dense.json is written, but not everything beside it'


@pytest.mark.parametrize(
    ('owner', 'name', 'written', 'sentence'),
    [
        ('progress.FrameProgress', 'advance', [], NOTHING),
        ('overlay', 'draw_people', ['dense.json'], LABELS_ALONE),
    ],
)
def test_an_interrupted_run_leaves_the_labels_or_nothing(
    movie, label_file, tmp_path, owner, name, written, sentence
):
    before = sorted(tmp_path.iterdir())
    process = start_code(
        HELD.format(owner=owner, name=name),
        *(movie, label_file, '--out', tmp_path / 'dense.json'),
        *('--save-video', tmp_path / 'overlay.mp4'),
        cwd=ROOT,
    )
    while 'held' not in process.stdout:
        assert process.is_running, 'the tool ended before it was interrupted'
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGINT)
    done = process.wait()
    assert done.returncode == 130
    last = done.stderr.splitlines()[-1]
    assert last.startswith('propagate.py: interrupted, ')
    assert last.endswith(sentence)
    assert sorted(tmp_path.iterdir()) == sorted([*before, *map(tmp_path.joinpath, written)])
