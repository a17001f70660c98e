"""Tracks of a point tracker as evidence of auto."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stdpose_mm.io.video import ArrayFrames
from stdpose_mm.labelling.evidence.point_tracks import TrackQueries
from stdpose_mm.labelling.evidence.track_results import TrackResults
from stdpose_mm.labelling.propagation.auto.auto_propagator import AutoPropagator
from stdpose_mm.labelling.propagation.video_propagation import propagate_labels
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels
from support.peak_network import PeakNetwork
from support.track_files import write_tracks

SKELETON = Skeleton(('nose', 'left_wrist', 'right_wrist', 'left_ankle', 'right_ankle'))
POSE = np.array([[80, 30], [60, 60], [100, 60], [70, 100], [90, 100]], float)
NUM_FRAMES = 11
LARGER_SIDE = 70
# Nothing moves in them: only tracks can know that the person does.
FRAMES = ArrayFrames([np.full((140, 160, 3), 90, np.uint8)] * NUM_FRAMES, 'clip')


def labels_of(truth: np.ndarray, *frames: int) -> VideoLabels:
    persons = [PersonLabel(n, truth[n], np.full(5, 2), track_id=0) for n in frames]
    return VideoLabels('clip', SKELETON, tuple(map(VideoFrame, range(NUM_FRAMES))), tuple(persons))


def tracks_of(queries: TrackQueries, truth: np.ndarray) -> np.ndarray:
    return truth[:, queries.joint].copy()


def propagate(labels: VideoLabels, *networks: TrackResults) -> np.ndarray:
    dense = propagate_labels(FRAMES, labels, AutoPropagator(pose_networks=networks))
    return np.stack([person.keypoints for person in dense.persons])


def error(found: np.ndarray, truth: np.ndarray) -> float:
    """Mean error, in shares of the pose, of the frames without a label."""
    return float(np.linalg.norm(found - truth, axis=-1)[1:-1].mean() / LARGER_SIDE)


def moving(reach: float, angle: float) -> np.ndarray:
    """Move all joints out and back: [11, 5, 2]."""
    out = reach * np.sin(np.linspace(0, np.pi, NUM_FRAMES))
    return POSE + out[:, None, None] * [np.cos(angle), np.sin(angle)]


@settings(max_examples=5)
@given(reach=st.floats(5, 12), angle=st.floats(0, 2 * np.pi), step=st.floats(0, 0.15))
def test_joints_are_where_good_tracks_are(tmp_path_factory, reach, angle, step):
    """Also if they drift by up to 2 % of the pose on their way to the other label."""
    truth = moving(reach, angle)
    labels = labels_of(truth, 0, 10)
    queries = TrackQueries.from_labels(labels, FRAMES)
    tracks = tracks_of(queries, truth)
    far = np.abs(np.arange(NUM_FRAMES)[:, None] - queries.queries[:, 0])
    tracks[..., 0] += step * far
    path = write_tracks(tmp_path_factory.mktemp('tracks') / 'clip.npz', queries, tracks=tracks)
    results = TrackResults(path)
    alone, beside = error(propagate(labels), truth), error(propagate(labels, results), truth)
    # A straight line is wrong by 2 / pi of the reach in the mean.
    assert alone > 0.5 * reach / LARGER_SIDE
    worst = step * 9 / 2 / LARGER_SIDE
    assert beside < 0.03 + worst
    assert beside < 0.7 * alone


@pytest.mark.parametrize('seed', range(2))
@pytest.mark.parametrize('kind', ['anywhere', 'another joint', 'stays'])
def test_tracks_that_miss_the_labels_change_next_to_nothing(tmp_path, kind, seed):
    rng = np.random.default_rng(seed)
    truth = moving(8, seed) + np.linspace(0, 25, NUM_FRAMES)[:, None, None] * [1, 0]
    labels = labels_of(truth, 0, 10)
    queries = TrackQueries.from_labels(labels, FRAMES)
    tracks = tracks_of(queries, truth)
    other = {
        'anywhere': rng.uniform(0, 140, tracks.shape),
        'another joint': truth[:, (queries.joint + 1) % 5],
        'stays': np.broadcast_to(queries.queries[:, 1:], tracks.shape),
    }[kind]
    own = np.arange(NUM_FRAMES)[:, None] == queries.queries[:, 0]
    tracks = np.where(own[..., None], tracks, other)
    path = write_tracks(tmp_path / 'clip.npz', queries, tracks=tracks)
    moved = np.abs(propagate(labels, TrackResults(path)) - propagate(labels)).max()
    assert moved < 0.02 * LARGER_SIDE


def test_tracks_beyond_the_last_label_are_followed_as_far_as_they_kept_to_the_labels(tmp_path):
    truth = POSE + 12 * np.sin(np.linspace(0, np.pi, NUM_FRAMES))[:, None, None] * [0, 1]
    labels = labels_of(truth, 0, 4)
    queries = TrackQueries.from_labels(labels, FRAMES)
    tracks = tracks_of(queries, truth)
    good = write_tracks(tmp_path / 'good.npz', queries, tracks=tracks)
    tracks[5:] += [6, 0]
    drifted = np.where(queries.queries[:, 0] == 0, 1, -1)[:, None] * [9.0, 0]
    own = np.arange(NUM_FRAMES)[:, None] == queries.queries[:, 0]
    bad = write_tracks(
        tmp_path / 'bad.npz', queries, tracks=np.where(own[..., None], tracks, tracks + drifted)
    )
    alone = propagate(labels)
    after = slice(5, NUM_FRAMES)
    assert error(propagate(labels, TrackResults(good)), truth) < 0.7 * error(alone, truth)
    assert np.abs(propagate(labels, TrackResults(bad)) - alone)[after].max() < 0.02 * LARGER_SIDE


def test_tracks_are_used_where_somebody_covers_the_person(tmp_path):
    truth = moving(10, 0.0)
    labels = labels_of(truth, 0, 10)
    queries = TrackQueries.from_labels(labels, FRAMES)
    path = write_tracks(tmp_path / 'clip.npz', queries, tracks=tracks_of(queries, truth))
    cover = [PersonLabel(n, POSE * 1.1 - 8, np.full(5, 2), track_id=1) for n in (0, 10)]
    both = labels.with_persons([*labels.persons, *cover])
    propagator = AutoPropagator(pose_networks=[TrackResults(path), PeakNetwork()])
    dense = propagate_labels(FRAMES, both, propagator)
    own = np.stack([person.keypoints for person in dense.persons if person.track_id == 0])
    assert error(own, truth) < 0.03
    assert [line.partition(' gaps')[0] for line in propagator.describe_use()] == [
        'clip.npz: used in 1 of 2',
        'peaks: used in 0 of 2',
    ]
