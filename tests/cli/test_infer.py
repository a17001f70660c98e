from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
import time
from functools import partial

import av
import numpy as np
import pytest
import torch

from stdpose_mm import detection
from stdpose_mm.cli import infer
from stdpose_mm.detection import PersonDetector
from stdpose_mm.engine import config_files
from stdpose_mm.errors import InputError
from stdpose_mm.inference import window_model
from stdpose_mm.inference.onnx_window_backend import OnnxWindowBackend
from stdpose_mm.io.labels import read_labels
from stdpose_mm.io.video import open_frames
from stdpose_mm.io.video_list import InputVideo
from support.input_files import link_for_each, write_boxes
from support.paths import ROOT
from support.refusals import refusal
from support.warm_commands import start_code
from support.without_torch import run_without_torch

pytestmark = pytest.mark.slow

NUM_FRAMES = 9


def box_at(person, frame):
    """[4] x, y, width, height; person 0 walks right, person 1 left."""
    return np.array([8.0 + 3 * frame, 8, 24, 32] if person == 0 else [64.0 - 3 * frame, 42, 24, 32])


@pytest.fixture
def run(run_main, model_files):
    config, checkpoint = model_files
    return partial(run_main, infer.main, '--config', config, '--checkpoint', checkpoint)


@pytest.fixture
def boxes(tmp_path):
    """A label file with the boxes of people 3 and 8."""
    tracks = {
        track_id: [box_at(person, frame) for frame in range(NUM_FRAMES)]
        for person, track_id in enumerate((3, 8))
    }
    return write_boxes(tmp_path / 'boxes.json', tracks)


@pytest.fixture
def detector(monkeypatch):
    """A detector that finds the two people where they are."""

    class TwoPeople(PersonDetector):
        asked = 0

        def _detect(self, picture):
            x, y, w, h = np.stack([box_at(person, self.asked) for person in range(2)]).T
            TwoPeople.asked += 1
            return np.stack([x, y, x + w, y + h], axis=1), np.array([0.9, 0.8])

    monkeypatch.setattr(detection, 'build_person_detector', lambda *_: TwoPeople())
    return TwoPeople


def test_everyone_in_every_frame(run, movie, boxes, tmp_path):
    out, video = tmp_path / 'out' / 'poses.json', tmp_path / 'drawn.mp4'
    code, stdout, errors = run(movie, '--out', out, '--boxes', boxes, '--save-video', video)
    assert (code, errors) == (0, [])
    written, took, drawn = stdout.splitlines()
    assert drawn == f'{video}: the video with the poses'
    assert written == f'{out}: 9 frames, 2 people, 18 poses'
    assert re.match(r'9 frames computed in [\d.]+ s: [\d.]+ frames/s, ', took)
    dense = json.loads(out.read_text())
    assert dense['inference'].pop('frames_per_second') > 0
    assert dense['inference'] == {
        'complete': True,
        'frames': 9,
        'unreadable_frames': [],
        'pose_every': 1,
        'frames_predicted': 9,
        'crops': 'window',
        'precision': 'float32',
        'smoothing': None,
        'min_track_frames': None,
    }
    assert [image['frame_index'] for image in dense['images']] == list(range(9))
    frame_of = {image['id']: image['frame_index'] for image in dense['images']}
    assert len(dense['annotations']) == 18
    for annotation in dense['annotations']:
        frame, person = frame_of[annotation['image_id']], (3, 8).index(annotation['track_id'])
        assert annotation['bbox'] == box_at(person, frame).tolist()
        assert annotation['source'] == 'propagated'
        assert annotation['keypoints'][2::3] == [2, 2, 2]
        assert len(annotation['scores']) == 3
        assert all(0 <= score <= 1 for score in annotation['scores'])
    with av.open(str(video)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 9


def test_boxes_on_few_frames_are_noted(run, movie, tmp_path):
    few = {3: [box_at(0, frame) for frame in range(4)]}
    out, boxes = tmp_path / 'poses.json', write_boxes(tmp_path / 'boxes.json', few)
    code, stdout, (warning,) = run(movie, '--out', out, '--boxes', boxes)
    assert code == 0
    assert stdout.startswith(f'{out}: 9 frames, 1 person, 4 poses')
    assert 'boxes.json has boxes on 4 of the 9 frames, so nobody is estimated on the' in warning


def test_flow_carries_poses_between_the_frames_that_the_model_sees(run, movie, boxes, tmp_path):
    out = tmp_path / 'poses.json'
    assert run(movie, '--out', out, '--boxes', boxes, '--pose-every', 4)[0] == 0
    dense = json.loads(out.read_text())
    seen = dense['inference']['frames_predicted']
    assert dense['inference']['pose_every'] == 4
    assert dense['inference']['unreadable_frames'] == []
    assert 3 <= seen < 9
    carried = [annotation.get('held', False) for annotation in dense['annotations']]
    assert len(carried) == 18
    assert sum(carried) == 2 * (9 - seen)


def test_boxes_are_drawn_unless_hidden(run, movie, boxes, tmp_path):
    shown, hidden = tmp_path / 'shown.mp4', tmp_path / 'hidden.mp4'
    for video, options in ((shown, ()), (hidden, ('--hide-boxes',))):
        arguments = ('--out', tmp_path / 'poses.json', '--boxes', boxes, '--save-video', video)
        assert run(movie, *arguments, *options)[0] == 0
    with_boxes, without = (open_frames(video)[4].astype(int) for video in (shown, hidden))
    x, y, width, height = box_at(1, 4).astype(int).tolist()
    # The lower edge, and a line inside the box, where only the compression differs.
    difference = np.abs(with_boxes - without).max(axis=-1)[:, x + 2 : x + width - 2]
    assert np.median(difference[y + height]) > 40
    assert np.median(difference[y + height - 6]) < 20


def test_with_other_options_poses_are_about_where_they_are_without(
    run, movie, detector, tmp_path, monkeypatch
):
    monkeypatch.setattr(window_model, 'is_bfloat16_faster', lambda _: True)
    plain = None
    for options in (
        (),
        ('--crops', 'frame'),
        ('--batch-size', 1),
        ('--precision', 'bfloat16'),
        ('--tracker', 'oks'),
    ):
        detector.asked = 0
        out = tmp_path / 'poses.json'
        assert run(movie, '--out', out, '--detector', 'x.onnx', *options)[0] == 0
        persons = read_labels(out).persons
        assert [person.track_id for person in persons] == [1, 2] * 9
        points = np.stack([person.keypoints for person in persons])
        plain = points if plain is None else plain
        assert np.median(np.abs(points - plain)) < 2, options


@pytest.fixture(scope='module')
def exported(model_files, tmp_path_factory):
    """The model as a folder of ONNX files."""
    from stdpose_mm.export.onnx_export import export_onnx
    from stdpose_mm.inference.window_model import WindowModel

    folder = tmp_path_factory.mktemp('onnx')
    export_onnx(WindowModel.from_config(*model_files), folder)
    return folder


@pytest.mark.parametrize(
    ('runtime', 'other'), [('onnxruntime', 'openvino'), ('openvino', 'onnxruntime')]
)
def test_an_exported_network_finds_the_same_poses(
    run, movie, boxes, exported, tmp_path, monkeypatch, runtime, other
):
    def find(*options):
        out = tmp_path / 'poses.json'
        assert run(movie, '--out', out, '--boxes', boxes, *options)[0] == 0
        return np.stack([person.keypoints for person in read_labels(out).persons])

    expected = find()
    assert expected.shape == (18, 3, 2)
    monkeypatch.setitem(sys.modules, other, None)
    found = find('--checkpoint', exported, '--runtime', runtime)
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_an_exported_folder_needs_neither_pytorch_nor_openmmlab(
    run, movie, boxes, exported, tmp_path
):
    poses = []
    for name, call in (('torch', run), ('light', partial(run_without_torch, 'infer'))):
        out = tmp_path / f'{name}.json'
        folder = () if name == 'torch' else ('--checkpoint', exported)
        call(movie, *folder, '--boxes', boxes, '--out', out)
        poses.append([(p.keypoints, p.scores) for p in read_labels(out).persons])
    for (keypoints, scores), (expected, expected_scores) in zip(*poses[::-1], strict=True):
        np.testing.assert_allclose(keypoints, expected, atol=0.01)
        np.testing.assert_allclose(scores, expected_scores, atol=1e-3)


def test_an_exported_folder_with_crops_of_its_own_says_what_it_needs(exported, tmp_path):
    folder = tmp_path / 'onnx'
    shutil.copytree(exported, folder)
    description = json.loads((folder / 'network.json').read_text())
    (folder / 'network.json').write_text(json.dumps({**description, 'light': None}))
    with pytest.raises(
        InputError, match=r'export it again with use_udp=True .* or install PyTorch'
    ):
        OnnxWindowBackend.from_export(folder)


@pytest.fixture
def with_config(model_files, tmp_path):
    """The checkpoint as MMEngine writes it, with its config."""
    content = torch.load(model_files[1], weights_only=False)
    content['meta']['cfg'] = config_files.read_config(model_files[0]).pretty_text
    torch.save(content, tmp_path / 'both.pth')
    return tmp_path / 'both.pth'


@pytest.mark.parametrize('kind', ['exported', 'with_config'])
def test_the_config_inside_is_taken(request, run_main, run, movie, boxes, tmp_path, kind):
    options = ('--checkpoint', request.getfixturevalue(kind), '--boxes', boxes, '--out')
    assert run(movie, *options, tmp_path / 'given.json')[0] == 0
    code, _, errors = run_main(infer.main, movie, *options, tmp_path / 'inside.json')
    assert (code, errors) == (0, [])
    given, inside = (
        [person.keypoints for person in read_labels(tmp_path / f'{name}.json').persons]
        for name in ('given', 'inside')
    )
    np.testing.assert_allclose(inside, given, rtol=0, atol=1e-9)


def test_the_config_inside_an_exported_network_says_how_frames_are_cropped(
    run_main, model_files, movie, boxes, tmp_path
):
    from stdpose_mm.export.onnx_export import export_onnx
    from stdpose_mm.inference.window_model import WindowModel

    config, checkpoint = model_files
    config = config_files.read_config(config, {'test_dataloader.dataset.crops': 'frame'})
    export_onnx(WindowModel.from_config(config, checkpoint), tmp_path / 'onnx')
    out = tmp_path / 'poses.json'
    options = ('--checkpoint', tmp_path / 'onnx', '--boxes', boxes, '--out', out)
    assert run_main(infer.main, movie, *options)[0] == 0
    assert json.loads(out.read_text())['inference']['crops'] == 'frame'


@pytest.mark.parametrize('config', [True, False])
def test_one_graph_of_an_exported_network_is_answered_with_its_folder(
    run_main, model_files, movie, boxes, exported, tmp_path, config
):
    options = (
        '--boxes',
        boxes,
        '--checkpoint',
        exported / 'whole.onnx',
        '--out',
        tmp_path / 'o.json',
    )
    given = ('--config', model_files[0]) if config else ()
    line = refusal(run_main, infer.main, movie, *options, *given)
    assert re.search('for .* network .* folder', line)


@pytest.mark.parametrize('name', ['one-euro', 'savitzky-golay'])
def test_poses_are_smoothed(run, movie, boxes, tmp_path, name):
    plain, out = tmp_path / 'plain.json', tmp_path / 'smooth.json'
    for path, options in ((plain, ()), (out, ('--smooth', name))):
        code, _, errors = run(movie, '--out', path, '--boxes', boxes, *options)
        assert (code, errors) == (0, [])
    labels = read_labels(out)
    assert labels.extra['inference']['smoothing'].startswith(name)
    people = zip(labels.persons, read_labels(plain).persons, strict=True)
    changes = [np.abs(person.keypoints - before.keypoints).max() for person, before in people]
    assert 0.01 < max(changes) < 10


def test_a_broken_frame_is_bridged_and_marked(run, folder, boxes, tmp_path):
    (folder / '000005.jpg').write_bytes(b'')
    out = tmp_path / 'poses.json'
    code, stdout, _ = run(folder, '--out', out, '--boxes', boxes)
    assert code == 0
    assert '1 frame cannot be read' in stdout
    dense = json.loads(out.read_text())
    assert dense['inference']['unreadable_frames'] == [4]
    assert [image['frame_index'] for image in dense['images'] if image.get('unreadable')] == [4]
    assert dense['images'][4]['file_name'] == 'clip/000005.jpg'
    labels = read_labels(out)
    marked = [p for p in labels.persons if p.extra.get('interpolated')]
    assert [(p.frame_index, p.track_id) for p in marked] == [(4, 3), (4, 8)]
    track = labels.tracks()[3]
    np.testing.assert_allclose(
        track[4].keypoints, (track[3].keypoints + track[5].keypoints) / 2, atol=1e-9
    )


def test_times_come_from_the_video(run, movie, boxes, tmp_path):
    out = tmp_path / 'poses.csv'
    assert run(movie, '--out', out, '--boxes', boxes, '--format', 'tidy-csv')[0] == 0
    last = out.read_text().splitlines()[-1].split(',')
    assert (last[0], float(last[1])) == ('8', pytest.approx(8 / open_frames(movie).fps, abs=1e-6))


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        ('', 'the positions of the people are unknown: give --detector'),
        ('--boxes b.json --detector d.onnx', 'both say where the people are'),
        ('--boxes nowhere.json', 'nowhere.json'),
        ('--boxes BOXES --tracker oks', 'the boxes have track ids, which the tracker'),
        ('--boxes BOXES --det-every 2', 'would have no effect: give --detector'),
        ('--boxes BOXES --min-track-frames 2', 'would have no effect: give --detector'),
        ('--boxes BOXES --hide-boxes', '--hide-boxes would have no effect: give --save-video'),
        (
            '--boxes whole-picture --boxes-first-frame-number 1',
            '--boxes-first-frame-number would have no effect: give --boxes FILE',
        ),
        ('--boxes BOXES --cvat-tolerance 2', '--cvat-tolerance would have no effect'),
        (
            '--boxes BOXES --checkpoint FOLDER --device cuda',
            '--device would have no effect: give a PyTorch network',
        ),
        ('--detector rtmdet_nowhere --checkpoint FOLDER --device cuda', 'rtmdet_nowhere'),
        ('--detector nowhere.onnx', 'nowhere.onnx does not exist'),
        ('--boxes BOXES --config stdpose-estimation --checkpoint no.pth', 'no.pth does not exist'),
        (
            '--boxes BOXES --config stdpose-estimaton',
            'config stdpose-estimaton does not exist, did you mean stdpose-estimation?',
        ),
        ('--boxes whole-picture --save-video OUT', 'are the same file'),
        ('--boxes whole-picture --save-video x.gif', 'is not a name for a video'),
        ('--boxes whole-picture --precision int8', 'precision must be one of float32, bfloat16'),
        ('--boxes whole-picture --runtime openvino', 'openvino runs exported networks but'),
        ('--boxes whole-picture --batch-size 0', 'expected a whole number of at least'),
    ],
)
def test_what_cannot_work_is_one_line(run, movie, boxes, tmp_path, arguments, sentence):
    out = tmp_path / 'poses.json'
    places = {'BOXES': boxes, 'OUT': out, 'FOLDER': tmp_path}
    words = [places.get(word, word) for word in arguments.split()]
    assert sentence in refusal(run, movie, '--out', out, *words)
    assert not out.exists()
    assert not [path for path in tmp_path.iterdir() if 'partial' in path.name]


def test_a_config_counts_by_its_content_under_a_name_too(model_files, movie, tmp_path, monkeypatch):
    """Videos are done again after the config has changed."""
    monkeypatch.setattr(config_files, 'config_folder', lambda: tmp_path)
    (tmp_path / 'configs').mkdir()
    words = (
        movie,
        '--config',
        'mine',
        '--checkpoint',
        model_files[1],
        '--out',
        tmp_path / 'o.json',
    )
    job = infer.InferJob(infer.main.parse([*map(str, words)]), InputVideo(movie))
    fingerprints = []
    for text in ('a = 1', 'a = 2'):
        (tmp_path / 'configs' / 'mine.py').write_text(text)
        fingerprints.append(job.fingerprint_inputs(job.open_video()))
    assert fingerprints[0] != fingerprints[1]


@pytest.fixture
def several(movie, boxes, tmp_path):
    """``videos/{a,b}.mp4`` and ``boxes/{a,b}.json``."""
    return link_for_each(tmp_path, 'ab', videos=movie, boxes=boxes)[0]


def test_a_detector_is_built_once_for_several_videos(run, several, detector, tmp_path, monkeypatch):
    build, built = detection.build_person_detector, []
    monkeypatch.setattr(
        detection, 'build_person_detector', lambda *given: built.append(given) or build(*given)
    )
    assert run(several, '--out', tmp_path / 'out', '--detector', 'x.onnx')[0] == 0
    assert len(built) == 1


HELD = """
import os, sys, time
import signal
from stdpose_mm.cli import infer
from stdpose_mm.detection import WholePicture, box_sources

noted, install = [], signal.signal

def tell(number, note):
    def note_and_tell(*arguments):
        try:
            note(*arguments)
        finally:
            noted.append(True)
            os.write(1, b'noted\\n')
    return install(number, note_and_tell if callable(note) else note)

class Held(WholePicture):
    def __call__(self, pictures):
        for frame in super().__call__(pictures):
            if frame.frame_index == {held_at}:
                print('held', flush=True)
                while len(noted) < {times}:
                    time.sleep(0.005)
            yield frame

signal.signal = tell
box_sources.WholePicture = Held
sys.exit(infer.main(sys.argv[1:]))
"""


@pytest.mark.parametrize(('times', 'held_at'), [(1, 5), (2, 0)])
def test_ctrl_c(model_files, movie, tmp_path, times, held_at):
    """Once: what is done is written and marked. Twice: nothing is written."""
    config, checkpoint = model_files
    out, video = tmp_path / 'poses.json', tmp_path / 'drawn.mp4'
    arguments = [movie, '--config', config, '--checkpoint', checkpoint, '--boxes', 'whole-picture']
    arguments += ['--out', out, '--save-video', video, '--batch-size', 1]
    process = start_code(HELD.format(held_at=held_at, times=times), *arguments, cwd=ROOT)
    # Two signals that are sent at once may arrive as one.
    for said in ['held', 'noted'][:times]:
        while said not in process.stdout:
            assert process.is_running
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGINT)
    done = process.wait()
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 130, done.stderr
    left = {path.name for path in tmp_path.iterdir()} - {'clip.mp4', 'clip'}
    if times == 2:
        assert last == 'infer.py: interrupted, no output was written'
        assert left == set()
        return
    dense = json.loads(out.read_text())
    number = len(dense['images'])
    assert 0 < number < NUM_FRAMES
    assert dense['inference']['complete'] is False
    assert len(dense['annotations']) == number
    assert f'holds the first {number} of 9 frames' in last
    assert left == {'poses.json', 'drawn.mp4'}
    with av.open(str(video)) as container:
        assert sum(1 for _ in container.decode(video=0)) == number


def test_bfloat16_is_refused_where_it_only_takes_longer(run, movie, boxes, tmp_path, monkeypatch):
    monkeypatch.setattr(window_model, 'is_bfloat16_faster', lambda _: False)
    words = '--boxes', boxes, '--out', tmp_path / 'poses.json', '--precision', 'bfloat16'
    assert refusal(run, movie, *words) == (
        'infer.py: PyTorch is slower in bfloat16 than in float32 on this processor, choose float32'
    )
