"""PoseWarper and DCPose as necks of window models, and as propagation methods.

Configs name this package in ``custom_imports`` to register them.
"""

from .dcpose_propagator import DCPosePropagator
from .dual_consecutive import DualConsecutive
from .pose_warping import PoseWarping
from .posewarper_propagator import PoseWarperPropagator

__all__ = ['DCPosePropagator', 'DualConsecutive', 'PoseWarperPropagator', 'PoseWarping']
