"""Inference: poses in the frames of a video by a trained window model."""

from .estimate_video import TRACKERS, estimate_video
from .frame_estimate import FrameEstimate, interpolate_unreadable
from .load_backend import BACKEND_PRECISIONS, load_backend
from .onnx_window_backend import ONNX_PRECISIONS, OnnxWindowBackend
from .prefetch import prefetch
from .video_pose_estimator import CROP_POLICIES, CropPolicy, VideoPoseEstimator
from .window_backend import (
    FrameFeatures,
    TorchWindowBackend,
    WindowBackend,
    equal_slices,
)
from .window_model import PRECISIONS, Crop, WindowModel, move_to, read_checkpoint

__all__ = [
    'BACKEND_PRECISIONS',
    'CROP_POLICIES',
    'ONNX_PRECISIONS',
    'PRECISIONS',
    'TRACKERS',
    'Crop',
    'CropPolicy',
    'FrameEstimate',
    'FrameFeatures',
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
