"""Inference: poses in the frames of a video by a trained window model."""

from .estimate_video import PoseEstimator, estimate_video
from .frame_estimate import FrameEstimate
from .load_backend import load_backend
from .onnx_window_backend import OnnxWindowBackend
from .prefetch import prefetch
from .video_pose_estimator import VideoPoseEstimator
from .window_backend import FrameFeatures, TorchWindowBackend, WindowBackend
from .window_model import Crop, WindowModel, move_to, read_checkpoint

__all__ = [
    'Crop',
    'FrameEstimate',
    'FrameFeatures',
    'OnnxWindowBackend',
    'PoseEstimator',
    'TorchWindowBackend',
    'VideoPoseEstimator',
    'WindowBackend',
    'WindowModel',
    'estimate_video',
    'load_backend',
    'move_to',
    'prefetch',
    'read_checkpoint',
]
