"""``stdpose infer clip.mp4 --pose human``: from a video to tracked poses without any other file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from stdpose_mm.cli import infer, propagate
from stdpose_mm.detection.detector_files import PUBLISHED_DETECTORS
from stdpose_mm.io.labels import read_labels, write_labels
from stdpose_mm.io.labels.known_skeletons import COCO_17
from stdpose_mm.io.video import write_video
from stdpose_mm.labelling.evidence.estimated_poses import EstimatedPerson
from stdpose_mm.labelling.evidence.one_stage_network import OneStageNetwork
from stdpose_mm.labelling.evidence.published_networks import PUBLISHED
from stdpose_mm.structures import PersonLabel, VideoFrame, VideoLabels
from support.bare_onnx import PERSON, YOLO, blob_detector, one_stage_network, simcc_network
from support.published_files import publish
from support.without_torch import run_without_torch

pytestmark = pytest.mark.slow

NUM_FRAMES, SIDE = 20, 160
FILES = PUBLISHED['human-s'], PUBLISHED_DETECTORS['person']
Publish = Callable[..., list[str]]

STEPS = np.stack([np.arange(17) + 1, 2 * np.arange(17)], axis=1)
"""Places of joints in the boxes that a one-stage network finds."""

MIDDLE = np.tile(np.array(PERSON) / 2 - 0.5, (17, 1))


def corner_at(frame: int, person: int) -> np.ndarray:
    """Upper left corner of a person; all go right, in rows of five."""
    row, column = divmod(person, 5)
    return np.array([4 + 22 * column + 2 * frame, 4 + 38 * row])


def write_walk(path: Path, people: int) -> Path:
    """Write a video of bright people, each with a brighter dot in the middle."""
    width, height = PERSON
    frames = []
    for frame in range(NUM_FRAMES):
        picture = np.full((SIDE, SIDE, 3), 20, np.uint8)
        for person in range(people):
            x, y = corner_at(frame, person)
            picture[y : y + height, x : x + width] = 215
            picture[y + 14 : y + 18, x + 6 : x + 10] = 255
        frames.append(picture)
    write_video(path, frames, fps=10)
    return path


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publish]:
    """Serve the detector and a pose network; returns the requests for them."""
    with ExitStack() as servers:

        def serve(
            name: str,
            detector: bytes = blob_detector(640, 4),
            detector_name: str = 'person',
            network: bytes | None = None,
        ) -> list[str]:
            servers.enter_context(publish(tmp_path, monkeypatch, detector_name, content=detector))
            return servers.enter_context(publish(tmp_path, monkeypatch, name, content=network))

        yield serve


def require_tracks(path: Path, people: int, joints: np.ndarray = MIDDLE) -> None:
    """Require everyone in every frame under one identity, with joints there in the box."""
    labels = read_labels(path)
    assert len(labels.persons) == NUM_FRAMES * people
    person_of = {}
    for label in labels.persons:
        places = [corner_at(label.frame_index, person) for person in range(people)]
        assert label.bbox is not None
        person = int(np.argmin(np.abs(places - label.bbox[:2]).sum(axis=1)))
        np.testing.assert_allclose(label.bbox, [*places[person], *PERSON], atol=0.5)
        np.testing.assert_allclose(label.keypoints, places[person] + joints, atol=3)
        assert person_of.setdefault(label.track_id, person) == person
    assert sorted(person_of.values()) == list(range(people))


FOUND = 'infer.py: people are found by --detector person, give another one, or --boxes'


def test_from_a_video_to_tracked_poses(run_main, tmp_path, published):
    clip, out = write_walk(tmp_path / 'clip.mp4', 20), tmp_path / 'poses.json'
    requests = published('human-s')
    code, printed, errors = run_main(infer.main, clip, '--pose', 'human-s', '--out', out)
    assert code == 0, errors
    assert printed.startswith(f'{out}: 20 frames, 20 people, 400 poses\n')
    assert errors[0] == FOUND
    assert {line.partition(' (')[0] for line in errors[2:]} == {
        'infer.py: fetching human-s',
        'infer.py: fetching person-m',
    }
    assert requests == ['GET', 'GET']
    require_tracks(out, 20)
    assert json.loads(out.read_text())['inference']['min_track_frames'] == 10


@pytest.mark.parametrize(
    ('kind', 'options'),
    [('by name', ''), ('a file', '--det-every 5 --pose-every 5 --min-track-frames 5')],
)
def test_a_one_stage_network_needs_no_detector(run_main, tmp_path, published, kind, options):
    clip, out = write_walk(tmp_path / 'clip.mp4', 5), tmp_path / 'poses.json'
    if kind == 'by name':
        network = '--pose', 'rtmo-s'
        published('rtmo-s', network=one_stage_network('rtmo', scale=4, steepness=4.5, side=640))
    else:
        network = '--pose-onnx', str(tmp_path / 'net.onnx')
        metadata = {name: YOLO[name] for name in ('task', 'kpt_shape', 'names', 'license')}
        content = one_stage_network('yolo', steepness=4.5, side=SIDE, metadata=metadata)
        Path(network[1]).write_bytes(content)
    code, printed, errors = run_main(infer.main, clip, *network, '--out', out, *options.split())
    assert code == 0, errors
    assert printed.startswith(f'{out}: 20 frames, 5 people, 100 poses\n')
    (line,) = errors
    assert ('fetching rtmo-s' if kind == 'by name' else 'is under AGPL-3.0') in line
    require_tracks(out, 5, STEPS)


def test_in_auto_a_one_stage_network_looks_once_at_a_frame(run_main, tmp_path, monkeypatch):
    clip, network = write_walk(tmp_path / 'clip.mp4', 5), tmp_path / 'net.onnx'
    metadata = {name: YOLO[name] for name in ('task', 'kpt_shape', 'names')}
    network.write_bytes(one_stage_network(steepness=4.5, side=SIDE, metadata=metadata))
    persons = tuple(
        PersonLabel(frame, corner_at(frame, person) + STEPS, np.full(17, 2), person)
        for frame in (0, 10, NUM_FRAMES - 1)
        for person in range(5)
    )
    frames = tuple(VideoFrame(frame) for frame in range(NUM_FRAMES))
    write_labels(VideoLabels('clip', COCO_17, frames, persons), tmp_path / 'labels.json')
    seen: list[int] = []
    look = OneStageNetwork._find_people

    def find_people(self: OneStageNetwork, picture: np.ndarray) -> list[EstimatedPerson]:
        # The first person begins two pixels further right in each frame.
        seen.append((int(np.argmax(picture[20, :, 0] > 120)) - 4) // 2)
        return look(self, picture)

    monkeypatch.setattr(OneStageNetwork, '_find_people', find_people)
    files = (clip, tmp_path / 'labels.json', '--pose-onnx', network, '--out', tmp_path / 'out.json')
    code, printed, _ = run_main(propagate.main, *files, '--no-stdpose', '--cache', 'off')
    assert code == 0
    assert 'net.onnx: used in 10 of 10 gaps' in printed
    assert sorted(seen) == [*range(NUM_FRAMES)]


def test_all_files_are_named_before_the_first_download(run_main, tmp_path, monkeypatch):
    clip, out = write_walk(tmp_path / 'clip.mp4', 1), tmp_path / 'poses.json'
    with publish(tmp_path, monkeypatch, 'human-s'):
        address = os.environ['STDPOSE_MIRROR']
    # The server is gone.
    code, _, errors = run_main(infer.main, clip, '--pose', 'human-s', '--out', out)
    assert code == 2
    network, detector = (f'{address}/{file.file}' for file in FILES)
    folder = FILES[0].path.parent
    assert errors[1] == (
        'infer.py: 2 files are fetched once, unless you put them there: '
        f'{network} as {folder / Path(network).name}, {detector} as {folder / Path(detector).name}'
    )
    assert 'cannot be fetched' in errors[2]


@pytest.mark.parametrize('what', ['path', 'archive'])
def test_a_file_that_the_user_has_put_there_is_not_announced(run_main, tmp_path, monkeypatch, what):
    clip, out = write_walk(tmp_path / 'clip.mp4', 1), tmp_path / 'poses.json'
    with publish(tmp_path, monkeypatch, 'human-s'):
        pass
    file = FILES[1].path if what == 'path' else FILES[1].download[1]
    file.parent.mkdir(parents=True)
    file.write_bytes(b'')
    code, _, errors = run_main(infer.main, clip, '--pose', 'human-s', '--out', out)
    assert code == 2
    assert not any('files are fetched once' in line for line in errors)


def test_it_needs_neither_pytorch_nor_openmmlab(tmp_path, published):
    clip, out = write_walk(tmp_path / 'clip.mp4', 2), tmp_path / 'poses.json'
    # Another process expects what was published, if it knows the SHA-256.
    published('human-t', detector_name='person-l')
    names = ('--pose', 'human-t', '--detector', 'person-l')
    run_without_torch('infer', clip, *names, '--out', out, '--tracker', 'oks')
    require_tracks(out, 2)


def test_the_detector_may_run_on_every_fifth_frame_of_several_videos(run_main, tmp_path, published):
    (tmp_path / 'videos').mkdir()
    for name, people in (('a', 2), ('b', 3)):
        write_walk(tmp_path / 'videos' / f'{name}.mp4', people)
    published('human-s')
    arguments = [tmp_path / 'videos', '--pose', 'human-s', '--out', tmp_path / 'out']
    assert run_main(infer.main, *arguments, '--det-every', 5)[0] == 0
    for name, people in (('a', 2), ('b', 3)):
        require_tracks(tmp_path / 'out' / f'{name}.json', people)
    code, printed, _ = run_main(infer.main, *arguments, '--det-every', 5)
    assert (code, '0 done, 2 done before' in printed) == (0, True)


@pytest.mark.parametrize(
    ('name', 'arguments', 'sentence'),
    [
        (
            'animal-m',
            '',
            'animal-m finds no joints of a human body, but only for people a detector',
        ),
        ('hand-m', '', 'hand-m finds no joints of a human body'),
        ('human-s', '--boxes whole-picture --det-every 2', '--det-every would have no effect'),
        ('human-s', '--detector persona', 'detector persona does not exist, give a published'),
        ('human-s', '--detector person --det-checkpoint w.pth', 'leave out the check'),
        ('human-s', '--detector net.onnx=magic', 'must be one of rtmdet, yolox'),
    ],
)
def test_what_cannot_work_is_one_line(run_main, tmp_path, published, name, arguments, sentence):
    clip, out = write_walk(tmp_path / 'clip.mp4', 1), tmp_path / 'poses.json'
    published(name)
    code, _, errors = run_main(infer.main, clip, '--pose', name, '--out', out, *arguments.split())
    assert code == 2
    told = [line for line in errors if 'fetch' not in line and line != FOUND]
    assert len(told) == 1
    assert sentence in told[0]
    assert not out.exists()


def test_a_published_file_of_another_network_is_one_line(run_main, tmp_path, published):
    clip, out = write_walk(tmp_path / 'clip.mp4', 1), tmp_path / 'poses.json'
    published('human-s', detector=simcc_network(17))
    code, _, errors = run_main(infer.main, clip, '--pose', 'human-s', '--out', out)
    assert code == 2
    assert 'has the outputs simcc_x, simcc_y, expected dets and labels' in errors[-1]
    assert not out.exists()
