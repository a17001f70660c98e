"""The person box in the key frame of a window."""

from __future__ import annotations

import numpy as np

from stdpose_mm.errors import InputError, require_choice
from stdpose_mm.structures import NO_PEOPLE, FrameBoxes, TrackBoxes, Window

from .video_tracks import Track

BOXES = ('gt', 'interpolated', 'detected')


class BoxPolicy:
    """Choice of the person box in a key frame: of the label, interpolated or detected.

    Args:
        boxes: 'gt', 'interpolated' or 'detected', see
            :class:`~stdpose_mm.datasets.base.BaseWindowDataset`. By default interpolated for
            testing propagation, otherwise gt.
        task: 'propagation' or 'estimation'.
        test_mode: Whether the windows are for testing.
        has_detections: Whether a file of detections is given.

    Raises:
        InputError: If ``boxes`` is unknown or contradicts the other arguments.
    """

    def __init__(
        self,
        boxes: str | None = None,
        task: str = 'propagation',
        test_mode: bool = False,
        has_detections: bool = False,
    ) -> None:
        if boxes is None:
            boxes = 'interpolated' if test_mode and task == 'propagation' else 'gt'
        require_choice('boxes', boxes, BOXES)
        if boxes == 'interpolated' and task != 'propagation':
            raise InputError("boxes='interpolated' needs task='propagation'")
        if (boxes == 'detected') != has_detections:
            raise InputError("boxes='detected' and bbox_file need each other, set both")
        if boxes == 'detected' and not test_mode:
            raise InputError("boxes='detected' is for test_mode only")
        self.boxes = boxes

    @property
    def covers_unlabelled(self) -> bool:
        """Whether a person also has a box in frames without its label."""
        return self.boxes != 'gt'

    def find_box(
        self, track: Track, window: Window, detections: FrameBoxes = NO_PEOPLE
    ) -> tuple[np.ndarray, float]:
        """Find the box of a person in the key frame.

        Args:
            track: The person's labels.
            window: The window; boxes are interpolated between its given auxiliary frames.
            detections: Detections in the key frame.

        Returns:
            The box [4] x, y, width, height in pixels, and its score, 1 unless the box is detected.
        """
        anchors = [f for f, g in zip((window.left, window.right), window.given, strict=True) if g]
        if track.row(window.key) is not None and (self.boxes == 'gt' or not anchors):
            anchors = [window.key]
        boxes = {frame: track.boxes[track.frames.index(frame)] for frame in anchors}
        return TrackBoxes(boxes, {window.key: detections}).find(window.key)

    def find_aux_boxes(self, track: Track, window: Window) -> list[np.ndarray]:
        """Find the boxes [4] of a person in each auxiliary frame, for crops of every frame.

        A frame whose label may be shown has the label's box; any other frame, like the key frame,
        has a box interpolated between these.

        Args:
            track: The person's labels.
            window: The window.
        """
        sides = zip((window.left, window.right), window.given, strict=True)
        may_see = self.boxes == 'gt' or not any(window.given)
        anchors = dict(zip(track.frames, track.boxes, strict=True))
        if not may_see:
            anchors = {frame: anchors[frame] for frame, is_given in sides if is_given}
        boxes = TrackBoxes(anchors)
        return [boxes.find(frame)[0] for frame in (*window.before, *window.after)]
