"""Frames of videos by exact index, and video files to write."""

from .array_frames import ArrayFrames
from .frame_source import FrameSource
from .frame_views import CachedFrames, PreloadedFrames, SelectedFrames
from .open_frames import PooledFrames, open_frames, read_frame
from .picture_frames import PictureFrames, read_picture
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
    'write_video',
]
