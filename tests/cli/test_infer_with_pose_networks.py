"""``stdpose infer`` with pose networks of other projects; these see single frames."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from stdpose_mm.cli import infer
from stdpose_mm.io.labels import read_labels
from stdpose_mm.io.labels.known_skeletons import COCO_17
from stdpose_mm.io.video import open_frames, write_video
from stdpose_mm.labelling.review import Doubt
from stdpose_mm.structures import VideoLabels
from support.bare_onnx import simcc_network
from support.input_files import link_for_each, write_boxes
from support.published_files import publish
from support.refusals import refusal

pytestmark = pytest.mark.slow

NUM_FRAMES = 9
Run = Callable[..., tuple[int, str, list[str]]]


def dot_at(frame: int, person: int) -> np.ndarray:
    return np.array([30.0 + 4 * frame, 40]) if person == 3 else np.array([120.0, 50 + 3 * frame])


def box_at(frame: int, person: int) -> np.ndarray:
    """Return a box around the dot, which is not in its middle."""
    return np.concatenate([dot_at(frame, person) - [12, 20], [30, 40]])


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A video of two bright dots on a dark ground."""
    x, y = np.arange(160), np.arange(120)[:, None]
    frames = []
    for frame in range(NUM_FRAMES):
        picture = np.zeros((120, 160))
        for person in (3, 8):
            place = dot_at(frame, person)
            picture += 220 * np.exp(-((x - place[0]) ** 2 + (y - place[1]) ** 2) / 18)
        frames.append(np.repeat(picture.astype(np.uint8)[..., None], 3, axis=2))
    write_video(tmp_path / 'clip.mp4', frames, fps=10)
    return tmp_path / 'clip.mp4'


@pytest.fixture
def boxes(tmp_path: Path) -> Path:
    """A label file with the boxes of people 3 and 8."""
    tracks = {n: [box_at(frame, n) for frame in range(NUM_FRAMES)] for n in (3, 8)}
    return write_boxes(tmp_path / 'boxes.json', tracks)


@pytest.fixture
def run(run_main: Run, clip: Path, boxes: Path) -> Run:
    return partial(run_main, infer.main, clip, '--boxes', boxes)


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """An ONNX file with its description."""
    (tmp_path / 'net.onnx').write_bytes(simcc_network(2, (96, 128)))
    description = {'joints': ['head', 'tail'], 'output': 'simcc', 'sharpness': 1}
    (tmp_path / 'net.json').write_text(json.dumps(description))
    return tmp_path / 'net.onnx'


def require_poses(path: Path, joints: int) -> None:
    """Require all joints of everyone within 1.5 pixels of the dot, in every frame."""
    persons = read_labels(path).persons
    assert [(each.frame_index, each.track_id) for each in persons] == [
        (frame, person) for frame in range(NUM_FRAMES) for person in (3, 8)
    ]
    for each in persons:
        assert each.track_id is not None
        expected = np.tile(dot_at(each.frame_index, each.track_id), (joints, 1))
        np.testing.assert_allclose(each.keypoints, expected, atol=1.5)


def test_a_published_network_estimates_everyone(run, tmp_path, monkeypatch):
    out, video = tmp_path / 'poses.json', tmp_path / 'drawn.mp4'
    with publish(tmp_path, monkeypatch, 'human-s') as requests:
        code, printed, errors = run('--pose', 'human-s', '--out', out, '--save-video', video)
    assert (code, requests) == (0, ['GET'])
    assert [line.partition(' (')[0] for line in errors] == ['infer.py: fetching human-s']
    assert printed.startswith(f'{out}: {NUM_FRAMES} frames, 2 people, {2 * NUM_FRAMES} poses\n')
    require_poses(out, 17)
    labels = read_labels(out)
    assert labels.skeleton.keypoint_names == COCO_17.keypoint_names
    assert labels.skeleton.limbs == COCO_17.limbs
    inference = json.loads(out.read_text())['inference']
    assert (inference['frames_predicted'], inference['crops']) == (NUM_FRAMES, 'frame')
    assert len(open_frames(video)) == NUM_FRAMES


def test_a_network_in_a_file_serves_several_videos(run_main, clip, boxes, network, tmp_path):
    link_for_each(tmp_path, 'ab', videos=clip, boxes=boxes)
    arguments = ['--boxes', tmp_path / 'boxes', '--pose-onnx', network, '--out', tmp_path / 'out']
    assert run_main(infer.main, tmp_path / 'videos', *arguments)[0] == 0
    for name in ('a', 'b'):
        require_poses(tmp_path / 'out' / f'{name}.json', 2)
    code, printed, _ = run_main(infer.main, tmp_path / 'videos', *arguments)
    assert (code, '0 done, 2 done before' in printed) == (0, True)
    # Another description is another network.
    description = json.loads(network.with_suffix('.json').read_text()) | {'padding': 1.5}
    network.with_suffix('.json').write_text(json.dumps(description))
    code, printed, _ = run_main(infer.main, tmp_path / 'videos', *arguments)
    assert (code, '2 done, 0 done before' in printed) == (0, True), printed


def test_fixed_sides_are_written_in_place_of_the_estimates(run, network, tmp_path, monkeypatch):
    plain, out = tmp_path / 'plain.json', tmp_path / 'fixed.json'
    assert run('--pose-onnx', network, '--out', plain)[0] == 0
    doubts = [Doubt((4, 5), 3, 'sides exchanged', 0.9, (0, 1)), Doubt((5,), 8, 'jump', 0.9)]

    def fix(labels: VideoLabels) -> tuple[VideoLabels, list[Doubt]]:
        assert (len(labels.frames), labels.track_ids) == (NUM_FRAMES, (3, 8))
        return labels.with_persons(labels.persons[::2]), doubts

    monkeypatch.setattr('stdpose_mm.labelling.review.mend_sides', fix)
    code, printed, _ = run('--pose-onnx', network, '--out', out, '--fix-sides')
    assert code == 0
    assert 'left and right exchanged in 3 poses' in printed
    estimated, fixed = json.loads(plain.read_text()), json.loads(out.read_text())
    assert fixed['images'] == estimated['images']
    assert [a['keypoints'] for a in fixed['annotations']] == [
        a['keypoints'] for a in estimated['annotations'][::2]
    ]
    assert fixed['inference'].keys() == estimated['inference'].keys()


def test_a_model_of_mmpose_by_its_config(run, tmp_path):
    pytest.importorskip('mmpose')
    from support.mmpose_checkpoints import FAMILIES, write_random_checkpoint

    weights, out = tmp_path / 'w.pth', tmp_path / 'poses.json'
    write_random_checkpoint(FAMILIES['rtmpose'], weights)
    arguments = ['--pose-config', FAMILIES['rtmpose'], '--pose-checkpoint', weights]
    assert run(*arguments, '--out', out)[0] == 0
    labels = read_labels(out)
    assert labels.skeleton.num_keypoints == 17
    assert len(labels.persons) == 2 * NUM_FRAMES


def test_a_tensorflow_lite_file(run, tmp_path):
    pytest.importorskip('ai_edge_litert')
    from support.tflite_files import Output, write_tflite

    network, out = write_tflite(tmp_path / 'bright.tflite', [Output((0, 0))]), tmp_path / 'o.json'
    description = {'joints': ['head', 'tail'], 'mean': [0, 0, 0], 'std': [255, 255, 255]}
    network.with_suffix('.json').write_text(json.dumps(description))
    assert run('--pose-tflite', network, '--out', out)[0] == 0
    # A cell holds the mean of 4x4 pixels of the crop, which begin 1.5 pixels before its place.
    require_poses(out, 2)


ONE = 'infer uses one pose network: give --checkpoint, or one of --pose NAME'
IDLE = 'would have no effect: give a .pth file as --checkpoint, or for'


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        ('', ONE),
        ('--pose human --checkpoint w.pth', ONE),
        ('--pose human --pose-onnx NETWORK', ONE),
        ('--pose-onnx NETWORK --pose-onnx NETWORK', ONE),
        ('--pose-config c.py', 'give one checkpoint for each config'),
        ('--pose-onnx NETWORK --config c.py', IDLE),
        ('--pose-onnx NETWORK --device cuda', '--device would have no effect'),
        ('--pose body26-s --device cuda', '--device would have no effect'),
        ('--pose humen', 'there is no humen '),
        ('--pose-onnx nowhere.onnx', 'nowhere.onnx does not exist'),
        ('--pose-onnx net.pb', '--pose-onnx takes files that end in .onnx'),
        ('--pose-onnx NETWORK=magic', "no preset 'magic'"),
        ('--pose-onnx NETWORK=rtmpose-coco', 'expected simcc [N, 17, bins] for x and y'),
        ('--pose-onnx NETWORK --out SIDECAR', 'net.json'),
    ],
)
def test_what_cannot_work_is_one_line(run, network, tmp_path, arguments, sentence):
    out, before = tmp_path / 'poses.json', network.with_suffix('.json').read_bytes()
    sidecar = str(network.with_suffix('.json'))
    words = arguments.replace('NETWORK', str(network)).replace('SIDECAR', sidecar).split()
    assert sentence in refusal(run, '--out', out, *words)
    assert not out.exists()
    assert network.with_suffix('.json').read_bytes() == before
