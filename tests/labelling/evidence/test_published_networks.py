"""Published networks by name: fetched from a server, and run without PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from stdpose_mm.detection.detector_files import PUBLISHED_DETECTORS
from stdpose_mm.errors import InputError
from stdpose_mm.labelling.evidence.network_description import PRESETS
from stdpose_mm.labelling.evidence.published_networks import PUBLISHED, find_published
from stdpose_mm.structures.joint_sets import JOINT_SETS
from support.published_files import publish

BOX = np.array([60.0, 20, 80, 100])
PLACES = np.array([[101.0, 63], [80.0, 100]])


def pictures() -> list[np.ndarray]:
    """Dark pictures with a soft bright dot at PLACES."""
    x, y = np.arange(200), np.arange(150)[:, None]
    squares = [(x - place[0]) ** 2 + (y - place[1]) ** 2 for place in PLACES]
    return [
        np.repeat((255 * np.exp(-square / 18)).astype(np.uint8)[..., None], 3, axis=2)
        for square in squares
    ]


@pytest.mark.parametrize(
    ('name', 'joints'),
    [
        ('human', 17),
        ('body26', 26),
        ('wholebody', 133),
        ('hand', 21),
        ('face', 106),
        ('animal', 17),
        ('vitpose', 17),
        ('vitpose-s-coco25', 25),
        ('vitpose-l-wholebody', 133),
        ('vitpose-b-apt36k', 17),
    ],
)
@pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning')
def test_a_network_by_name_finds_joints_of_its_kind(tmp_path, monkeypatch, name, joints):
    with publish(tmp_path, monkeypatch, name):
        network = find_published(name).load()
    assert network.name == find_published(name).name
    assert network.skeleton.num_keypoints == joints
    assert network.skeleton.keypoint_names == PRESETS[find_published(name).preset].joints
    found, scores = network.find(pictures(), np.stack([BOX, BOX]))
    # A pixel of the input is at most 0.6 pixels of the picture, a cell of a heatmap has four.
    atol = 0.7 if PRESETS[find_published(name).preset].output == 'simcc' else 2
    np.testing.assert_allclose(found, np.repeat(PLACES[:, None], joints, axis=1), atol=atol)
    assert scores.shape == (2, joints)
    assert ((scores >= 0) & (scores <= 1)).all()


def test_the_table_is_complete():
    for network in {*PUBLISHED.values(), *PUBLISHED_DETECTORS.values()}:
        assert network.file.endswith('.zip' if network.project == 'MMPose' else '.onnx')
        assert '://' not in network.file
        # File names of MMPose state the size of the input, except those of detectors.
        name = network.file.rpartition('/')[2]
        assert network.size in name or 'yolox' in name or network.project == 'ViTPose'
    for network in PUBLISHED.values():
        assert network.preset in PRESETS
        # Networks are called after the letter of their size, such as `human-l-384`.
        letter = network.name.split('-')[1]
        parts = f'-{letter}_simcc', f'vitpose-{letter}-', f'rtmo-{letter}_'
        assert any(part in network.file for part in parts)
    assert len({network.path for network in PUBLISHED.values()}) == len({*PUBLISHED.values()})
    assert 'rtmpose-m_simcc-body7_pt-body7_420e-256x192' in PUBLISHED['human'].file
    assert 'rtmpose-l_simcc-body7_pt-body7_420e-384x288' in PUBLISHED['rtmpose-l'].file
    assert PUBLISHED_DETECTORS['person-t'].input_size == (416, 416)


def test_faces_are_those_of_lapa():
    assert JOINT_SETS['face'] == tuple(f'kpt-{n}' for n in range(106))


@pytest.mark.parametrize(
    ('name', 'near'),
    [('humen', 'such as human'), ('body-26', 'such as body26'), ('zzz', 'such as human or')],
)
def test_an_unknown_name_is_refused_with_others(name, near):
    with pytest.raises(
        InputError, match=f'there is no {name} among the published.*{near}'
    ) as caught:
        find_published(name)
    assert '`stdpose networks` lists them' in str(caught.value)


@pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning')
def test_a_network_of_another_size_is_refused(tmp_path, monkeypatch):
    sentence = 'takes pictures of 288x384 but its description says'
    with (
        publish(tmp_path, monkeypatch, 'human', size=(288, 384)),
        pytest.raises(InputError, match=sentence),
    ):
        find_published('human').load()


@pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning')
def test_what_is_no_network_is_refused(tmp_path, monkeypatch):
    with (
        publish(tmp_path, monkeypatch, 'human', content=b'no network'),
        pytest.raises(InputError, match='is not a network that onnxruntime can run'),
    ):
        find_published('human').load()
