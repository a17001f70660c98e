"""Queries of point trackers, and the arrays that these return."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stdpose_mm.errors import InputError, InputWarning
from stdpose_mm.labelling.evidence.point_tracks import PointTracks, TrackQueries
from support.track_files import (
    FRAMES,
    NUM_FRAMES,
    SIZE,
    labels_on,
    perfect_tracks,
    place,
    queries_on,
    write_tracks,
)

QUERIES = queries_on(0, 4, 8, people=2)
TRACKS = perfect_tracks(QUERIES)
COUNT = 18
ELSEWHERE = np.random.default_rng(0).uniform(0, SIZE, TRACKS.shape)
VISIBLE = np.linspace(0, 1, NUM_FRAMES * COUNT).reshape(NUM_FRAMES, COUNT)


def read(folder: Path, queries: TrackQueries = QUERIES, **arrays) -> PointTracks:
    """Write tracks beside their queries, and read them."""
    path = write_tracks(folder / 'a.npz', queries, **arrays)
    return PointTracks.read(path, path)


def read_beside(folder: Path, name: str, queries: TrackQueries = QUERIES) -> PointTracks:
    """Read tracks whose queries are in another file."""
    queries.write(folder / 'queries.npz')
    return PointTracks.read(folder / name, folder / 'queries.npz')


def logit(share: np.ndarray) -> np.ndarray:
    return np.log(share / (1 - share))


def test_every_joint_of_every_label_is_a_query():
    assert QUERIES.queries.shape == (COUNT, 3)
    assert QUERIES.queries.dtype == np.float32
    # Frame 4, the second person, its last joint: 40 + 4 * 2 + 70, 95 + 4 + 5.
    (row,) = np.flatnonzero(
        (QUERIES.queries[:, 0] == 4) & (QUERIES.person == 1) & (QUERIES.joint == 2)
    )
    assert QUERIES.queries[row].tolist() == [4, 118, 104]
    assert QUERIES.joint_names.tolist() == ['nose', 'left_ankle', 'right_ankle']
    assert (int(QUERIES.frames), QUERIES.size.tolist()) == (NUM_FRAMES, [*SIZE])


def test_a_joint_without_a_label_is_no_query():
    (person,) = labels_on(0).persons
    labels = labels_on(0).with_persons([replace(person, visibility=np.array([2, 0, 1]))])
    found = TrackQueries.from_labels(labels, FRAMES)
    assert found.joint.tolist() == [0, 2]


def test_queries_come_back_as_they_were_written(tmp_path):
    QUERIES.write(tmp_path / 'queries.npz')
    found = TrackQueries.read(tmp_path / 'queries.npz')
    for name, values in vars(QUERIES).items():
        np.testing.assert_array_equal(getattr(found, name), values)
    assert [path.name for path in tmp_path.iterdir()] == ['queries.npz']


@pytest.mark.parametrize('batch', [False, True], ids=['', 'batch'])
@pytest.mark.parametrize('names', [('tracks', 'visibility'), ('pred_tracks', 'pred_visibility')])
def test_arrays_of_cotracker(tmp_path, recwarn, batch, names):
    # In one form visibility is a probability, in the other yes or no.
    visible = VISIBLE if names[0] == 'tracks' else VISIBLE > 0.5
    arrays = (TRACKS[None], visible[None]) if batch else (TRACKS, visible)
    found = read(tmp_path, **dict(zip(names, arrays, strict=True)))
    np.testing.assert_array_equal(found.points, TRACKS)
    np.testing.assert_array_equal(found.visible, visible)
    assert not recwarn.list


@pytest.mark.parametrize('batch', [False, True], ids=['', 'batch'])
def test_arrays_of_tapir(tmp_path, recwarn, batch):
    hidden, far = np.full((COUNT, NUM_FRAMES), 0.25), np.full((COUNT, NUM_FRAMES), 0.5)
    hidden[3, 5] = 0.8
    arrays = {'tracks': TRACKS.swapaxes(0, 1), 'occlusion': logit(hidden)}
    arrays['expected_dist'] = logit(far)
    found = read(tmp_path, **{name: each[None] if batch else each for name, each in arrays.items()})
    np.testing.assert_array_equal(found.points, TRACKS)
    # (1 - 0.25) * (1 - 0.5), and (1 - 0.8) * (1 - 0.5).
    assert found.visible[0, 0] == pytest.approx(0.375)
    assert found.visible[5, 3] == pytest.approx(0.1)
    assert not recwarn.list


def test_arrays_without_visibility_are_seen_everywhere(tmp_path):
    np.save(tmp_path / 'tracks.npy', TRACKS[None])
    found = read_beside(tmp_path, 'tracks.npy')
    np.testing.assert_array_equal(found.points, TRACKS)
    assert found.visible.min() == 1


@pytest.mark.parametrize('form', ['tensor', 'pair', 'names'])
def test_tensors(tmp_path, form):
    torch = pytest.importorskip('torch')
    tracks, seen = torch.tensor(TRACKS[None]), torch.tensor(VISIBLE[None] > 0.5)
    names = {'pred_tracks': tracks, 'pred_visibility': seen}
    content = {'tensor': tracks, 'pair': (tracks, seen), 'names': names}[form]
    torch.save(content, tmp_path / 'tracks.pt')
    found = read_beside(tmp_path, 'tracks.pt')
    np.testing.assert_array_equal(found.points, TRACKS)
    expected = np.ones_like(VISIBLE) if form == 'tensor' else VISIBLE > 0.5
    np.testing.assert_array_equal(found.visible, expected)


class _Runs:
    def __reduce__(self):
        return print, ('run',)


def test_code_in_tensors_is_not_run(tmp_path, capsys):
    torch = pytest.importorskip('torch')
    torch.save(_Runs(), tmp_path / 'tracks.pt')
    with pytest.raises(InputError, match=r'^checkpoint .*print'):
        read_beside(tmp_path, 'tracks.pt')
    assert 'run' not in capsys.readouterr().out


# A video of 64 x 60 pixels: 160 / 64 and 120 / 60.
SMALL = TRACKS / (2.5, 2)
ALL = 'first two axes exchanged, with x and y exchanged, multiplied by'


@pytest.mark.parametrize(
    ('tracks', 'note'),
    [
        (TRACKS.swapaxes(0, 1), 'first two axes exchanged'),
        (TRACKS[..., ::-1], 'x and y exchanged'),
        (SMALL, r'multiplied by 2\.5 and 2'),
        (SMALL.swapaxes(0, 1)[..., ::-1], rf'{ALL} 2\.5 and 2,'),
    ],
)
def test_other_axes_and_scales_are_found_by_the_queries(tmp_path, tracks, note):
    with pytest.warns(InputWarning, match=note):
        found = read(tmp_path, tracks=tracks, visibility=VISIBLE)
    np.testing.assert_allclose(found.points, TRACKS, atol=1e-9)
    np.testing.assert_array_equal(found.visible, VISIBLE)


def test_as_many_queries_as_frames_are_told_apart_by_their_places(tmp_path):
    queries = queries_on(0, 4, 8)
    tracks, visible = perfect_tracks(queries), VISIBLE[:, :9]
    with pytest.warns(InputWarning, match='first two axes exchanged'):
        found = read(tmp_path, queries, tracks=tracks.swapaxes(0, 1), visibility=visible.T)
    np.testing.assert_array_equal(found.points, tracks)
    np.testing.assert_array_equal(found.visible, visible)


@given(
    seed=st.integers(0, 2**32 - 1),
    scale=st.tuples(st.floats(1.2, 8), st.floats(1.2, 8)),
    turned=st.booleans(),
    flipped=st.booleans(),
)
def test_any_scale_and_order_is_undone(tmp_path_factory, seed, scale, turned, flipped):
    """Also if a tracker is a little off at its own queries."""
    tracks = TRACKS + np.random.default_rng(seed).uniform(-0.5, 0.5, TRACKS.shape)
    given = tracks / scale
    given = given[..., ::-1] if flipped else given
    given = given.swapaxes(0, 1) if turned else given
    with pytest.warns(InputWarning):
        found = read(tmp_path_factory.mktemp('tracks'), tracks=given)
    assert np.abs(found.points - TRACKS).max() < 1.5


def test_a_tenth_of_the_tracks_may_be_elsewhere(tmp_path):
    tracks = TRACKS.copy()
    tracks[:, 0] += 50
    np.testing.assert_array_equal(read(tmp_path, tracks=tracks).points, tracks)
    tracks[:, :3] += 50
    with pytest.raises(InputError, match='pixels off'):
        read(tmp_path, tracks=tracks)


def test_a_single_query_does_not_tell_how_tracks_are_scaled(tmp_path):
    (person,) = labels_on(4).persons
    labels = labels_on(4).with_persons([replace(person, visibility=np.array([2, 0, 0]))])
    queries = TrackQueries.from_labels(labels, FRAMES)
    tracks = perfect_tracks(queries)
    np.testing.assert_array_equal(read(tmp_path, queries, tracks=tracks).points, tracks)
    with pytest.raises(InputError, match='fit their queries in several ways'):
        read(tmp_path, queries, tracks=tracks / 2)


@pytest.mark.parametrize(
    ('arrays', 'sentence'),
    [
        ({}, r'array \[9 frames, 18 queries, 2\], got none'),
        ({'tracks': TRACKS[:, :17]}, r'got an array \[9, 17, 2\]'),
        ({'tracks': TRACKS[:8]}, r'got an array \[8, 18, 2\]'),
        ({'tracks': np.stack([TRACKS, TRACKS])}, r'got an array \[2, 9, 18, 2\]'),
        ({'tracks': TRACKS, 'visibility': VISIBLE[:8]}, r'visibility in .* is an array \[8, 18\]'),
        ({'tracks': ELSEWHERE}, r'pixels off, expected \[frames, queries'),
    ],
)
def test_tracks_of_another_form_or_video_are_refused(tmp_path, arrays, sentence):
    with pytest.raises(InputError, match=sentence) as raised:
        read(tmp_path, **arrays)
    assert '\n' not in str(raised.value)


@pytest.mark.parametrize(
    ('name', 'values'),
    [
        ('queries', QUERIES.queries[:, :2]),
        ('queries', QUERIES.queries + np.array([9, 0, 0])),
        ('joint', QUERIES.joint + 1),
        ('joint', QUERIES.joint[:5]),
        ('size', np.array(3)),
        ('queries', None),
    ],
)
def test_damaged_and_missing_queries_are_refused(tmp_path, name, values):
    arrays = {**vars(QUERIES), 'tracks': TRACKS, name: values}
    np.savez(tmp_path / 'a.npz', **{key: each for key, each in arrays.items() if each is not None})
    with pytest.raises(InputError, match='does not hold the arrays that `stdpose queries` writes'):
        TrackQueries.read(tmp_path / 'a.npz')


def test_a_header_that_claims_more_than_any_memory_is_damaged(tmp_path):
    path = tmp_path / 'a.npy'
    with path.open('wb') as file:
        claimed = {'descr': '<f8', 'fortran_order': False, 'shape': (2 * 10**6, 10**6)}
        np.lib.format.write_array_header_1_0(file, claimed)
    with pytest.raises(InputError, match=r'a\.npy cannot be read as arrays of tracks'):
        TrackQueries.read(path)


@pytest.mark.parametrize('content', [None, b'', b'no array', b'PK\x03\x04 torn'])
def test_what_is_no_file_of_arrays_is_refused(tmp_path, content):
    path = tmp_path / 'a.npz'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r'a\.npz cannot be read as arrays of tracks'):
        TrackQueries.read(path)


def write_table(path: Path, jump: float = 0) -> None:
    """Write napari-cotrack's table of tracks that jump to the right in frames 1 to 4."""
    with path.open('w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['frame', 'bodypart', 'x', 'y', 'vis'])
        for frame in range(NUM_FRAMES):
            for name, (x, y) in zip(QUERIES.joint_names, place(frame), strict=True):
                writer.writerow([frame, name, x + jump * (0 < frame <= 4), y, 0.75])


def test_a_table_of_napari_cotrack(tmp_path):
    queries = queries_on(0, 4, 8)
    write_table(tmp_path / 'tracks.csv')
    found = read_beside(tmp_path, 'tracks.csv', queries)
    tracks = perfect_tracks(queries)
    # Those of frame 0 end at frame 4, and those of frame 8 begin there.
    assert np.isnan(found.points[5:, :3]).all()
    assert np.isnan(found.points[:4, 6:]).all()
    known = np.isfinite(found.points)
    np.testing.assert_allclose(found.points[known], tracks[known])
    assert (found.visible == 0.75).all()


def test_what_tracks_of_a_table_are_apart_by_is_what_they_miss_the_other_label_by(tmp_path):
    # The first tracks jump by 6 pixels at once; those of frame 8 are right.
    write_table(tmp_path / 'tracks.csv', jump=6)
    found = read_beside(tmp_path, 'tracks.csv', queries_on(0, 8))
    np.testing.assert_allclose(found.points[8, :3], place(8) + np.array([6, 0]))
    np.testing.assert_allclose(found.points[0, 3:], place(0) - [6, 0])
    np.testing.assert_allclose(found.points[6, 3:], place(6))


def test_a_table_of_two_people_is_refused(tmp_path):
    write_table(tmp_path / 'tracks.csv')
    with pytest.raises(InputError, match='does not say whose joints it holds'):
        read_beside(tmp_path, 'tracks.csv')


@pytest.mark.parametrize(
    'text',
    [
        'frame,x,y,vis\n0,1,2,1\n',
        'frame,bodypart,x,y,vis\n9,nose,1,2,1\n',
        'frame,bodypart,x,y,vis\n0,nose,wide,2,1\n',
        'frame,bodypart,x,y,vis\ninf,nose,1,2,1\n',
    ],
)
def test_other_tables_are_refused(tmp_path, text):
    (tmp_path / 'tracks.csv').write_text(text)
    with pytest.raises(InputError, match='expected the columns frame, bodypart, x, y and vis'):
        read_beside(tmp_path, 'tracks.csv', queries_on(0, 8))


def test_a_moved_label_has_no_track():
    tracks = PointTracks(QUERIES, TRACKS, VISIBLE)
    places = place(4, person=1)
    own = np.flatnonzero((QUERIES.queries[:, 0] == 4) & (QUERIES.person == 1))
    assert tracks.starting_at(4, places).tolist() == own.tolist()
    places[1] += 3
    places[2] = np.nan
    assert tracks.starting_at(4, places).tolist() == [own[0], -1, -1]
    assert tracks.starting_at(5, place(5)).tolist() == [-1, -1, -1]
