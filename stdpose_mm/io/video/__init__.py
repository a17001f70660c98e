"""Pictures of videos by exact frame index, and video files to write."""

from .frames import Frames, FrameSource, PictureFrames, open_frames, read_frame, read_picture
from .unavailable_frames import UnavailableFrames
from .video_file import VideoFrames
from .video_writer import require_video_name, write_video

__all__ = [
    'FrameSource',
    'Frames',
    'PictureFrames',
    'UnavailableFrames',
    'VideoFrames',
    'open_frames',
    'read_frame',
    'read_picture',
    'require_video_name',
    'write_video',
]
