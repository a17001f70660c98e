"""Tracking of detected people with ByteTrack: MMDetection's where it is installed, else ours."""

from __future__ import annotations

import numpy as np

from stdpose_mm.structures import NO_PEOPLE, FrameBoxes, expand, to_corners

from .byte_tracker import LOW_MATCH_IOU, MATCH_IOU, ByteTracker

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
    remaining tracks. Detections with low scores that match no track are left out. It is
    MMDetection's, or :class:`~stdpose_mm.tracking.byte_tracker.ByteTracker` where MMDetection or
    the package lap, which its tracker needs, is not installed; both give the same identities. The
    memory depends on the number of people, not on the length of the video.

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
        self._tracker = _build_byte_tracker(high_score_thr, self._kept_steps)
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


def _build_byte_tracker(high_score_thr: float, kept_steps: int) -> ByteTracker | MMDetByteTracker:
    try:
        # MMDetection's tracker needs it, but says so only when it is built.
        import lap  # noqa: F401

        return MMDetByteTracker(high_score_thr, kept_steps)
    except ImportError:
        return ByteTracker(high_score_thr, kept_steps)


class MMDetByteTracker:
    """MMDetection's tracker behind the interface of :class:`ByteTracker`.

    Args:
        high_score_thr: See :class:`ByteTracker`.
        kept_steps: See :class:`ByteTracker`.
    """

    def __init__(self, high_score_thr: float, kept_steps: int) -> None:
        from mmdet.models.task_modules.tracking import KalmanFilter
        from mmdet.models.trackers import ByteTracker

        self._tracker = ByteTracker(
            obj_score_thrs={'high': high_score_thr, 'low': 0.0},
            init_track_thr=high_score_thr,
            # A low score does not mean a wrong box.
            weight_iou_with_det_scores=False,
            match_iou_thrs={'high': MATCH_IOU, 'low': LOW_MATCH_IOU, 'tentative': MATCH_IOU},
            # Two consecutive detections above the detector's threshold are enough.
            num_tentatives=1,
            num_frames_retain=kept_steps,
        )
        self._tracker.motion = KalmanFilter()
        self.reset()

    def reset(self) -> None:
        """Start another video."""
        self._tracker.reset()
        self._step = 0

    def track(self, boxes: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See :meth:`ByteTracker.track`."""
        import torch
        from mmdet.structures import DetDataSample
        from mmengine.structures import InstanceData

        if not len(boxes):
            # ByteTracker predicts its tracks only in frames with a detection. A detection that
            # scores 0 matches no track and starts none.
            boxes, scores = np.array([[0.0, 0.0, 1.0, 1.0]]), np.zeros(1)
        sample = DetDataSample(metainfo={'frame_id': self._step})
        sample.pred_instances = InstanceData(
            bboxes=torch.from_numpy(to_corners(boxes)),
            scores=torch.from_numpy(scores.astype(np.float64)),
            labels=torch.zeros(len(boxes), dtype=torch.long),
            # ByteTracker reorders the detections together with their masks, so the masks are used
            # for the original positions.
            masks=torch.arange(len(boxes)),
        )
        tracked = self._tracker.track(sample)
        self._step += 1
        # ByteTracker keeps all boxes of a track, but reads only the last one.
        for track in self._tracker.tracks.values():
            for item in self._tracker.memo_items:
                del track[item][:-1]
        order = np.argsort(tracked.masks.numpy())
        return tracked.masks.numpy()[order], tracked.instances_id.numpy()[order]
