"""Simulated point trackers, from excellent to useless ones, on densely labelled videos."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from stdpose_mm.io.video import FrameSource
from stdpose_mm.pose_networks.point_tracks import TrackQueries
from stdpose_mm.structures import VideoLabels

_JITTER = 0.004
"""Standard deviation, in pose sizes, of the error of every position."""

_AWAY = 0.1
"""Standard deviation, in pose sizes, of the jump of a lost track, which then stays where it is."""


@dataclass(frozen=True)
class SimulatedTracker:
    """Errors of a simulated point tracker.

    Args:
        drift: Standard deviation of the drift per frame in pose sizes; more where the joint moves
            fast, less where it stands still.
        jumps: Probability per frame that a track jumps to another joint for good.
        losses: Probability per frame that a track is lost.
        finds: Probability per frame that a lost track is found again.
        confidence: With 1, visibility tells whether the track is within a twentieth of the pose's
            size of the truth; larger values make visibility higher, smaller ones lower.
        is_random: Whether positions have nothing to do with the video.
    """

    drift: float = 0.0
    jumps: float = 0.0
    losses: float = 0.0
    finds: float = 0.2
    confidence: float = 1.0
    is_random: bool = False


_FAIR = SimulatedTracker(drift=0.012, jumps=0.003, losses=0.015)

TRACKERS = {
    'perfect': SimulatedTracker(),
    'good': SimulatedTracker(drift=0.006, jumps=0.001, losses=0.005),
    'fair': _FAIR,
    'fair-overconfident': replace(_FAIR, confidence=4.0),
    'fair-underconfident': replace(_FAIR, confidence=0.25),
    'poor': SimulatedTracker(drift=0.025, jumps=0.01, losses=0.04),
    'bad': SimulatedTracker(drift=0.05, jumps=0.05, losses=0.1, finds=0.05, confidence=4.0),
    'random': SimulatedTracker(is_random=True, confidence=4.0),
}


def simulate_tracks(
    labels: VideoLabels, frames: FrameSource, tracker: SimulatedTracker, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Track every label of a video.

    Args:
        labels: Dense labels of people with track ids.
        frames: The video.
        tracker: The tracker.
        rng: Draws the errors.

    Returns:
        The arrays of :class:`TrackQueries`, and ``tracks`` [T, N, 2] and ``visibility`` [T, N].
    """
    queries = TrackQueries.from_labels(labels, frames)
    count = len(queries.queries)
    truth = np.full((len(frames), count, 2), np.nan)
    other, size = truth.copy(), np.ones(count)
    for track_id, track in labels.tracks().items():
        own = np.flatnonzero(queries.person == track_id)
        joint = queries.joint[own]
        to = (joint + rng.integers(1, labels.skeleton.num_keypoints, len(own))) % (
            labels.skeleton.num_keypoints
        )
        for frame, label in track.items():
            places = np.where(label.labelled[:, None], label.keypoints, np.nan)
            truth[frame, own], other[frame, own] = places[joint], places[to]
        extents = [np.ptp(each.keypoints[each.labelled], axis=0).max() for each in track.values()]
        size[own] = np.mean(extents)
    places, visible = truth.copy(), np.ones((len(frames), count))
    start = queries.queries[:, 0].astype(int)
    speed = np.ones(count)
    usual = np.nanmean(np.linalg.norm(np.diff(truth, axis=0), axis=-1))
    for step in (1, -1):
        offset, jumped, lost = np.zeros((count, 2)), np.zeros(count, bool), np.zeros(count, bool)
        stays = truth[start, np.arange(count)]
        for ahead in range(1, len(frames)):
            at = start + step * ahead
            now = np.flatnonzero((at >= 0) & (at < len(frames)))
            where = at[now], now
            speed[now] = np.linalg.norm(truth[where] - truth[at[now] - step, now], axis=1)
            hard = 0.3 + 0.7 * np.nan_to_num(speed / usual, nan=1.0)
            offset += rng.normal(0, 1, offset.shape) * (tracker.drift * size * hard)[:, None]
            jumped |= rng.uniform(size=count) < tracker.jumps * hard
            new = (rng.uniform(size=count) < tracker.losses * hard) & ~lost
            away = rng.normal(0, _AWAY, stays.shape) * size[:, None]
            stays += np.where(new[:, None], away, 0)
            lost = (lost | new) & (rng.uniform(size=count) >= tracker.finds)
            place = np.where(jumped[now, None], other[where], truth[where]) + offset[now]
            place = np.where(lost[now, None], stays[now], place)
            stays[now] = np.where(np.isfinite(place), place, stays[now])
            if tracker.is_random:
                place = rng.uniform(0, frames.size, place.shape)
            place = np.where(np.isfinite(place), place, stays[now])
            places[where] = place + rng.normal(0, _JITTER, place.shape) * size[now, None]
            off = np.linalg.norm(place - truth[where], axis=1) / size[now]
            seen = 1 / (1 + np.square(np.nan_to_num(off, nan=1.0) / 0.05 / tracker.confidence))
            visible[where] = rng.beta(1 + 8 * seen, 1 + 8 * (1 - seen))
    return {**vars(queries), 'tracks': places, 'visibility': visible}
