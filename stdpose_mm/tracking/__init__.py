"""Identities across labelled frames, and the boxes of the frames between them."""

from .association import assign_track_ids, pose_similarity
from .boxes import (
    NO_DETECTIONS,
    FrameDetections,
    TrackBoxes,
    box_iou,
    clip_box,
    detected_box,
    expand,
    interpolate_box,
    match_box,
    person_box,
    to_corners,
)

__all__ = [
    'NO_DETECTIONS',
    'FrameDetections',
    'TrackBoxes',
    'assign_track_ids',
    'box_iou',
    'clip_box',
    'detected_box',
    'expand',
    'interpolate_box',
    'match_box',
    'person_box',
    'pose_similarity',
    'to_corners',
]
