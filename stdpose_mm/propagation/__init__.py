"""Label propagation: what every method shares; each family of methods has a folder."""

from .base import (
    PROPAGATORS,
    BasePropagator,
    GapPoses,
    ModelUse,
    PropagatedPose,
    build_propagator,
    method_reads_pictures,
)
from .gaps import (
    Gap,
    LifeSpan,
    NearestLabels,
    PresenceInterval,
    find_gaps,
    find_presence_intervals,
)
from .load_propagator import load_propagator
from .match_labels import list_all_frames, match_labels
from .repropagation import propagate_subsampled, subsample_labels
from .track_plans import Tracks
from .video_propagation import (
    Boxes,
    boxes_of,
    dense_labels,
    given_labels,
    propagate_frames,
    propagate_labels,
)
from .work_progress import WorkListener

__all__ = [
    'PROPAGATORS',
    'BasePropagator',
    'Boxes',
    'Gap',
    'GapPoses',
    'LifeSpan',
    'ModelUse',
    'NearestLabels',
    'PresenceInterval',
    'PropagatedPose',
    'Tracks',
    'WorkListener',
    'boxes_of',
    'build_propagator',
    'dense_labels',
    'find_gaps',
    'find_presence_intervals',
    'given_labels',
    'list_all_frames',
    'load_propagator',
    'match_labels',
    'method_reads_pictures',
    'propagate_frames',
    'propagate_labels',
    'propagate_subsampled',
    'subsample_labels',
]
