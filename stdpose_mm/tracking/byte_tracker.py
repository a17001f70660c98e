"""ByteTrack (Zhang et al., ECCV 2022) in NumPy and SciPy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from stdpose_mm.structures import box_iou

MATCH_IOU = 0.1
"""Minimum IoU of a sure detection and the predicted box of its track. Boxes of one person several
frames apart overlap little: docs/guide/tracking_and_smoothing.md has the numbers."""

LOW_MATCH_IOU = 0.5
"""Minimum IoU of a detection with a low score, for which chance overlaps are more likely."""

# Standard deviations of the Kalman filter in shares of the box's height, as in DeepSORT and
# ByteTrack, and those of the aspect ratio, which has no unit.
_POSITION_STD, _VELOCITY_STD = 1 / 20, 1 / 160
_ASPECT_STD, _ASPECT_VELOCITY_STD, _MEASURED_ASPECT_STD = 1e-2, 1e-5, 1e-1


@dataclass
class _Track:
    """A person with the state of a Kalman filter of constant velocity.

    The four quantities of a box (centre x and y, aspect ratio w / h, height h) have independent
    noise, so that their covariance consists of four 2 x 2 matrices.

    Attributes:
        track_id: Identity.
        is_tentative: Whether the person was seen only once, after the first step.
        last_step: The step of the last detection.
        position: [4] the quantities.
        velocity: [4] their changes per step.
        covariance: [3, 4] variances of the position, covariances with the velocity, and variances
            of the velocity.
    """

    track_id: int
    is_tentative: bool
    last_step: int
    position: np.ndarray
    velocity: np.ndarray
    covariance: np.ndarray

    @property
    def box(self) -> np.ndarray:
        """The box [4] x, y, width, height."""
        size = np.array([self.position[2] * self.position[3], self.position[3]])
        return np.concatenate([self.position[:2] - size / 2, size])

    def predict(self, step: int) -> None:
        """Predict the box of a step from that of the step before."""
        if self.last_step != step - 1:
            # The height of somebody who is not seen stays: it would grow or shrink without limit.
            self.velocity[3] = 0
        height = self.position[3]
        noise = _variances(height, _POSITION_STD, _ASPECT_STD)
        velocity_noise = _variances(height, _VELOCITY_STD, _ASPECT_VELOCITY_STD)
        self.position = self.position + self.velocity
        first, cross, last = self.covariance
        self.covariance = np.stack(
            [first + 2 * cross + last + noise, cross + last, last + velocity_noise]
        )

    def correct(self, measured: np.ndarray, step: int) -> None:
        """Correct the state by the measured quantities [4] of a detection."""
        first, cross, _ = self.covariance
        noise = _variances(self.position[3], _POSITION_STD, _MEASURED_ASPECT_STD)
        total = first + noise
        innovation = measured - self.position
        self.position = self.position + first / total * innovation
        self.velocity = self.velocity + cross / total * innovation
        self.covariance = self.covariance - np.stack([first**2, first * cross, cross**2]) / total
        self.last_step = step
        self.is_tentative = False


class ByteTracker:
    """Tracker that computes what MMDetection's ``ByteTracker`` does, without PyTorch.

    Args:
        high_score_thr: Detections with higher scores start tracks; others only continue them.
        kept_steps: A track that is not detected for so many steps ends.
    """

    def __init__(self, high_score_thr: float, kept_steps: int) -> None:
        self._high_score_thr = high_score_thr
        self._kept_steps = kept_steps
        self.reset()

    def reset(self) -> None:
        """Start another video; track ids start at 0 again."""
        self.tracks: list[_Track] = []
        self._num_tracks = 0
        self._step = 0

    def track(self, boxes: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Match the detections of the next step.

        Args:
            boxes: [N, 4] x, y, width, height, of positive size.
            scores: [N] in 0..1.

        Returns:
            Positions [M] of the M <= N tracked detections, ascending, and their track ids [M].
        """
        confirmed = [track for track in self.tracks if not track.is_tentative]
        tentative = [track for track in self.tracks if track.is_tentative]
        for track in confirmed:
            track.predict(self._step)
        is_high = scores > self._high_score_thr
        measured = _measure(boxes)
        matches: dict[int, _Track] = {}

        def follow(tracks: list[_Track], candidates: np.ndarray, min_iou: float) -> None:
            unmatched = [position for position in candidates.tolist() if position not in matches]
            for row, column in _match(tracks, boxes[unmatched], min_iou):
                matches[unmatched[column]] = tracks[row]
                tracks[row].correct(measured[unmatched[column]], self._step)

        follow(confirmed, np.flatnonzero(is_high), MATCH_IOU)
        follow(tentative, np.flatnonzero(is_high), MATCH_IOU)
        # A doubtful box does not bring back somebody who was not seen in the step before.
        recent = [track for track in confirmed if track.last_step == self._step - 1]
        follow(recent, np.flatnonzero(~is_high & (scores > 0)), LOW_MATCH_IOU)
        for position in np.flatnonzero(is_high).tolist():
            if position not in matches:
                matches[position] = self._start_track(measured[position])
        self.tracks = [
            track
            for track in self.tracks
            if track.last_step == self._step
            or (not track.is_tentative and self._step - track.last_step < self._kept_steps)
        ]
        self._step += 1
        positions = sorted(matches)
        track_ids = [matches[position].track_id for position in positions]
        return np.array(positions, np.int64), np.array(track_ids, np.int64)

    def _start_track(self, measured: np.ndarray) -> _Track:
        height = measured[3]
        covariance = np.zeros((3, 4))
        covariance[0] = _variances(height, 2 * _POSITION_STD, _ASPECT_STD)
        covariance[2] = _variances(height, 10 * _VELOCITY_STD, _ASPECT_VELOCITY_STD)
        track = _Track(
            self._num_tracks, self._step > 0, self._step, measured, np.zeros(4), covariance
        )
        self._num_tracks += 1
        self.tracks.append(track)
        return track


def _variances(height: float, std: float, aspect_std: float) -> np.ndarray:
    """Compute the variances [4] of centre x and y, aspect ratio and height."""
    return np.array([std * height, std * height, aspect_std, std * height]) ** 2


def _measure(boxes: np.ndarray) -> np.ndarray:
    """Convert boxes [N, 4] to the quantities [N, 4] of the filter."""
    width, height = boxes[:, 2], boxes[:, 3]
    return np.column_stack([boxes[:, :2] + boxes[:, 2:] / 2, width / height, height])


def _match(tracks: list[_Track], boxes: np.ndarray, min_iou: float) -> Iterator[tuple[int, int]]:
    """Match tracks with boxes [N, 4]; yield the indices of each pair.

    The sum of ``iou - min_iou`` over the pairs is maximal: a pair below the limit, which may not be
    matched, takes the place of no other.
    """
    from scipy.optimize import linear_sum_assignment

    if not tracks or not len(boxes):
        return
    predicted = np.stack([track.box for track in tracks])
    gain = np.maximum(box_iou(predicted[:, None], boxes) - min_iou, 0)
    for row, column in zip(*linear_sum_assignment(gain, maximize=True), strict=True):
        if gain[row, column] > 0:
            yield row, column
