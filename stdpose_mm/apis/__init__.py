"""What a user's program imports."""

from .video_pose_propagator import FrameResult, PropagationState, VideoPosePropagator

__all__ = ['FrameResult', 'PropagationState', 'VideoPosePropagator']
