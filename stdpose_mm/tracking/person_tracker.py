"""Tracking of detected people with ByteTrack."""

from __future__ import annotations

from stdpose_mm.structures import NO_PEOPLE, FrameBoxes, expand

from .byte_tracker import ByteTracker

HIGH_SCORE_THR = 0.4
"""Score above which a detection starts a track (the threshold of MMPose); detections below only
continue tracks. ByteTrack's own 0.6 is for larger detectors: small ones score most people lower."""

KEPT_FRAMES = 30
"""Number of frames for which a lost track is kept; ByteTrack's own value, a second of video."""

BUFFER, MAX_BUFFER = 0.05, 0.3
"""Share of their size by which boxes grow on each side before they are compared: per frame between
two detections, and at most. Otherwise boxes of one person several frames apart may not overlap
(buffered IoU, Yang et al., WACV 2023)."""


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
