"""A trained window model at work on the frames of a video."""

from .frame_estimate import (
    INTERPOLATED_SCORE_FACTOR,
    MAX_INTERPOLATED_FRAMES,
    FrameEstimate,
    interpolate_unreadable,
)
from .load_backend import load_backend
from .onnx_window_backend import OnnxWindowBackend
from .prefetch import prefetch
from .video_pose_estimator import SeenFrame, VideoPoseEstimator
from .window_backend import (
    FrameFeatures,
    FrameView,
    TorchWindowBackend,
    WindowBackend,
    equal_slices,
)
from .window_model import Crop, WindowModel, move_to, read_checkpoint

__all__ = [
    'INTERPOLATED_SCORE_FACTOR',
    'MAX_INTERPOLATED_FRAMES',
    'Crop',
    'FrameEstimate',
    'FrameFeatures',
    'FrameView',
    'OnnxWindowBackend',
    'SeenFrame',
    'TorchWindowBackend',
    'VideoPoseEstimator',
    'WindowBackend',
    'WindowModel',
    'equal_slices',
    'interpolate_unreadable',
    'load_backend',
    'move_to',
    'prefetch',
    'read_checkpoint',
]
