"""Simulated point trackers."""

from __future__ import annotations

import numpy as np

from research.tools.simulate_trackers import errors_between, main
from research.training.simulated_trackers import TRACKERS, SimulatedTracker, simulate_tracks
from stdpose_mm.io.labels import write_labels
from stdpose_mm.pose_networks.track_results import TrackResults
from support.track_files import FRAMES, NUM_FRAMES, labels_on, perfect_tracks, queries_on

LABELS = labels_on(*range(NUM_FRAMES), people=2)


def simulate(tracker: SimulatedTracker, seed: int = 0) -> dict[str, np.ndarray]:
    return simulate_tracks(LABELS, FRAMES, tracker, np.random.default_rng(seed))


def test_a_perfect_tracker_follows_every_label_in_both_directions():
    arrays = simulate(SimulatedTracker())
    truth = perfect_tracks(queries_on(*range(NUM_FRAMES), people=2))
    # Places have errors of 0.004 of a pose of 75 pixels.
    assert np.abs(arrays['tracks'] - truth).max() < 2
    assert arrays['visibility'].mean() > 0.85


def test_tracks_begin_at_their_queries():
    for tracker in TRACKERS.values():
        arrays = simulate(tracker)
        time = arrays['queries'][:, 0].astype(int)
        at = arrays['tracks'][time, np.arange(len(time))]
        np.testing.assert_allclose(at, arrays['queries'][:, 1:], atol=1e-4)
        assert np.isfinite(arrays['tracks']).all()


def test_drift_grows_with_the_distance_from_the_label():
    arrays = simulate(SimulatedTracker(drift=0.02))
    truth = perfect_tracks(queries_on(*range(NUM_FRAMES), people=2))
    off = np.linalg.norm(arrays['tracks'] - truth, axis=-1)
    far = np.abs(np.arange(NUM_FRAMES)[:, None] - arrays['queries'][:, 0])
    assert off[far == 1].mean() < off[far == 4].mean() < off[far == 8].mean()


def test_confidence_is_how_much_a_tracker_says_it_sees():
    found = [
        simulate(SimulatedTracker(drift=0.03, confidence=value))['visibility'].mean()
        for value in (0.25, 1.0, 4.0)
    ]
    assert found == sorted(found)


def test_the_blend_of_both_tracks_is_measured_between_given_labels():
    arrays = simulate(SimulatedTracker())
    arrays['tracks'] = perfect_tracks(queries_on(*range(NUM_FRAMES), people=2))
    # All tracks from frame 4 are 7.5 pixels, a tenth of the pose, off.
    arrays['tracks'][:, arrays['queries'][:, 0] == 4] += [7.5, 0]
    errors = list(errors_between(LABELS, arrays, 4))
    by_frame = [np.concatenate(errors[2 * n : 2 * n + 2]) for n in range(NUM_FRAMES)]
    sizes = [0, 0.025, 0.05, 0.075, 0, 0.075, 0.05, 0.025, 0]
    for frame, (found, expected) in enumerate(zip(by_frame, sizes, strict=True)):
        assert len(found) == (6 if frame % 4 else 0)
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_tool_writes_what_auto_reads(tmp_path, capsys):
    (tmp_path / 'labels').mkdir()
    write_labels(LABELS, tmp_path / 'labels' / 'clip.json', 'posetrack18')
    out = tmp_path / 'out'
    assert main([str(tmp_path / 'labels'), '--out', str(out), '--interval', '4']) == 0
    assert sorted(path.name for path in out.iterdir()) == sorted(TRACKERS)
    assert '| perfect | 100.0 / 100.0 |' in capsys.readouterr().out
    assert TrackResults(out / 'fair').files_of('clip')['tracks'] == out / 'fair' / 'clip.npz'
