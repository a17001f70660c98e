"""Tracks of a point tracker as heatmaps."""

from __future__ import annotations

import os
import warnings

import numpy as np
import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.io.fingerprint import fingerprint
from stdpose_mm.io.video import ArrayFrames
from stdpose_mm.labelling.evidence import PoseNetworkFiles, load_pose_network
from stdpose_mm.labelling.evidence.pose_network import PersonFrames
from stdpose_mm.labelling.evidence.track_results import TrackResults
from support.heatmaps import highest_places
from support.track_files import (
    BOX,
    FRAMES,
    NUM_FRAMES,
    perfect_tracks,
    place,
    queries_on,
    write_tracks,
)

QUERIES = queries_on(0, 8)
TRACKS = perfect_tracks(QUERIES)
ENDS = {0: place(0), 8: place(8)}
NO_FLOW = {}
FORWARD, BACKWARD = slice(0, 3), slice(3, 6)
CELL = 1.5 * 100 / 64
"""Pixels."""


@pytest.fixture
def found(tmp_path):
    """Returns the heatmaps in all frames, by default of perfect tracks."""

    def find(tracks=TRACKS, labels=ENDS, flow=NO_FLOW, **arrays):
        path = write_tracks(tmp_path / 'clip.npz', QUERIES, tracks=tracks, **arrays)
        boxes = np.tile(BOX, (NUM_FRAMES, 1))
        every = range(NUM_FRAMES)
        return TrackResults(path).estimate_frames(PersonFrames(FRAMES, every, boxes, labels, flow))

    return find


def assert_at(found, row: int, points: np.ndarray) -> None:
    assert np.abs(highest_places(found, row) - points).max() <= CELL / 2 + 1e-6


def height_at(found, row: int, point: np.ndarray, joint: int = 0) -> float:
    affine = found.to_heatmap[row]
    column, line = np.rint(affine[:, :2] @ point + affine[:, 2]).astype(int)
    return float(found.heatmaps[row, joint, line, column])


def test_joints_are_peaks_at_their_tracks(found):
    maps = found()
    assert maps.known.all()
    for frame in range(NUM_FRAMES):
        assert_at(maps, frame, place(frame))


def test_a_label_shows_the_track_of_the_other_one(found):
    tracks = TRACKS.copy()
    tracks[1:, FORWARD] += [4, 0]
    maps = found(tracks)
    # The forward tracks miss the label at the end by 4 pixels, the backward ones are right.
    assert_at(maps, 8, place(8) + np.array([4, 0]))
    assert_at(maps, 0, place(0))


def test_a_track_that_drifts_is_trusted_near_its_own_label_only(found):
    tracks = TRACKS.copy()
    tracks[:, FORWARD] += np.arange(NUM_FRAMES)[:, None, None] * [0, 2]
    tracks[:8, BACKWARD] = np.nan
    maps = found(tracks)
    heights = [
        height_at(maps, frame, place(frame)[0] + [0, 2 * frame]) for frame in range(1, NUM_FRAMES)
    ]
    assert heights == sorted(heights, reverse=True)
    assert heights[0] > 3 * heights[-1]
    assert not maps.known[0].any()


def test_the_better_track_is_higher(found):
    tracks = TRACKS.copy()
    tracks[1:, FORWARD] += [6, 0]
    maps = found(tracks)
    assert height_at(maps, 4, place(4)[0]) > 1.5 * height_at(maps, 4, place(4)[0] + [6, 0])


def test_a_track_that_ends_elsewhere_is_no_evidence(found):
    tracks = TRACKS.copy()
    tracks[1:, FORWARD] = tracks[:8, BACKWARD] = 5
    maps = found(tracks)
    assert not maps.known[:, 1:].any()
    assert not maps.heatmaps[:, 1:].any()


def flow_from(tracks):
    """Optical flow that says what tracks say."""
    every = np.arange(NUM_FRAMES)
    return {0: (every, tracks[:, FORWARD].copy()), 8: (every, tracks[:, BACKWARD].copy())}


def test_a_track_that_repeats_optical_flow_says_little_new(found):
    alone = height_at(found(), 4, place(4)[0])
    flow = flow_from(TRACKS)
    lost = TRACKS.copy()
    lost[5] = np.nan
    for tracks in (TRACKS, lost):
        again = height_at(found(tracks, flow=flow), 4, place(4)[0])
        assert again == pytest.approx(0.13 * alone)
    # The larger side of the box is 100 pixels: flow that is 3 % of it away in one frame.
    for side in (FORWARD, BACKWARD):
        tracks = TRACKS.copy()
        tracks[6, side, 1] += 3
        halved = height_at(found(flow=flow_from(tracks)), 4, place(4)[0])
        assert halved == pytest.approx((0.13 + 0.87 / 2) * alone)


def test_a_joint_without_flow_keeps_its_track(found):
    flow = flow_from(TRACKS)
    for _, path in flow.values():
        path[:, 1] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        maps, before = found(flow=flow), found()
    np.testing.assert_array_equal(maps.heatmaps[:, 1], before.heatmaps[:, 1])
    assert maps.heatmaps[4, 0].max() < 0.2 * before.heatmaps[4, 0].max()


def test_a_hidden_track_is_lower(found):
    seen = height_at(found(), 4, place(4)[0])
    hidden = height_at(found(visibility=np.zeros((NUM_FRAMES, 6))), 4, place(4)[0])
    half = height_at(found(visibility=np.full((NUM_FRAMES, 6), 0.5)), 4, place(4)[0])
    assert 0 < hidden < half < seen


def test_places_that_are_no_numbers_say_nothing(found):
    tracks = TRACKS.copy()
    tracks[4, :, 0] = np.nan
    tracks[5, 0] = np.inf
    tracks[6, 1] = 1e300
    tracks[8, 2] = np.inf

    with warnings.catch_warnings():
        warnings.simplefilter('error')
        known = found(tracks).known
    assert known[:4].all()
    assert not known[4].any()
    assert known[5:8].all()
    # There is no saying how far the third joint's track from frame 0 has drifted.
    assert known[8].tolist() == [True, True, False]


def test_a_label_that_was_moved_has_no_track(found):
    maps = found(labels={0: place(0), 8: place(8) + np.array([9, 0])})
    # The track from frame 0 is left, and misses the label by 9 pixels.
    assert not maps.known[0].any()
    assert maps.known[1].all()


def test_a_joint_with_one_label_has_no_evidence(found):
    alone = place(8)
    alone[1] = np.nan
    assert found(labels={0: place(0), 8: alone}).known.all(axis=0).tolist() == [True, False, True]
    assert not found(labels={0: place(0)}).known.any()
    assert not found(labels={}).known.any()


def test_two_labels_on_one_side_show_how_far_tracks_go(tmp_path):
    queries = queries_on(0, 4)
    path = write_tracks(tmp_path / 'clip.npz', queries, tracks=perfect_tracks(queries))
    labels, boxes = {0: place(0), 4: place(4)}, np.tile(BOX, (5, 1))
    maps = TrackResults(path).estimate_frames(
        PersonFrames(FRAMES, range(4, 9), boxes, labels, NO_FLOW)
    )
    assert maps.known.all()
    assert_at(maps, 4, place(8))


@pytest.mark.parametrize(
    ('count', 'shape', 'sentence'),
    [(8, (120, 160, 3), 'but clip has 8 of'), (9, (60, 80, 3), r'has 9 of \(80, 60\)')],
)
def test_another_video_is_refused(tmp_path, count, shape, sentence):
    results = TrackResults(write_tracks(tmp_path / 'clip.npz', QUERIES, tracks=TRACKS))
    results.require_video(FRAMES)
    with pytest.raises(InputError, match=sentence):
        results.require_video(ArrayFrames([np.zeros(shape, np.uint8)] * count, 'clip'))


def test_a_folder_holds_a_file_for_each_video(tmp_path):
    for name, step in (('clip', 0.0), ('other', 1.0)):
        tracks = TRACKS.copy()
        tracks[1:8] += step
        write_tracks(tmp_path / f'{name}.npz', QUERIES, tracks=tracks)
    results = TrackResults(tmp_path)

    def maps_of(frames):
        return results.estimate_frames(PersonFrames(frames, [4], BOX[None], ENDS, NO_FLOW)).heatmaps

    first = maps_of(FRAMES)
    other = ArrayFrames([FRAMES[n] for n in range(NUM_FRAMES)], 'other')
    assert not np.array_equal(maps_of(other), first)
    np.testing.assert_array_equal(maps_of(FRAMES), first)
    before = {name: fingerprint(results.files_of(name)) for name in ('clip', 'other')}
    os.replace(tmp_path / 'other.npz', tmp_path / 'clip.npz')
    assert fingerprint(results.files_of('clip')) == before['other'] != before['clip']
    # What was read of the former file is not taken for the new one.
    assert not np.array_equal(maps_of(FRAMES), first)
    with pytest.raises(InputError, match='holds no file for other'):
        results.files_of('other')


def test_a_changed_file_has_another_fingerprint(tmp_path):
    found = []
    for step in (0.0, 1.0, 0.0):
        tracks = TRACKS.copy()
        tracks[4] += step
        np.savez(tmp_path / 'clip.npz', tracks=tracks)
        QUERIES.write(tmp_path / 'queries.npz')
        files = PoseNetworkFiles.parse(f'{tmp_path}/clip.npz={tmp_path}/queries.npz', 'tracks')
        found.append(fingerprint(load_pose_network(files), files.read_files('clip')))
    assert found[0] != found[1]
    assert found[0] == found[2]
