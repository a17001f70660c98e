"""Plain structures that every part of the package shares."""

from .skeleton import POSETRACK_SKELETON, Skeleton, limbs_from_coco
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

__all__ = [
    'NOT_LABELLED',
    'OCCLUDED',
    'POSETRACK_SKELETON',
    'SOURCES',
    'VISIBLE',
    'PersonLabel',
    'PolygonRegion',
    'Skeleton',
    'Source',
    'VideoFrame',
    'VideoLabels',
    'limbs_from_coco',
    'pose_extent',
]
