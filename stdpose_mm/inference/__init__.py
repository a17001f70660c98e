"""Inference: poses in the frames of a video by a trained window model."""

from .estimate_video import TRACKERS, estimate_video
from .frame_estimate import (
    INTERPOLATED_SCORE_FACTOR,
    MAX_INTERPOLATED_FRAMES,
    FrameEstimate,
    interpolate_unreadable,
)
from .load_backend import BACKEND_PRECISIONS, load_backend
from .onnx_window_backend import ONNX_PRECISIONS, OnnxWindowBackend
from .prefetch import prefetch
from .video_pose_estimator import CROP_POLICIES, CropPolicy, VideoPoseEstimator
from .window_backend import (
    FrameFeatures,
    FrameView,
    TorchWindowBackend,
    WindowBackend,
    equal_slices,
)
from .window_model import PRECISIONS, Crop, WindowModel, move_to, read_checkpoint

__all__ = [
    'BACKEND_PRECISIONS',
    'CROP_POLICIES',
    'INTERPOLATED_SCORE_FACTOR',
    'MAX_INTERPOLATED_FRAMES',
    'ONNX_PRECISIONS',
    'PRECISIONS',
    'TRACKERS',
    'Crop',
    'CropPolicy',
    'FrameEstimate',
    'FrameFeatures',
    'FrameView',
    'OnnxWindowBackend',
    'TorchWindowBackend',
    'VideoPoseEstimator',
    'WindowBackend',
    'WindowModel',
    'equal_slices',
    'estimate_video',
    'interpolate_unreadable',
    'load_backend',
    'move_to',
    'prefetch',
    'read_checkpoint',
]
