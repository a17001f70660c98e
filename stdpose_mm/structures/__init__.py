"""Data structures shared by the whole package: labels, skeletons, windows, boxes."""

from .boxes import (
    NO_PEOPLE,
    FrameBoxes,
    TrackBoxes,
    box_ioa,
    box_iou,
    expand,
    is_box_outside,
    is_outside,
    label_boxes,
    person_box,
    to_corners,
)
from .frame_numbering import FrameNumbering
from .interpolation import fill_between, on_line, runs_of
from .joint_sets import POSETRACK_SKELETON
from .skeleton import Skeleton
from .video_labels import (
    CLASS_NAME,
    NOT_LABELLED,
    OCCLUDED,
    SOURCES,
    TRACK_NAME,
    VISIBLE,
    PersonLabel,
    PolygonRegion,
    Source,
    VideoFrame,
    VideoLabels,
    correct_label,
    count_sources,
    forget_joints,
    kept_box,
    open_left_out,
    pose_extent,
    unused_track_ids,
)
from .windows import (
    NUM_FRAMES,
    Window,
    estimation_window,
    fill_window,
    given_frames,
    interpolate_pose,
    key_index,
    person_window,
    propagation_window,
    snap_window,
)
