"""Footage: what wild clips suffer from, and that plain ones suffer from none of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from stdpose_mm.datasets.synthetic import ClipSettings, generate_clip, write_dataset
from stdpose_mm.datasets.synthetic.footage import Coding, Footage
from stdpose_mm.datasets.synthetic.motion import sample_movement
from support.paths import ROOT

pytestmark = pytest.mark.slow

WILD = ClipSettings(frames=4, width=97, height=73, footage='wild')

CODE = """
import hashlib
import numpy as np
from stdpose_mm.datasets.synthetic.footage import Coding
noise = np.random.default_rng(0).integers(0, 127, (40, 120, 160, 3), np.uint8)
pictures = np.stack([np.roll(noise[0], n, 1) + picture for n, picture in enumerate(noise)])
print(hashlib.md5(Coding('libx264', 30, 12).apply(pictures).tobytes()).hexdigest())
"""


@pytest.mark.skipif(sys.platform != 'linux', reason='the variable is of glibc')
def test_the_same_pictures_are_coded_alike_whatever_the_memory_held() -> None:
    codes = {
        subprocess.check_output(
            [sys.executable, '-c', CODE],
            env={**os.environ, 'MALLOC_PERTURB_': byte, 'PYTHONPATH': str(ROOT)},
        )
        for byte in ('1', '170')
    }
    assert len(codes) == 1


def smooth(frames: int = 6) -> np.ndarray:
    y, x = np.mgrid[:40, :50]
    return np.stack([np.stack([x * 4, y * 5, x + y + t], axis=-1) for t in range(frames)]).astype(
        np.uint8
    )


def test_plain_footage_draws_nothing():
    rng = np.random.default_rng(0)
    assert Footage.sample(rng, 'plain') == Footage()
    assert rng.random() == np.random.default_rng(0).random()


def test_some_mixed_footage_is_plain_and_some_is_wild():
    plain = [Footage.sample(np.random.default_rng(n), 'mixed') == Footage() for n in range(40)]
    assert 10 < sum(plain) < 30


def test_the_same_seed_gives_the_same_wild_clip():
    first, second = generate_clip([4, 1], WILD), generate_clip([4, 1], WILD)
    np.testing.assert_array_equal(first.frames, second.frames)


def test_wild_clips_are_valid():
    for seed in range(6):
        clip = generate_clip([4, seed], WILD)
        assert clip.frames.shape == (4, 73, 97, 3)
        assert {person.frame_index for person in clip.labels.persons} <= set(range(4))


@pytest.mark.parametrize('coding', [Coding('libx264', 23, 12), Coding('mpeg4', 0.5, 12)])
def test_coding_keeps_pictures_of_odd_size_about_the_same(coding):
    frames = smooth()[:, :39, :49]
    coded = coding.apply(frames)
    assert coded.shape == frames.shape
    assert np.abs(coded.astype(int) - frames).mean() < 8
    assert (coded != frames).any()


def test_interlaced_frames_take_odd_lines_from_the_second_exposure():
    footage = Footage(interlaced=True)
    exposures = np.stack([np.zeros((6, 4, 3), np.float32), np.ones((6, 4, 3), np.float32)])
    assert footage.exposures_per_frame == 2
    np.testing.assert_array_equal(footage.sense(exposures)[:, 0, 0], [0, 1, 0, 1, 0, 1])


def test_a_coarser_sensor_loses_detail():
    checkers = (np.indices((40, 40)).sum(axis=0) % 2 * 255).astype(np.float32)
    picture = np.repeat(checkers[None, ..., None], 3, axis=3)
    assert Footage(reduction=0.5).sense(picture).std() < 0.3 * picture.std()
    np.testing.assert_array_equal(Footage().sense(picture), picture[0])


def test_bursts_let_people_stop_and_hurry():
    """The slowest moment is slower, the fastest faster than at a steady tempo, over 12 people."""
    times = np.linspace(0, 2, 201)

    def extremes(seed: int, bursts: float) -> tuple[float, float]:
        movement = sample_movement(np.random.default_rng(seed), times, 2.0, bursts)
        speed = np.abs(np.diff(movement.angles, axis=0)).sum(axis=1)
        return float(speed.min() / speed.mean()), float(speed.max() / speed.mean())

    steady = np.mean([extremes(seed, 0.0) for seed in range(12)], axis=0)
    bursts = np.mean([extremes(seed, 1.0) for seed in range(12)], axis=0)
    assert bursts[0] < 0.6 * steady[0]
    assert bursts[1] > 1.2 * steady[1]


@pytest.mark.parametrize('footage', ['plain', 'wild'])
def test_settings_of_plain_clips_say_nothing_of_footage(tmp_path, footage):
    """Folders of before there was a choice can be completed."""
    write_dataset(tmp_path / 'data', 1, 0, settings=replace(WILD, footage=footage))
    settings = json.loads((tmp_path / 'data/synthetic_settings.json').read_text())
    assert settings.get('footage') == {'plain': None, 'wild': 'wild'}[footage]
