"""Queries for a point tracker, and its tracks, through the commands."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest

from stdpose_mm.cli import propagate, queries
from stdpose_mm.labelling.evidence.point_tracks import TrackQueries
from support.refusals import refusal

pytestmark = pytest.mark.slow


@pytest.fixture
def run(run_main):
    return partial(run_main, propagate.main)


@pytest.fixture
def asked(run_main, movie, label_file, tmp_path):
    """The file of the queries of the labels."""
    out = tmp_path / 'queries.npz'
    code, printed, said = run_main(queries.main, movie, label_file, '--out', out)
    assert (code, said) == (0, [])
    # Two people, three joints, three labels.
    assert printed == f'{out}: 18 labelled joints to be tracked\n'
    return out


@pytest.fixture
def tracks(asked):
    """Tracks that are 2 pixels right of straight lines, between the labels."""
    found = TrackQueries.read(asked)
    points = np.zeros((9, 18, 2))
    for person, joint in {*zip(found.person.tolist(), found.joint.tolist(), strict=True)}:
        own = np.flatnonzero((found.person == person) & (found.joint == joint))
        time, x, y = found.queries[own].T
        place = np.stack([np.interp(range(9), time, along) for along in (x, y)], axis=-1)
        place[:, 0] += 2.0 * (np.arange(9) % 4 > 0)
        points[:, own] = place[:, None]
    path = asked.with_name('tracks.npz')
    np.savez(path, **vars(found), tracks=points[None])
    return path


def poses(path):
    return [a['keypoints'] for a in json.loads(path.read_text())['annotations']]


def test_tracks_become_evidence(run, movie, label_file, tmp_path, tracks):
    plain, out = tmp_path / 'plain.json', tmp_path / 'dense.json'
    assert run(movie, label_file, '--out', plain)[0] == 0
    code, printed, said = run(movie, label_file, '--out', out, '--track-results', tracks)
    assert (code, said) == (0, [])
    assert 'heatmaps of tracks.npz for 3 of 3 joints' in printed
    assert 'tracks.npz: used in 4 of 4 gaps\n' in printed
    assert poses(plain) != poses(out)


def test_queries_may_be_in_a_file_of_their_own(run, movie, label_file, tmp_path, asked, tracks):
    with np.load(tracks) as file:
        np.save(tmp_path / 'only.npy', file['tracks'])
    one, other = tmp_path / 'one.json', tmp_path / 'other.json'
    assert run(movie, label_file, '--out', one, '--track-results', tracks)[0] == 0
    pair = f'{tmp_path}/only.npy={asked}'
    assert run(movie, label_file, '--out', other, '--track-results', pair)[0] == 0
    assert poses(one) == poses(other)
    line = refusal(
        run, *(movie, label_file, '--out', one, '--track-results', tmp_path / 'only.npy')
    )
    assert 'only.npy does not hold the arrays that `stdpose queries` writes' in line


def test_changed_tracks_are_not_taken_from_the_cache(
    run, movie, label_file, tmp_path, tracks, monkeypatch
):
    monkeypatch.setenv('STDPOSE_CACHE', str(tmp_path / 'cache'))
    with np.load(tracks) as file:
        arrays = dict(file)
    found = []
    for step in (0.0, -3.0, 0.0):
        moved = arrays['tracks'] + [step, 0] * (np.arange(9) % 4 > 0)[None, :, None, None]
        np.savez(tracks, **{**arrays, 'tracks': moved})
        out = tmp_path / 'out.json'
        assert run(movie, label_file, '--out', out, '--track-results', tracks)[0] == 0
        found.append(poses(out))
    assert found[0] != found[1]
    assert found[0] == found[2]


def test_labels_without_joints_have_no_queries(run_main, movie, label_file, label_fields, tmp_path):
    for annotation in label_fields['annotations']:
        annotation['keypoints'] = [0] * 9
    label_file.write_text(json.dumps(label_fields))
    out = tmp_path / 'queries.npz'
    code, _, lines = run_main(queries.main, movie, label_file, '--out', out)
    assert code == 2
    assert 'no joint is labelled' in lines[-1]
    assert not out.exists()
