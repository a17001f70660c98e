"""Pose networks in TensorFlow Lite files: where their values end up, and what is refused."""

from __future__ import annotations

import math
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.io.fingerprint import fingerprint
from stdpose_mm.labelling.evidence import PoseNetworkFiles, load_pose_network
from stdpose_mm.labelling.evidence import tflite_pose_network as module
from stdpose_mm.labelling.evidence.network_description import PRESETS, NetworkDescription
from stdpose_mm.labelling.evidence.tflite_pose_network import TASK_MEMBER, TFLitePoseNetwork
from support.paths import ROOT, SHARED_DATA
from support.pose_network_files import BOX, INPUT
from support.tflite_files import Output, Quantization, write_tflite

WEIGHTS = SHARED_DATA / 'weights'

# A crop at this box, of the input's own size, is the picture from pixel (52, 11), unchanged: the
# edges of pixels lie half a pixel from their centres.
WHOLE = np.array([[51.5, 10.5, *INPUT]])


def describe(joints: int = 2, **fields: object) -> NetworkDescription:
    plain = {'mean': (0, 0, 0), 'std': (255, 255, 255), 'geometry': 'centre', 'padding': 1.0}
    return NetworkDescription(tuple('abcdef'[:joints]), **{**plain, **fields})


def two_greys() -> np.ndarray:
    """A picture of 0.4 times white, and of 0.8 from the middle of ``WHOLE`` on."""
    picture = np.full((150, 200, 3), 102, np.uint8)
    picture[:, 100:] = 204
    return picture


def row_of_maps(network: TFLitePoseNetwork) -> np.ndarray:
    """The values [K, w] of a row of the maps of two greys."""
    maps = network.estimate([two_greys()], WHOLE).heatmaps
    assert maps.shape[0] == 1
    np.testing.assert_array_equal(maps[0, :, 0], maps[0, :, -1])
    return maps[0, :, 0]


HALF = [0.2] * 12 + [0.4] * 12
"""Half of two greys, of which a cell is 4 pixels wide."""

PLAIN = [Output((0,), gain=0.5)]
THREE, TWO = Output((0.9, 0.9, 0.9)), Output((0, 0.1), gain=0.5)
OUTPUTS = [THREE, Output((0.5, 0.5)), TWO, THREE, Output((0.8, 0.8), flat=True)]
UNSCALED = Quantization('UINT8', 0, 0)


@pytest.mark.parametrize(
    ('outputs', 'written', 'offsets'),
    [
        (PLAIN, {}, [0]),
        ([TWO], {'channels_first': True}, [0, 0.1]),
        # The last one with as many channels as joints is taken.
        (OUTPUTS, {}, [0, 0.1]),
        # Integers stand for what their scale says.
        (PLAIN, {'quantization': Quantization('UINT8', 1 / 255, 0)}, [0]),
        (PLAIN, {'quantization': Quantization('INT8', 1 / 255, -128)}, [0]),
    ],
    ids=['plain', 'channels first', 'several outputs', 'bytes', 'signed bytes'],
)
def test_maps_have_the_values_that_the_network_computes(tmp_path, outputs, written, offsets):
    path = write_tflite(tmp_path / 'net.tflite', outputs, **written)
    found = row_of_maps(TFLitePoseNetwork(path, describe(len(offsets))))
    rounding = 0.5 / 255 if 'quantization' in written else 0
    np.testing.assert_allclose(found, np.add.outer(offsets, HALF), atol=rounding + 1e-6)


@pytest.mark.parametrize(('colours', 'value'), [('rgb', 0.8), ('bgr', 0.25 - 0.2)])
def test_colours_reach_the_network_in_the_order_that_it_wants(tmp_path, colours, value):
    path = write_tflite(tmp_path / 'net.tflite', [Output((0,))])
    blue = np.zeros((150, 200, 3), np.uint8)
    blue[..., 0] = 255
    # The network takes the mean of three colours; here, all but the last are divided by 4.
    description = describe(1, colours=colours, mean=(0, 0, 51), std=(1020, 1020, 255))
    found = TFLitePoseNetwork(path, description).estimate([blue], WHOLE).heatmaps
    np.testing.assert_allclose(found, value / 3, atol=1e-6)


def test_pictures_are_independent_of_each_other(tmp_path):
    path = write_tflite(tmp_path / 'net.tflite', [Output((0,))])
    network = TFLitePoseNetwork(path, describe(1))
    pictures = [np.full((150, 200, 3), grey, np.uint8) for grey in (51, 255, 0)]
    found = network.estimate(pictures, np.repeat(WHOLE, 3, axis=0)).heatmaps
    np.testing.assert_allclose(found.mean(axis=(1, 2, 3)), [0.2, 1, 0], atol=1e-6)


def test_channels_are_where_the_input_has_them(tmp_path):
    """Not where maps happen to have as many rows as there are joints."""
    path = tmp_path / 'net.tflite'
    write_tflite(path, [Output((0.25,) * 3), Output((0.5,) * 6)], size=(16, 12))
    found = TFLitePoseNetwork(path, describe(3)).estimate([np.zeros((20, 20, 3), np.uint8)], WHOLE)
    assert found.heatmaps.shape == (1, 3, 3, 4)
    np.testing.assert_allclose(found.heatmaps, 0.25)


def test_logits_become_probabilities(tmp_path):
    path = tmp_path / 'net.tflite'
    write_tflite(path, [Output((0, math.log(3), -math.log(3)), gain=0)])
    found = row_of_maps(TFLitePoseNetwork(path, describe(3, activation='sigmoid')))
    np.testing.assert_allclose(found, np.repeat([[0.5], [0.75], [0.25]], 24, axis=1), atol=1e-6)


def test_logits_become_probabilities_before_maps_are_smoothed(tmp_path):
    path = write_tflite(tmp_path / 'net.tflite', [Output((-60,), gain=100)])
    found = row_of_maps(TFLitePoseNetwork(path, describe(1, activation='sigmoid', smooth=1.0)))
    # A step from 0 to 1; smoothed as logits, the cell beyond it would have 1.
    kernel = np.exp(-(np.arange(-3, 4) ** 2) / 2)
    expected = np.convolve([0] * 12 + [1] * 12, kernel / kernel.sum(), mode='same')
    np.testing.assert_allclose(found[0, 8:16], expected[8:16], atol=0.01)


def test_blazepose_has_a_square_of_almost_twice_the_persons_size(tmp_path):
    path = tmp_path / 'net.tflite'
    write_tflite(path, [Output((0,) * 39, gain=0)], size=(256, 256))
    network = TFLitePoseNetwork(path, PRESETS['blazepose'])
    found = network.estimate([two_greys()], np.array([[60.0, 20.0, 40.0, 100.0]]))
    assert found.heatmaps.shape == (1, 39, 64, 64)
    np.testing.assert_allclose(found.heatmaps, 0.5)
    # 100 * 1.8 pixels are 64 cells; the middle of the box, (80, 70), is that of the maps.
    scale = 64 / 180
    expected = [[scale, 0, 31.5 - 80 * scale], [0, scale, 31.5 - 70 * scale]]
    np.testing.assert_allclose(found.to_heatmap[0], expected)


@pytest.mark.skipif(not WEIGHTS.is_dir(), reason='no shared/data beside the repository')
def test_efficientpose_sees_nothing_in_an_empty_picture():
    network = load_pose_network(
        PoseNetworkFiles(str(WEIGHTS / 'EfficientPoseRT.tflite'), 'efficientpose-rt')
    )
    found = network.estimate([np.zeros((150, 200, 3), np.uint8)], BOX[None])
    assert found.heatmaps.shape == (1, 16, 112, 112)
    assert 0 < found.heatmaps.max() < 0.1


def test_each_thread_gets_the_maps_of_its_own_picture(tmp_path, monkeypatch):
    path = write_tflite(tmp_path / 'net.tflite', [Output((0,))])
    network = TFLitePoseNetwork(path, describe(1))
    set_tensor = network._interpreter.set_tensor

    def set_slowly(index: int, value: np.ndarray) -> None:
        set_tensor(index, value)
        time.sleep(0.01)

    monkeypatch.setattr(network._interpreter, 'set_tensor', set_slowly)
    greys = np.arange(8) * 30

    def highest(grey: int) -> float:
        picture = np.full((150, 200, 3), grey, np.uint8)
        return float(network.estimate([picture], WHOLE).heatmaps.max())

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(highest, greys))
    np.testing.assert_allclose(found, greys / 255, atol=1e-6)


def test_networks_count_by_the_content_of_their_files(tmp_path):
    """Not by the place of the file, so that poses kept for later runs are found."""
    found = []
    for name, offset in (('first', 0), ('same', 0), ('other', 0.1)):
        (tmp_path / name).mkdir()
        path = write_tflite(tmp_path / name / 'net.tflite', [Output((offset,))])
        network = TFLitePoseNetwork(path, describe(1))
        before = fingerprint(network)
        network.estimate([two_greys()], WHOLE)
        assert fingerprint(network) == before
        found.append(before)
    first, same, other = found
    assert first == same != other


def test_a_file_for_any_size_has_that_of_its_description(tmp_path):
    path = write_tflite(tmp_path / 'net.tflite', [Output((0,))], any_size=True)
    network = TFLitePoseNetwork(path, describe(1, input_size=(48, 64)))
    assert network.estimate([two_greys()], WHOLE).heatmaps.shape == (1, 1, 16, 12)


@pytest.mark.parametrize(
    ('joints', 'written', 'described', 'sentence'),
    [
        (1, {'any_size': True}, {}, 'nor its description gives the size of the pictures'),
        (2, {}, {'input_size': (64, 64)}, '96x128 but its description says 64x64'),
        (2, {}, {'joints': 3}, r'gives \[1, 32, 24, 2\], expected heatmaps \[1, h, w, 3\]'),
        (2, {}, {'output': 'simcc'}, "its description says 'simcc'"),
        (1, {'quantization': UNSCALED}, {}, 'uint8 with the scale 0, expected float32 or'),
        # It would ask for gigabytes.
        (1, {'size': (40000, 40000)}, {}, r'has a tensor \[1, 40000, 40000, 3\], larger than'),
    ],
)
def test_networks_of_another_form_are_refused(tmp_path, joints, written, described, sentence):
    path = write_tflite(tmp_path / 'net.tflite', [Output((0,) * joints)], **written)
    with pytest.raises(InputError, match=sentence):
        TFLitePoseNetwork(path, describe(**{'joints': joints, **described}))


def test_a_size_that_the_network_cannot_have_is_refused(tmp_path):
    path = tmp_path / 'net.tflite'
    write_tflite(path, [Output((0,)), Output((0, 0), flat=True)], any_size=True)
    with pytest.raises(InputError, match='cannot be run on pictures of 48x64'):
        TFLitePoseNetwork(path, describe(1, input_size=(48, 64)))


NO_NETWORK, NOT_RUNNABLE = (
    'holds no TensorFlow Lite network',
    'is not a network that LiteRT can run',
)


@pytest.mark.parametrize(
    ('damaged', 'sentence'),
    [
        (lambda content: b'', NO_NETWORK),
        (lambda content: b'no network', NO_NETWORK),
        (lambda content: b'\x10\0\0\0TFL3', NOT_RUNNABLE),
        (lambda content: b'\x10\0\0\0TFL3' + bytes(range(256)), NOT_RUNNABLE),
        (lambda content: content[: len(content) // 2], NOT_RUNNABLE),
        # A name that is no text.
        (lambda content: content.replace(b'image', b'\xff\xfe\xff\xfe\xff'), NOT_RUNNABLE),
    ],
)
def test_bad_files_are_refused_in_one_sentence(tmp_path, damaged, sentence):
    path = write_tflite(tmp_path / 'net.tflite', [Output((0,))])
    path.write_bytes(damaged(path.read_bytes()))
    with pytest.raises(InputError, match=rf'net\.tflite {sentence}') as caught:
        TFLitePoseNetwork(path, describe(1))
    assert '\n' not in str(caught.value)


def write_task(path: Path, content: bytes, member: str = TASK_MEMBER) -> Path:
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('pose_detector.tflite', b'a detector')
        archive.writestr(member, content)
    return path


def test_a_task_of_mediapipe_holds_a_network(tmp_path):
    content = write_tflite(tmp_path / 'net.tflite', [Output((0,), gain=0.5)]).read_bytes()
    network = TFLitePoseNetwork(write_task(tmp_path / 'pose.task', content), describe(1))
    np.testing.assert_allclose(row_of_maps(network), [HALF], atol=1e-6)


def test_a_task_without_a_network_is_refused(tmp_path, monkeypatch):
    path = tmp_path / 'pose.task'

    def refused(sentence: str) -> None:
        with pytest.raises(InputError, match=rf'pose\.task holds no TensorFlow .*{sentence}'):
            TFLitePoseNetwork(path, describe(1))

    path.write_bytes(b'no archive')
    refused('not a zip file')
    write_task(path, b'a face', 'face_detector.tflite')
    refused('no item named')
    write_task(path, b'no network')
    refused('no TFL3 identifier')
    monkeypatch.setattr(module, 'MAX_BYTES', 2**16)
    write_task(path, bytes(2**16 + 1))
    refused('it is too large')


def test_a_missing_runtime_is_named(tmp_path, monkeypatch):
    path = write_tflite(tmp_path / 'net.tflite', [Output((0,))])
    monkeypatch.setitem(sys.modules, 'ai_edge_litert', None)
    sentence = r'net\.tflite needs LiteRT, which is not installed: run `pip install .*`$'
    with pytest.raises(InputError, match=sentence):
        TFLitePoseNetwork(path, describe(1))


def test_the_runtime_prints_nothing(tmp_path):
    """Its first network in a process is announced, else."""
    path = write_tflite(tmp_path / 'net.tflite', [Output((0,) * 16)], size=(224, 224))
    code = (
        'import sys\n'
        'from stdpose_mm.labelling.evidence import PoseNetworkFiles, load_pose_network\n'
        'load_pose_network(PoseNetworkFiles(sys.argv[1], "efficientpose-rt")); '
        'print("loaded", file=sys.stderr)'
    )
    done = subprocess.run(
        [sys.executable, '-c', code, path], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, '', 'loaded\n')
