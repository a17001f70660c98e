"""``stdpose infer`` with a network that `stdpose learn` wrote."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from stdpose_mm.cli import infer
from stdpose_mm.io.labels import read_labels
from stdpose_mm.io.video import open_frames, write_video
from stdpose_mm.labelling.evidence.learned_network import pose_box
from stdpose_mm.structures import expand
from support.coloured_dots import dots_video, pose_at
from support.input_files import write_boxes
from support.refusals import refusal
from support.without_torch import run_without_torch

pytestmark = pytest.mark.slow

NUM_FRAMES = 24
Run = Callable[..., tuple[int, str, list[str]]]


def box_at(frame: int) -> np.ndarray:
    """Return a box that is drawn in another way than those that the network learned from."""
    larger = expand(pose_box(pose_at(frame), np.ones(3, bool)), 0.2)
    return larger + np.array([2, -3, 0, 0])


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    write_video(tmp_path / 'clip.mp4', list(dots_video(NUM_FRAMES)), fps=25)
    return tmp_path / 'clip.mp4'


@pytest.fixture
def boxes(tmp_path: Path) -> Path:
    """A label file with the boxes of subject 4."""
    return write_boxes(tmp_path / 'boxes.json', {4: map(box_at, range(NUM_FRAMES))})


@pytest.fixture
def run(run_main: Run, learned_dots: Path, clip: Path) -> Run:
    return partial(run_main, infer.main, clip, '--checkpoint', learned_dots)


def require_poses(path: Path, track_id: int, most: float = 4) -> None:
    """Require the subject within some pixels of its place in every frame."""
    persons = read_labels(path).persons
    assert [(one.frame_index, one.track_id) for one in persons] == [
        (frame, track_id) for frame in range(NUM_FRAMES)
    ]
    errors = [one.keypoints - pose_at(one.frame_index) for one in persons]
    assert np.linalg.norm(errors, axis=-1).max() < most
    assert min(one.scores.min() for one in persons) > 0.5


def test_it_finds_the_subject_in_boxes_of_a_file(run, boxes, tmp_path):
    out, video = tmp_path / 'poses.json', tmp_path / 'drawn.mp4'
    code, printed, errors = run('--boxes', boxes, '--out', out, '--save-video', video)
    assert (code, errors) == (0, [])
    assert printed.startswith(f'{out}: 24 frames, 1 person, 24 poses\n')
    require_poses(out, track_id=4)
    dense = json.loads(out.read_text())
    assert dense['inference']['frames_predicted'] == NUM_FRAMES
    assert dense['annotations'][3]['keypoints'][2::3] == [2, 2, 2]
    assert dense['annotations'][3]['bbox'] == pytest.approx(box_at(3).tolist())
    assert len(open_frames(video)) == NUM_FRAMES


def test_it_needs_neither_pytorch_nor_openmmlab(learned_dots, tmp_path):
    pictures = tmp_path / 'pictures'
    pictures.mkdir()
    for frame, picture in enumerate(dots_video(NUM_FRAMES)):
        cv2.imwrite(str(pictures / f'{frame:06d}.png'), picture)
    (pictures / '000007.png').write_bytes(b'broken')
    out = tmp_path / 'poses.json'
    arguments = [pictures, '--checkpoint', learned_dots, '--out', out, '--boxes', 'whole-picture']
    arguments += ['--pose-every', '2', '--smooth', 'one-euro', '--save-video', tmp_path / 'o.mp4']
    done = run_without_torch('infer', *arguments)
    assert 'frame 7 cannot be read, so its poses can only be interpolated' in done.stderr
    assert [one.frame_index for one in read_labels(out).persons] == [*range(NUM_FRAMES)]


IDLE = 'would have no effect: give a .pth file as --checkpoint, or for'


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        ('--config config.py', IDLE),
        ('--precision bfloat16', IDLE),
        ('--runtime openvino', IDLE),
        ('--crops window', IDLE),
        ('--device cuda', '--device would have no effect: give a PyTorch network'),
        ('--checkpoint weights.pth', 'weights.pth does not exist'),
        ('--checkpoint FOLDER', 'holds no network.json, give a folder written by'),
        ('--checkpoint nowhere.onnx', 'nowhere.onnx cannot be read'),
        ('--checkpoint OTHER', 'other.onnx has not learned from labels, give a file that'),
        ('--checkpoint BROKEN', 'broken.onnx is not a network that onnxruntime can run'),
    ],
)
def test_what_cannot_work_is_one_line(run, tmp_path, arguments, sentence):
    from support.pose_network_files import write_described_network

    broken = tmp_path / 'broken.onnx'
    broken.write_bytes(b'no network')
    other = write_described_network(tmp_path / 'other.onnx')
    places = {'FOLDER': tmp_path, 'OTHER': other, 'BROKEN': broken}
    out = tmp_path / 'poses.json'
    given = [places.get(word, word) for word in arguments.split()]
    assert sentence in refusal(run, '--boxes', 'whole-picture', '--out', out, *given)
    assert not out.exists()
