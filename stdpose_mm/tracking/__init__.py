"""Who is where: identities across frames, and the boxes of the frames between."""

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
from .tracked_boxes import NOBODY, TrackedBoxes

__all__ = [
    'NOBODY',
    'NO_DETECTIONS',
    'FrameDetections',
    'TrackBoxes',
    'TrackedBoxes',
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
