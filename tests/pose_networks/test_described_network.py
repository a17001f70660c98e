"""Pose networks in ONNX files and TensorFlow graphs: where their peaks are, and what is refused."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.io.fingerprint import fingerprint
from stdpose_mm.pose_networks import PoseNetworkFiles, load_pose_network
from stdpose_mm.pose_networks.described_network import TensorFlowPoseNetwork
from stdpose_mm.pose_networks.network_description import PRESETS, NetworkDescription
from support.paths import ROOT, SHARED_DATA
from support.pose_network_files import BOX, DOT, dot_picture, find_peak, write_dot_network

PLAIN = {'joints': ['dot'], 'mean': [0, 0, 0], 'std': [1, 1, 1]}
EFFICIENTPOSE = SHARED_DATA / 'weights/EfficientPoseRT.pb'


def network_at(folder: Path, geometry: str, fixed: bool = True, **fields: object):
    write_dot_network(folder / 'dot.onnx', geometry, fixed=fixed)
    is_simcc = geometry == 'simcc'
    content = {**PLAIN, 'geometry': 'mmpose' if is_simcc else geometry, **fields}
    if is_simcc:
        content['output'] = 'simcc'
    (folder / 'dot.json').write_text(json.dumps(content))
    return load_pose_network(PoseNetworkFiles(str(folder / 'dot.onnx')))


@pytest.mark.parametrize('geometry', ['mmpose', 'udp', 'centre', 'simcc'])
def test_a_peak_is_where_the_picture_has_it(tmp_path, geometry):
    network = network_at(tmp_path, geometry)
    found = network.estimate([dot_picture()], BOX[None])
    assert found.heatmaps.shape == (1, 1, 32, 24)
    place = find_peak(found.heatmaps[0, 0], found.to_heatmap[0])
    np.testing.assert_allclose(place, DOT, atol=0.3)


@pytest.mark.parametrize('geometry', ['mmpose', 'udp', 'centre', 'simcc'])
def test_a_batch_is_the_same_as_single_pictures(tmp_path, geometry):
    network = network_at(tmp_path, geometry)
    pictures = [dot_picture(), dot_picture(DOT + 5), dot_picture(DOT - 7)]
    boxes = np.stack([BOX, BOX + 3, BOX - 2])
    together = network.estimate(pictures, boxes)
    for n in range(3):
        alone = network.estimate(pictures[n : n + 1], boxes[n : n + 1])
        np.testing.assert_array_equal(together.heatmaps[n], alone.heatmaps[0])
        np.testing.assert_array_equal(together.to_heatmap[n], alone.to_heatmap[0])


def test_networks_count_by_the_content_of_their_files(tmp_path):
    """Not by the place of the file, so that poses kept for later runs are found."""
    found = []
    for name in ('first', 'same', 'other'):
        folder = tmp_path / name
        folder.mkdir()
        network_at(folder, 'mmpose')
        if name == 'other':
            model = onnx.load(folder / 'dot.onnx')
            model.doc_string = 'another file'
            onnx.save(model, folder / 'dot.onnx')
        found.append(fingerprint(load_pose_network(PoseNetworkFiles(str(folder / 'dot.onnx')))))
    first, same, other = found
    assert first == same != other


def test_fine_maps_are_reduced_and_stay_in_place(tmp_path, monkeypatch):
    monkeypatch.setattr('stdpose_mm.pose_networks.pose_network.MAX_MAP_SIDE', 12)
    found = network_at(tmp_path, 'mmpose').estimate([dot_picture()], BOX[None])
    assert found.heatmaps.shape == (1, 1, 10, 8)
    # A cell is ten pixels of the picture now.
    place = find_peak(found.heatmaps[0, 0], found.to_heatmap[0])
    np.testing.assert_allclose(place, DOT, atol=3)


def test_colours_reach_the_network_in_the_order_that_it_wants(tmp_path):
    network = network_at(tmp_path, 'mmpose', mean=[1, 2, 3], std=[1, 1, 2])
    crop = np.zeros((1, 2, 2, 3), np.uint8) + np.array([30, 20, 10], np.uint8)
    np.testing.assert_array_equal(network._normalise(crop)[0, :, 0, 0], [9, 18, 13.5])


def test_values_that_are_no_numbers_show_nothing(tmp_path):
    network = network_at(tmp_path, 'mmpose', mean=[1e38] * 3, std=[1e-9] * 3)
    found = network.estimate([dot_picture()], BOX[None])
    assert not found.heatmaps.any()


@pytest.mark.parametrize(
    ('content', 'sentence'),
    [
        ('{', 'cannot be read'),
        ('[]', 'add at least joints'),
        ('{"output": "simcc"}', 'add at least joints'),
        ('{"joints": "cocoa"}', "there is no set of joints 'cocoa'"),
        ('{"joints": ["a", "a"]}', 'appears twice'),
        ('{"joints": 3}', 'joints must be a list of names'),
        ('{"joints": [1]}', 'must be non-empty strings'),
        ('{"joints": "coco", "size": 3}', "there is no field 'size'"),
        ('{"joints": "coco", "output": "points"}', 'output must be one of heatmap, simcc'),
        ('{"joints": "coco", "output": []}', 'output must be one of heatmap, simcc'),
        ('{"joints": "coco", "std": [1, 0, 1]}', 'std must be three numbers above 0'),
        ('{"joints": "coco", "mean": "grey"}', 'mean must be three numbers'),
        ('{"joints": "coco", "input_size": [192]}', 'input_size must be width and height'),
        ('{"joints": "coco", "input_size": [192.5, 256]}', 'input_size must be width and height'),
        ('{"joints": "coco", "padding": true}', 'padding must be a number'),
        ('{"joints": "coco", "sharpness": NaN}', 'sharpness must be a number above 0'),
    ],
)
def test_bad_descriptions_are_refused_in_one_sentence(tmp_path, content, sentence):
    path = tmp_path / 'dot.json'
    path.write_text(content)
    with pytest.raises(InputError, match=sentence) as caught:
        NetworkDescription.read(path)
    assert str(path) in str(caught.value)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    ('fields', 'sentence'),
    [
        ({'input_size': [64, 64]}, '96x128 but its description says 64x64'),
        ({'joints': ['a', 'b']}, r'expected heatmaps \[N, 2, h, w\]'),
        ({'output': 'simcc'}, 'expected .* bins'),
    ],
)
def test_a_description_of_another_network_is_refused(tmp_path, fields, sentence):
    with pytest.raises(InputError, match=sentence):
        network_at(tmp_path, 'mmpose', **fields).estimate([dot_picture()], BOX[None])


def test_a_file_for_any_size_needs_one_in_its_description(tmp_path):
    with pytest.raises(InputError, match='nothing says the size of the pictures'):
        network_at(tmp_path, 'centre', fixed=False)
    network = network_at(tmp_path, 'centre', fixed=False, input_size=[96, 128])
    assert network.input_size == (96, 128)


@pytest.mark.parametrize('suffix', ['.onnx', '.pb'])
@pytest.mark.parametrize('content', [b'', b'no network', None], ids=['empty', 'text', 'missing'])
def test_bad_files_are_refused_in_one_sentence(tmp_path, suffix, content):
    path = tmp_path / f'net{suffix}'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=str(path)):
        load_pose_network(PoseNetworkFiles(str(path), preset='efficientpose-rt'))


def test_a_graph_gives_each_thread_the_maps_of_its_own_picture(tmp_path, monkeypatch):
    class SlowNetwork:
        """Keeps its input between two calls, as OpenCV's does."""

        def empty(self) -> bool:
            return False

        def setInput(self, batch: np.ndarray) -> None:
            self.batch = batch
            time.sleep(0.01)

        def forward(self) -> np.ndarray:
            return np.broadcast_to(self.batch.mean(), (1, 3, 4, 4))

    monkeypatch.setattr(cv2.dnn, 'readNetFromTensorflow', lambda content: SlowNetwork())
    path = tmp_path / 'net.pb'
    path.write_bytes(b'a graph')
    description = NetworkDescription(
        ('a', 'b', 'c'), input_size=(8, 8), mean=(0, 0, 0), std=(255, 255, 255)
    )
    network = TensorFlowPoseNetwork(path, description)
    greys = np.arange(8) * 30

    def highest(grey: int) -> float:
        picture = np.full((20, 20, 3), grey, np.uint8)
        found = network.estimate([picture], np.array([[5.0, 5.0, 8.0, 8.0]]))
        return float(found.heatmaps.max())

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(highest, greys))
    np.testing.assert_allclose(found, greys / 255, rtol=1e-5)


def test_a_file_without_a_description_is_refused(tmp_path):
    write_dot_network(tmp_path / 'dot.onnx')
    with pytest.raises(InputError, match='beside it or name a preset'):
        load_pose_network(PoseNetworkFiles(str(tmp_path / 'dot.onnx')))
    with pytest.raises(InputError, match="there is no preset 'dot'"):
        load_pose_network(PoseNetworkFiles(str(tmp_path / 'dot.onnx'), preset='dot'))


def test_a_config_needs_a_checkpoint():
    with pytest.raises(InputError, match='needs a checkpoint'):
        load_pose_network(PoseNetworkFiles('rtmpose-t_8xb256-420e_coco-256x192'))


@pytest.mark.parametrize(
    ('text', 'files'),
    [
        ('net.onnx', PoseNetworkFiles('net.onnx')),
        ('net.pb=efficientpose-rt', PoseNetworkFiles('net.pb', preset='efficientpose-rt')),
        ('c.py=w.pth', PoseNetworkFiles('c.py', checkpoint='w.pth')),
    ],
)
def test_a_network_is_named_in_one_word(text, files):
    assert PoseNetworkFiles.parse(text) == files


def test_a_file_may_have_an_equality_sign_in_its_name(tmp_path):
    path = tmp_path / 'a=b.onnx'
    path.write_bytes(b'')
    assert PoseNetworkFiles.parse(str(path)) == PoseNetworkFiles(str(path))


def test_every_preset_is_named_in_the_guide():
    guide = (ROOT / 'docs/guide/own_network.md').read_text()
    assert [name for name in PRESETS if f'`{name}`' not in guide] == []


@pytest.mark.skipif(not EFFICIENTPOSE.is_file(), reason='no shared/data beside the repository')
def test_efficientpose_runs_and_sees_nothing_in_an_empty_picture():
    network = load_pose_network(PoseNetworkFiles(str(EFFICIENTPOSE), preset='efficientpose-rt'))
    found = network.estimate([np.zeros((150, 200, 3), np.uint8)], BOX[None])
    assert found.heatmaps.shape == (1, 16, 112, 112)
    assert found.heatmaps.max() < 0.5
