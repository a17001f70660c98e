"""Tracking of detected people with ByteTrack (Zhang et al., ECCV 2022), in NumPy and SciPy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from stdpose_mm.structures import NO_PEOPLE, FrameBoxes, box_iou, expand

HIGH_SCORE_THR = 0.4
"""Score above which a detection starts a track (the threshold of MMPose); detections below only
continue tracks. ByteTrack's own 0.6 is for larger detectors: small ones score most people lower."""

KEPT_FRAMES = 30
"""Number of frames for which a lost track is kept; ByteTrack's own value, a second of video."""

BUFFER, MAX_BUFFER = 0.05, 0.3
"""Share of their size by which boxes grow on each side before they are compared: per frame between
two detections, and at most. Otherwise boxes of one person several frames apart may not overlap
(buffered IoU, Yang et al., WACV 2023)."""

MATCH_IOU = 0.1
"""Minimum IoU of a sure detection and the predicted box of its track. Boxes of one person several
frames apart overlap little: research/docs/tracking.md has the numbers."""

LOW_MATCH_IOU = 0.5
"""Minimum IoU of a detection with a low score, for which chance overlaps are more likely."""

# Standard deviations of the Kalman filter in shares of the box's height, as in DeepSORT and
# ByteTrack, and those of the aspect ratio, which has no unit.
_POSITION_STD, _VELOCITY_STD = 1 / 20, 1 / 160
_ASPECT_STD, _ASPECT_VELOCITY_STD, _MEASURED_ASPECT_STD = 1e-2, 1e-5, 1e-1


class PersonTracker:
    """Tracker that assigns track ids to detections, frame by frame.

    ByteTrack (Zhang et al., ECCV 2022): a Kalman filter predicts the box of every track; detections
    with high scores are matched with the predicted boxes first, those with low scores with the
    remaining tracks. Detections with low scores that match no track are left out. The memory
    depends on the number of people, not on the length of the video.

    Args:
        detect_interval: The detector runs on every n-th frame; n is the time step of the filter.
        high_score_thr: See ``HIGH_SCORE_THR``.
        kept_frames: See ``KEPT_FRAMES``.
    """

    def __init__(
        self,
        detect_interval: int = 1,
        high_score_thr: float = HIGH_SCORE_THR,
        kept_frames: int = KEPT_FRAMES,
    ) -> None:
        self.detect_interval = detect_interval
        self._kept_steps = max(2, round(kept_frames / detect_interval))
        self._tracker = ByteTracker(high_score_thr, self._kept_steps)
        self.reset()

    def reset(self) -> None:
        """Start another video; track ids start at 0 again."""
        self._tracker.reset()
        self._last_frame: int | None = None

    def update(self, frame_index: int, detections: FrameBoxes) -> FrameBoxes:
        """Match the detections of the next frame on which the detector ran.

        Args:
            frame_index: Must increase from call to call. The motion is predicted through detector
                steps without a call.
            detections: The N detections of the frame. Boxes of zero size are left out.

        Returns:
            The M <= N detections that have a track id, unchanged and in the same order.
        """
        if self._last_frame is not None:
            steps = round((frame_index - self._last_frame) / self.detect_interval)
            for _ in range(min(steps - 1, self._kept_steps)):
                self._tracker.track(NO_PEOPLE.boxes, NO_PEOPLE.scores)
        self._last_frame = frame_index
        solid = detections.select((detections.boxes[:, 2:] > 0).all(axis=1))
        margin = min(BUFFER * (self.detect_interval - 1), MAX_BUFFER)
        positions, track_ids = self._tracker.track(expand(solid.boxes, margin), solid.scores)
        return FrameBoxes(solid.boxes[positions], solid.scores[positions], track_ids)


@dataclass
class _KalmanTrack:
    """A person with the state of a Kalman filter of constant velocity.

    The four quantities of a box (centre x and y, aspect ratio w / h, height h) have independent
    noise, so that their covariance consists of four 2 x 2 matrices.

    Attributes:
        track_id: Identity.
        last_step: The step of the last detection.
        is_tentative: Whether the person was seen only once, after the first step.
        position: [4] the quantities.
        velocity: [4] their changes per step.
        covariance: [3, 4] variances of the position, covariances with the velocity, and variances
            of the velocity.
    """

    track_id: int
    last_step: int
    is_tentative: bool
    position: np.ndarray

    def __post_init__(self) -> None:
        self.velocity = np.zeros(4)
        noise = self._variances(2 * _POSITION_STD, _ASPECT_STD)
        velocity_noise = self._variances(10 * _VELOCITY_STD, _ASPECT_VELOCITY_STD)
        self.covariance = np.stack([noise, np.zeros(4), velocity_noise])

    def _variances(self, std: float, aspect_std: float) -> np.ndarray:
        """Compute variances [4] of the quantities, of which lengths are in shares of the height."""
        height = self.position[3]
        return np.array([std * height, std * height, aspect_std, std * height]) ** 2

    def predict(self, step: int) -> None:
        """Predict the box of a step from that of the step before."""
        if self.last_step != step - 1:
            # The height of somebody who is not seen stays: it would grow or shrink without limit.
            self.velocity[3] = 0
        noise = self._variances(_POSITION_STD, _ASPECT_STD)
        velocity_noise = self._variances(_VELOCITY_STD, _ASPECT_VELOCITY_STD)
        first, cross, last = self.covariance
        self.position = self.position + self.velocity
        first, cross, last = first + 2 * cross + last + noise, cross + last, last + velocity_noise
        self.covariance = np.stack([first, cross, last])

    def correct(self, measured: np.ndarray, step: int) -> None:
        """Correct the state by the measured quantities [4] of a detection."""
        first, cross, _ = self.covariance
        total = first + self._variances(_POSITION_STD, _MEASURED_ASPECT_STD)
        innovation = (measured - self.position) / total
        self.position = self.position + first * innovation
        self.velocity = self.velocity + cross * innovation
        self.covariance = self.covariance - np.stack([first**2, first * cross, cross**2]) / total
        self.last_step, self.is_tentative = step, False


class ByteTracker:
    """Tracker that computes what MMDetection's ``ByteTracker`` does, without PyTorch.

    Args:
        high_score_thr: Detections with higher scores start tracks; others only continue them.
        kept_steps: A track that is not detected for so many steps ends.
    """

    def __init__(self, high_score_thr: float, kept_steps: int) -> None:
        self._high_score_thr, self._kept_steps = high_score_thr, kept_steps
        self.reset()

    def reset(self) -> None:
        """Start another video; track ids start at 0 again."""
        self.tracks: list[_KalmanTrack] = []
        self._num_tracks = self._step = 0

    def track(self, boxes: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Match the detections of the next step.

        Args:
            boxes: [N, 4] x, y, width, height, of positive size.
            scores: [N] in 0..1.

        Returns:
            Positions [M] of the M <= N tracked detections, ascending, and their track ids [M].
        """
        step = self._step
        confirmed = [track for track in self.tracks if not track.is_tentative]
        tentative = [track for track in self.tracks if track.is_tentative]
        for track in confirmed:
            track.predict(step)
        size = boxes[:, 2:]
        measured = np.column_stack([boxes[:, :2] + size / 2, size[:, 0] / size[:, 1], size[:, 1]])
        matches: dict[int, _KalmanTrack] = {}

        def follow(tracks: list[_KalmanTrack], candidates: np.ndarray, min_iou: float) -> None:
            unmatched = [position for position in candidates.tolist() if position not in matches]
            for row, column in _match(tracks, boxes[unmatched], min_iou):
                matches[unmatched[column]] = tracks[row]
                tracks[row].correct(measured[unmatched[column]], step)

        is_high = scores > self._high_score_thr
        high, low = np.flatnonzero(is_high), np.flatnonzero(~is_high & (scores > 0))
        follow(confirmed, high, MATCH_IOU)
        follow(tentative, high, MATCH_IOU)
        # A doubtful box does not bring back somebody who was not seen in the step before.
        recent = [track for track in confirmed if track.last_step == step - 1]
        follow(recent, low, LOW_MATCH_IOU)
        for position in (position for position in high.tolist() if position not in matches):
            matches[position] = _KalmanTrack(self._num_tracks, step, step > 0, measured[position])
            self.tracks.append(matches[position])
            self._num_tracks += 1
        self.tracks = [
            track
            for track in self.tracks
            if step - track.last_step < (1 if track.is_tentative else self._kept_steps)
        ]
        self._step += 1
        track_ids = [matches[position].track_id for position in sorted(matches)]
        return np.array(sorted(matches), np.int64), np.array(track_ids, np.int64)


def _match(
    tracks: list[_KalmanTrack], boxes: np.ndarray, min_iou: float
) -> Iterator[tuple[int, int]]:
    """Match tracks with boxes [N, 4]; yield the indices of each pair.

    The sum of ``iou - min_iou`` over the pairs is maximal: a pair below the limit, which may not be
    matched, takes the place of no other.
    """
    from scipy.optimize import linear_sum_assignment

    if not tracks or not len(boxes):
        return
    x, y, aspect, height = np.stack([track.position for track in tracks], axis=1)
    width = aspect * height
    predicted = np.column_stack([x - width / 2, y - height / 2, width, height])
    gain = np.maximum(box_iou(predicted[:, None], boxes) - min_iou, 0)
    for row, column in zip(*linear_sum_assignment(gain, maximize=True), strict=True):
        if gain[row, column] > 0:
            yield row, column
