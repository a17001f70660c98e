"""The border of the package: label files and pictures, in and out."""

from .atomic import atomic_path, write_json
from .frames import FrameSource, open_frames, read_frame
from .posetrack18 import read_posetrack18, write_posetrack18

__all__ = [
    'FrameSource',
    'atomic_path',
    'open_frames',
    'read_frame',
    'read_posetrack18',
    'write_json',
    'write_posetrack18',
]
