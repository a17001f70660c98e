"""Reading of video frames by exact index, and writing of video files."""

import logging

from .frame_source import (
    FrameSource,
    FrameView,
    UnavailableFrames,
    cache_frames,
    clock_of,
    known_times,
    presentation_times,
)
from .open_frames import PooledFrames, open_frames, read_frame
from .pictures import ArrayFrames, read_picture, to_bgr, write_picture
from .video_frames import VideoFrames
from .video_writer import require_timing, write_video

__all__ = [
    'ArrayFrames',
    'FrameSource',
    'FrameView',
    'PooledFrames',
    'UnavailableFrames',
    'VideoFrames',
    'cache_frames',
    'clock_of',
    'known_times',
    'open_frames',
    'presentation_times',
    'read_frame',
    'read_picture',
    'require_timing',
    'to_bgr',
    'write_picture',
    'write_video',
]

# If torchvision has turned on PyAV's log, FFmpeg's lines would appear on stderr next to our
# message. A program that sets up logging still gets them.
logging.getLogger('libav').addHandler(logging.NullHandler())
