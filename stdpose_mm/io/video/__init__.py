"""Frames of videos by exact index, and video files to write."""

from .array_frames import ArrayFrames, to_bgr
from .cached_frames import CachedFrames
from .frame_source import FrameSource
from .open_frames import open_frames
from .picture_frames import PictureFrames, read_picture
from .pooled_frames import PooledFrames, read_frame
from .preloaded_frames import PreloadedFrames
from .selected_frames import SelectedFrames
from .unavailable_frames import UnavailableFrames
from .video_frames import VideoFrames
from .video_writer import require_video_name, write_video

__all__ = [
    'ArrayFrames',
    'CachedFrames',
    'FrameSource',
    'PictureFrames',
    'PooledFrames',
    'PreloadedFrames',
    'SelectedFrames',
    'UnavailableFrames',
    'VideoFrames',
    'open_frames',
    'read_frame',
    'read_picture',
    'require_video_name',
    'to_bgr',
    'write_video',
]
