"""The command ``review``, but for the page that it serves."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from stdpose_mm.cli import propagate, review
from stdpose_mm.io.labels import read_labels
from stdpose_mm.review_app.server import ListeningServer
from stdpose_mm.structures import VideoLabels
from support.pose_network_files import JOINTS, write_described_network

pytestmark = pytest.mark.slow


@pytest.fixture
def run(run_main):
    return partial(run_main, review.main)


@pytest.fixture
def label_fields(label_fields):
    label_fields['categories'][0]['keypoints'] = [*JOINTS]
    return label_fields


@pytest.fixture
def network(tmp_path):
    return write_described_network(tmp_path / 'dot.onnx')


def places(labels: VideoLabels) -> np.ndarray:
    people = sorted(labels.persons, key=lambda person: (person.frame_index, person.track_id))
    return np.stack([person.keypoints for person in people])


def test_shows_what_propagate_writes_with_the_same_network(
    run, run_main, movie, label_file, tmp_path, network, monkeypatch
):
    shown = []
    monkeypatch.setattr(
        ListeningServer, 'run', lambda self: shown.append(self._project[0].collect()[0])
    )
    plain, dense = tmp_path / 'plain.json', tmp_path / 'dense.json'
    assert run_main(propagate.main, movie, label_file, '--out', plain)[0] == 0
    with_network = ['--pose-onnx', network]
    assert run_main(propagate.main, movie, label_file, '--out', dense, *with_network)[0] == 0
    code, printed, said = run(movie, label_file, '--no-browser', *with_network)
    assert (code, said) == (0, [])
    assert printed.startswith('http://127.0.0.1:')

    assert places(read_labels(dense)) != pytest.approx(places(read_labels(plain)), abs=0.01)
    assert places(shown[0]) == pytest.approx(places(read_labels(dense)), abs=0.01)


@pytest.mark.parametrize(
    ('options', 'sentence'),
    [
        (['--method', 'flow'], "evidence for auto, which method 'flow' does not use, choose auto"),
        (['--batch-size', 0], '--batch-size must be at least 1, got 0'),
        (['--project', 'dot.onnx'], '--project dot.onnx is given as pose network dot.onnx too'),
    ],
)
def test_options_that_do_not_fit_are_refused(
    run, movie, label_file, tmp_path, network, monkeypatch, options, sentence
):
    monkeypatch.chdir(tmp_path)
    code, _, said = run(movie, label_file, '--no-browser', '--pose-onnx', network.name, *options)
    assert code == 2
    assert len(said) == 1
    assert sentence in said[0]
