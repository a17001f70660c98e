"""The public interface: classes for user programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stdpose_mm.labelling.evidence import PoseNetworkFiles

from .frame_result import FrameResult
from .propagation_state import PropagationState
from .video_pose_propagator import VideoPosePropagator

if TYPE_CHECKING:
    from .stdpose_inferencer import STDPoseInferencer

__all__ = [
    'FrameResult',
    'PoseNetworkFiles',
    'PropagationState',
    'STDPoseInferencer',
    'VideoPosePropagator',
]


def __getattr__(name: str) -> Any:
    """Import ``STDPoseInferencer`` on first use: it needs MMPose, which is slow to import."""
    if name == 'STDPoseInferencer':
        from .stdpose_inferencer import STDPoseInferencer

        return STDPoseInferencer
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
