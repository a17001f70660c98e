"""What a user's program imports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .adaptation import AdaptedModel, adapt
from .clip_statistics import Figures
from .compare_propagators import Comparison, compare_propagators
from .difficulty import Difficulty, measure_difficulty, report_difficulty
from .frame_ranking import (
    FrameCheck,
    FrameSuggestion,
    JointCheck,
    frames_to_check,
    rank_suggestions,
    suggest_frames,
    with_honest_scores,
)
from .motion import mean_motion
from .person_detector import PersonDetector, build_person_detector
from .video_pose_propagator import FrameResult, PropagationState, VideoPosePropagator

if TYPE_CHECKING:
    from .stdpose_inferencer import STDPoseInferencer

__all__ = [
    'AdaptedModel',
    'Comparison',
    'Difficulty',
    'Figures',
    'FrameCheck',
    'FrameResult',
    'FrameSuggestion',
    'JointCheck',
    'PersonDetector',
    'PropagationState',
    'STDPoseInferencer',
    'VideoPosePropagator',
    'adapt',
    'build_person_detector',
    'compare_propagators',
    'frames_to_check',
    'mean_motion',
    'measure_difficulty',
    'rank_suggestions',
    'report_difficulty',
    'suggest_frames',
    'with_honest_scores',
]


def __getattr__(name: str) -> Any:
    """``STDPoseInferencer``, when it is asked for: MMPose's inferencers are slow to import."""
    if name == 'STDPoseInferencer':
        from .stdpose_inferencer import STDPoseInferencer

        return STDPoseInferencer
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
