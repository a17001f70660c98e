"""Frames of videos by exact index, and video files to write."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .array_frames import ArrayFrames
from .frame_source import FrameSource, clock_of, known_times, presentation_times
from .frame_views import CachedFrames, PreloadedFrames, SelectedFrames
from .open_frames import PooledFrames, open_frames, read_frame
from .picture_frames import PictureFrames, read_picture, write_picture
from .unavailable_frames import UnavailableFrames

if TYPE_CHECKING:
    from .video_frames import VideoFrames
    from .video_writer import require_timing, write_video, write_video_like

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
    'clock_of',
    'known_times',
    'open_frames',
    'presentation_times',
    'read_frame',
    'read_picture',
    'require_timing',
    'write_picture',
    'write_video',
    'write_video_like',
]

# Where torchvision has turned PyAV's log on, FFmpeg's lines would go to stderr beside our sentence
# about the file. A program that sets up logging still gets them.
logging.getLogger('libav').addHandler(logging.NullHandler())

_OF_PYAV = {
    'VideoFrames': '.video_frames',
    'require_timing': '.video_writer',
    'write_video': '.video_writer',
    'write_video_like': '.video_writer',
}
"""Name -> module that imports PyAV, which pictures do not need."""


def __getattr__(name: str) -> Any:
    """Import names that need PyAV on first access."""
    if name in _OF_PYAV:
        return getattr(import_module(_OF_PYAV[name], __name__), name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
