from __future__ import annotations

import re

import numpy as np
import pytest

from research.speed import propagation_speed
from research.tools import benchmark_speed
from stdpose_mm.datasets.synthetic import ClipSettings, generate_clip
from stdpose_mm.io.labels import read_labels
from stdpose_mm.io.video import open_frames


@pytest.fixture
def tool():
    return benchmark_speed


def test_it_prints_crops_seconds_and_ratios(tool, capsys):
    options = '--frames 8 --size 128 96 --people 1 --repeats 1 --longer 0'
    assert tool.main(options.split()) == 0
    out = capsys.readouterr().out
    # Frames 0 and 7 are labelled: 6 poses, T + 1 = 8 crops.
    assert '6 poses in 1 gap, 8 crops seen by the backbone (8.00 per gap)' in out
    for line in ('end to end', 'pictures decoded', 'backbone alone', 'weights unpacked'):
        assert re.search(rf'{line} +\d+\.\d+ s', out)
    assert len(re.findall(r'ratio \d+\.\d\d', out)) == 2


def test_a_longer_clip_is_played_forth_and_back(tmp_path):
    settings = ClipSettings(frames=4, width=64, height=48, people=(1, 1))
    clip = generate_clip(0, settings)
    propagation_speed.write_clip(tmp_path / 'long', clip.frames, clip.labels, interval=3, times=3)
    frames = open_frames(tmp_path / 'long.mp4')
    labels = read_labels(tmp_path / 'long.json')
    assert len(frames) == 12
    assert len(labels.persons) >= 4
    order = [0, 1, 2, 3, 3, 2, 1, 0, 0, 1, 2, 3]
    poses = {person.frame_index: person for person in clip.labels.persons}
    for person in labels.persons:
        # Files hold five decimals.
        np.testing.assert_allclose(
            person.keypoints, poses[order[person.frame_index]].keypoints, atol=1e-3
        )
