"""Plain structures that the whole package shares: labels, skeletons, windows, boxes."""

from .boxes import (
    NO_DETECTIONS,
    FrameDetections,
    TrackBoxes,
    box_iou,
    clip_box,
    expand,
    label_boxes,
    person_box,
    to_corners,
)
from .frame_numbering import FrameNumbering
from .skeleton import POSETRACK_SKELETON, Skeleton, limbs_from_coco
from .tracked_boxes import NO_PEOPLE, TrackedBoxes
from .video_labels import (
    NOT_LABELLED,
    OCCLUDED,
    SOURCES,
    VISIBLE,
    PersonLabel,
    PolygonRegion,
    Source,
    VideoFrame,
    VideoLabels,
    pose_extent,
)
from .windows import (
    Window,
    estimation_window,
    given_frames,
    person_window,
    propagation_window,
    snap_window,
)

__all__ = [
    'NOT_LABELLED',
    'NO_DETECTIONS',
    'NO_PEOPLE',
    'OCCLUDED',
    'POSETRACK_SKELETON',
    'SOURCES',
    'VISIBLE',
    'FrameDetections',
    'FrameNumbering',
    'PersonLabel',
    'PolygonRegion',
    'Skeleton',
    'Source',
    'TrackBoxes',
    'TrackedBoxes',
    'VideoFrame',
    'VideoLabels',
    'Window',
    'box_iou',
    'clip_box',
    'estimation_window',
    'expand',
    'given_frames',
    'label_boxes',
    'limbs_from_coco',
    'person_box',
    'person_window',
    'pose_extent',
    'propagation_window',
    'snap_window',
    'to_corners',
]
