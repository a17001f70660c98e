"""The crops and maps of described networks, by ONNX files: where their peaks are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.io.fingerprint import fingerprint
from stdpose_mm.labelling.evidence import PoseNetworkFiles, load_pose_network
from support.pose_network_files import BOX, DOT, dot_picture, find_peak, write_dot_network

PLAIN = {'joints': ['dot'], 'mean': [0, 0, 0], 'std': [1, 1, 1]}


def network_at(folder: Path, geometry: str, **fields: object):
    write_dot_network(folder / 'dot.onnx', geometry)
    if geometry == 'simcc':
        geometry, fields['output'] = 'mmpose', 'simcc'
    content = {**PLAIN, 'geometry': geometry, **fields}
    (folder / 'dot.json').write_text(json.dumps(content))
    return load_pose_network(PoseNetworkFiles(str(folder / 'dot.onnx')))


@pytest.mark.parametrize('geometry', ['mmpose', 'udp', 'centre', 'simcc'])
def test_a_peak_is_where_the_picture_has_it_alone_and_in_a_batch(tmp_path, geometry):
    network = network_at(tmp_path, geometry)
    pictures = [dot_picture(), dot_picture(DOT + 5)]
    boxes = np.stack([BOX, BOX + 3])
    found = network.estimate(pictures, boxes)
    assert found.heatmaps.shape == (2, 1, 32, 24)
    for n, dot in enumerate((DOT, DOT + 5)):
        place = find_peak(found.heatmaps[n, 0], found.to_heatmap[n])
        np.testing.assert_allclose(place, dot, atol=0.3)
        alone = network.estimate(pictures[n : n + 1], boxes[n : n + 1])
        np.testing.assert_array_equal(found.heatmaps[n], alone.heatmaps[0])
        np.testing.assert_array_equal(found.to_heatmap[n], alone.to_heatmap[0])


def test_networks_count_by_the_content_of_their_files(tmp_path):
    """Not by the place of the file, so that poses kept for later runs are found."""
    found = []
    for name, note in (('first', ''), ('same', ''), ('other', 'another file')):
        folder = tmp_path / name
        folder.mkdir()
        network_at(folder, 'mmpose')
        model = onnx.load(folder / 'dot.onnx')
        model.doc_string = note
        onnx.save(model, folder / 'dot.onnx')
        found.append(fingerprint(load_pose_network(PoseNetworkFiles(str(folder / 'dot.onnx')))))
    first, same, other = found
    assert first == same != other


def test_fine_maps_are_reduced_and_stay_in_place(tmp_path, monkeypatch):
    monkeypatch.setattr('stdpose_mm.labelling.evidence.pose_network.MAX_MAP_SIDE', 12)
    found = network_at(tmp_path, 'mmpose').estimate([dot_picture()], BOX[None])
    assert found.heatmaps.shape == (1, 1, 10, 8)
    # A cell is ten pixels of the picture now.
    place = find_peak(found.heatmaps[0, 0], found.to_heatmap[0])
    np.testing.assert_allclose(place, DOT, atol=3)


def test_values_that_are_no_numbers_show_nothing(tmp_path):
    network = network_at(tmp_path, 'mmpose', mean=[1e38] * 3, std=[1e-9] * 3)
    found = network.estimate([dot_picture()], BOX[None])
    assert not found.heatmaps.any()


@pytest.mark.parametrize(
    ('fields', 'sentence'),
    [
        ({'input_size': [64, 64]}, '96x128 but its description says 64x64'),
        ({'joints': ['a', 'b']}, r'expected heatmap \[N, 2, h, w\]'),
        ({'output': 'simcc'}, 'expected .* bins'),
    ],
)
def test_a_description_of_another_network_is_refused(tmp_path, fields, sentence):
    with pytest.raises(InputError, match=sentence):
        network_at(tmp_path, 'mmpose', **fields).estimate([dot_picture()], BOX[None])


@pytest.mark.parametrize(
    ('bins', 'fields', 'words'),
    [
        ((192, 256), {'split_ratio': 3}, 'so 2 and 2 per pixel, but its description says .* 3'),
        ((192, 192), {}, 'gives 192 and 192 bins for an input of 96x128, so 2 and 1.5 per pixel'),
        ((256, 192), {}, 'export x before y'),
        ((193, 256), {}, 'so 2.01042 and 2 per pixel'),
    ],
)
def test_bins_of_another_split_ratio_or_size_are_refused(tmp_path, bins, fields, words):
    network = network_at(tmp_path, 'simcc', **fields)
    with pytest.raises(InputError, match=words):
        network._heatmaps([np.zeros((1, 1, size), np.float32) for size in bins])


@pytest.mark.parametrize('bins', [(129, 172), (130, 173)])
def test_bins_may_be_rounded_up_or_down(tmp_path, bins):
    # 96 * 1.35 = 129.6 and 128 * 1.35 = 172.8
    network = network_at(tmp_path, 'simcc', split_ratio=1.35)
    maps, *_ = network._heatmaps([np.zeros((1, 1, size), np.float32) for size in bins])
    assert maps.shape[:2] == (1, 1)
