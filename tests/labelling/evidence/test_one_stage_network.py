"""Networks that find people and their joints in one pass over a picture."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from stdpose_mm.errors import InputError, InputWarning
from stdpose_mm.io.fingerprint import fingerprint
from stdpose_mm.labelling.evidence import PoseNetworkFiles, load_pose_network
from stdpose_mm.labelling.evidence.one_stage_network import OneStageNetwork
from stdpose_mm.labelling.evidence.onnx_networks import finds_people
from stdpose_mm.onnx_session import OnnxSession
from stdpose_mm.structures.joint_sets import JOINT_SETS
from support.bare_onnx import PERSON, WHITE, YOLO, one_stage_network
from support.heatmaps import highest_places

WIDTH, HEIGHT = PERSON
UNLICENSED = {name: text for name, text in YOLO.items() if name != 'license'}


def picture(*places: tuple[int, int], size: tuple[int, int] = (128, 128)) -> np.ndarray:
    """Draw people, bright rectangles, at corners in a dark picture of a width and a height."""
    out = np.zeros((*size[::-1], 3), np.uint8)
    for x, y in places:
        out[y : y + HEIGHT, x : x + WIDTH] = WHITE
    return out


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., OneStageNetwork]:
    """Writes a network of :func:`one_stage_network`, and loads it."""

    def make(
        form: str = 'yolo',
        joints: int = 17,
        metadata: Mapping[str, str] = UNLICENSED,
        described: Mapping[str, object] | None = None,
        preset: str | None = None,
        **options: float,
    ) -> OneStageNetwork:
        path = tmp_path / 'net.onnx'
        of_file = metadata if form.startswith('yolo') else {}
        path.write_bytes(one_stage_network(form, joints, metadata=of_file, **options))
        if described is not None:
            path.with_suffix('.json').write_text(json.dumps(described))
        files = PoseNetworkFiles(str(path), preset)
        network = load_pose_network(files)
        assert finds_people(files)
        assert isinstance(network, OneStageNetwork)
        return network

    return make


def joints_at(x: float, y: float, number: int = 17) -> np.ndarray:
    steps = np.arange(number)
    return np.stack([x + steps + 1, y + 2 * steps], axis=1)


@pytest.mark.parametrize('form', ['yolo', 'yolo with NMS', 'rtmo', 'rfdetr'])
def test_people_and_joints_of_every_form(load, form):
    network = load(form)
    people = network.people(picture((20, 60), (90, 10)))
    people.sort(key=lambda person: person.bbox[0])
    assert network.skeleton.keypoint_names == JOINT_SETS['coco']
    np.testing.assert_allclose(
        [p.bbox for p in people], [[20, 60, 16, 32], [90, 10, 16, 32]], atol=1e-4
    )
    for person, place in zip(people, [(20, 60), (90, 10)], strict=True):
        np.testing.assert_allclose(person.keypoints, joints_at(*place), rtol=0, atol=1e-4)
        np.testing.assert_allclose(person.scores, [0.9, 0.5] * 8 + [0.9], atol=1e-6)
    boxes = network(picture((90, 10)))
    np.testing.assert_allclose(boxes.boxes, [[90, 10, 16, 32]], atol=1e-4)
    np.testing.assert_allclose(boxes.scores, 0.775 if form == 'rfdetr' else 0.94, atol=0.01)


def test_a_picture_lies_in_the_centre_of_yolos_input(load, monkeypatch):
    """64x48 become 128x96, with 16 rows of grey above and below."""
    inputs, run = [], OnnxSession.run
    monkeypatch.setattr(OnnxSession, 'run', lambda *args: inputs.append(args[2]) or run(*args))
    (person,) = load(scale=2).people(picture((10, 14), size=(64, 48)))
    is_grey = inputs[0]['input'][0, 0, :, 0] > 0
    assert np.flatnonzero(is_grey).tolist() == [*range(16), *range(112, 128)]
    np.testing.assert_allclose(person.bbox, [10, 14, 16, 32])
    np.testing.assert_allclose(person.keypoints, joints_at(10, 14))


def test_a_picture_lies_in_the_corner_of_rtmos_input(load):
    (person,) = load('rtmo', scale=2).people(picture((10, 14), size=(64, 48)))
    np.testing.assert_allclose(person.keypoints, joints_at(10, 14))


def test_a_picture_is_stretched_to_rfdetrs_input(load):
    """From 64x128 to twice the width; people of half the width are found."""
    shown = picture((20, 60))[:, ::2]
    (person,) = load('rfdetr').people(shown)
    np.testing.assert_allclose(person.bbox, [10, 60, 8, 32], atol=1e-4)
    np.testing.assert_allclose(person.keypoints, joints_at(20, 60) / [2, 1], atol=1e-4)
    # A 32nd of the width and of the height.
    np.testing.assert_allclose(person.deviations, np.sqrt((2**2 + 4**2) / 2), rtol=1e-5)


@pytest.mark.parametrize(('form', 'number'), [('yolo', 1), ('rtmo', 1), ('yolo with NMS', 7)])
def test_overlapping_boxes_are_dropped_unless_the_file_does(load, form, number):
    """Seven boxes score at least 0.2, up to 4 pixels higher or lower, or 2 beside."""
    assert len(load(form, steepness=4.5).people(picture((20, 60)))) == number


@pytest.mark.parametrize(
    ('names', 'described', 'expected'),
    [
        ("{0: ['nose', 'tail', 'paw'], 1: ['nose', 'tail', 'paw']}", None, ('nose', 'tail', 'paw')),
        # Ultralytics writes numbers for joints without names.
        ("{0: ['0', '1', '2']}", {'joints': ['head', 'hip', 'foot']}, ('head', 'hip', 'foot')),
        ("{0: ['nose', 'tail', 'paw']}", {'joints': ['a', 'b', 'c']}, ('a', 'b', 'c')),
    ],
)
def test_joints_are_named_by_the_file_or_the_description(load, names, described, expected):
    metadata = {**UNLICENSED, 'kpt_shape': '[3, 3]', 'kpt_names': names}
    network = load(joints=3, metadata=metadata, described=described)
    assert network.skeleton.keypoint_names == expected
    (person,) = network.people(picture((20, 60)))
    np.testing.assert_allclose(person.keypoints, joints_at(20, 60, 3))


@pytest.mark.parametrize(
    'given', [{'preset': 'yolo-coco'}, {'described': {'joints': 'coco', 'output': 'yolo'}}]
)
def test_a_file_without_metadata_is_described(load, given):
    (person,) = load(metadata={}, **given).people(picture((20, 60)))
    np.testing.assert_allclose(person.keypoints, joints_at(20, 60))


@pytest.mark.parametrize(
    ('joints', 'metadata', 'described', 'sentence'),
    [
        (3, {'kpt_shape': '[3, 3]'}, None, 'does not name its joints, .*net.json'),
        (17, {'names': "{0: 'dog'}"}, None, 'does not name its joints, .*net.json'),
        (3, {'kpt_shape': '[3, 3]'}, {'joints': ['a', 'b']}, 'finds 3 joints .* names 2'),
        (17, {'kpt_shape': '[17, 3'}, None, 'the entry kpt_shape of .*net.onnx cannot be read'),
        # Read as the file's metadata say, these outputs have no class.
        (16, {}, None, r'gives output0 \[1, 53, \d+\], expected outputs of yolo for 17 joints'),
    ],
)
def test_what_cannot_be_read_is_one_sentence(load, joints, metadata, described, sentence):
    with pytest.raises(InputError, match=sentence):
        load(joints=joints, metadata=UNLICENSED | metadata, described=described).people(picture())


def test_the_licence_in_the_file_is_named(load):
    with pytest.warns(InputWarning, match='^net.onnx is under AGPL-3.0 License'):
        load(metadata=YOLO)


BOXES = np.array([[20.0, 60, WIDTH, HEIGHT], [90, 10, WIDTH, HEIGHT]])


def test_a_picture_is_looked_at_once(load, monkeypatch):
    """Whatever the number of people, and who asks."""
    network, runs, run = load(), [], OnnxSession.run
    monkeypatch.setattr(OnnxSession, 'run', lambda *args: runs.append(1) or run(*args))
    shown = picture((20, 60), (90, 10))
    network(shown)
    network.find([shown] * 2, BOXES)
    assert len(runs) == 1
    before = fingerprint(network)
    for box in BOXES:
        assert network.view(shown, box) is network.people(shown)
    assert len(runs) == 1
    assert fingerprint(network) == before
    assert not network.people(picture())


def test_the_person_in_a_box_is_found_and_nobody_elsewhere(load):
    shown = picture((20, 60), (90, 10))
    joints, scores = load().find([shown] * 3, np.array([*BOXES, [60, 100, 20, 20]]))
    np.testing.assert_allclose(joints[:2], [joints_at(20, 60), joints_at(90, 10)])
    assert np.isnan(joints[2]).all()
    assert not scores[2].any()


@pytest.mark.parametrize(('form', 'width'), [('yolo', 0.06 * HEIGHT), ('rfdetr', 4)])
def test_as_evidence_joints_are_as_uncertain_as_the_network_says(load, form, width):
    """A 32nd of the picture, or else 6 % of the person; half as high as the score."""
    network = load(form)
    maps = network.estimate([picture((20, 60))], BOXES[:1])
    assert maps.known.all()
    np.testing.assert_allclose(highest_places(maps, 0), joints_at(20, 60), atol=0.4)
    # A map of a Gaussian has the sum 2 pi sigma^2 times its height.
    first = maps.heatmaps[0, 8]
    cells = np.sqrt(first.sum() / first.max() / (2 * np.pi))
    assert cells / maps.to_heatmap[0, 0, 0] == pytest.approx(width, rel=0.1)
    assert first.max() == pytest.approx(0.45, abs=0.02)
