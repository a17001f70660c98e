"""Descriptions of networks: which are refused, and which presets there are."""

from __future__ import annotations

import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.labelling.evidence.network_description import PRESETS, NetworkDescription
from support.paths import ROOT


@pytest.mark.parametrize(
    ('content', 'sentence'),
    [
        ('{', 'cannot be used'),
        ('[]', 'at least joints'),
        ('{"output": "simcc"}', 'at least joints'),
        ('{"joints": "cocoa"}', "joints must be .* got 'cocoa'"),
        ('{"joints": ["a", "a"]}', 'appears twice'),
        ('{"joints": 3}', 'joints must be a list of names or'),
        ('{"joints": [1]}', 'must be non-empty strings'),
        ('{"joints": "coco", "size": 3}', 'expected an object with joints, output'),
        ('{"joints": "coco", "output": "points"}', 'output must be one of heatmap, simcc'),
        ('{"joints": "coco", "output": []}', 'output must be one of heatmap, simcc'),
        ('{"joints": "coco", "activation": "tanh"}', 'activation must be one of none, sigmoid'),
        ('{"joints": "coco", "std": [1, 0, 1]}', 'std must be three numbers above 0'),
        ('{"joints": "coco", "mean": "grey"}', 'mean must be three numbers'),
        ('{"joints": "coco", "input_size": [192]}', 'input_size must be width and height'),
        ('{"joints": "coco", "input_size": [192.5, 256]}', 'input_size must be width and height'),
        ('{"joints": "coco", "padding": true}', 'padding must be a number of at least 0.1'),
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


def test_every_preset_is_named_in_the_guide():
    guide = (ROOT / 'docs/guide/own_network.md').read_text()
    assert [name for name in PRESETS if f'`{name}`' not in guide] == []
