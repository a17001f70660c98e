"""A trained window model at work on pictures."""

from .frame_poses import BRIDGE_TRUST, MAX_BRIDGE, FramePoses, bridge
from .in_background import in_background
from .load_network import NETWORK_PRECISIONS, load_network
from .onnx_window_network import ONNX_PRECISIONS, OnnxWindowNetwork
from .video_pose_estimator import CROP_POLICIES, CropPolicy, SeenFrame, VideoPoseEstimator
from .window_model import PRECISIONS, Crop, WindowModel, move_to, read_checkpoint
from .window_network import FrameCodes, FrameView, TorchWindowNetwork, WindowNetwork, equal_slices

__all__ = [
    'BRIDGE_TRUST',
    'CROP_POLICIES',
    'MAX_BRIDGE',
    'NETWORK_PRECISIONS',
    'ONNX_PRECISIONS',
    'PRECISIONS',
    'Crop',
    'CropPolicy',
    'FrameCodes',
    'FramePoses',
    'FrameView',
    'OnnxWindowNetwork',
    'SeenFrame',
    'TorchWindowNetwork',
    'VideoPoseEstimator',
    'WindowModel',
    'WindowNetwork',
    'bridge',
    'equal_slices',
    'in_background',
    'load_network',
    'move_to',
    'read_checkpoint',
]
