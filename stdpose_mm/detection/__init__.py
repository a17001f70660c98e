"""Boxes of the people in a video: person detectors, sources of boxes, and box files."""

from .box_files import as_boxes, read_boxes, read_tracks
from .box_interpolation import BoxedFrame
from .box_sources import BoxSource, DetectedBoxes, PrecomputedBoxes, WholePicture, build_box_source
from .person_detector import PersonDetector, build_person_detector
