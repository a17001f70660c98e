"""Label propagation: the parts that all methods share; each family of methods has a folder."""

from .base import (
    PROPAGATORS,
    BasePropagator,
    GapPoses,
    ModelUse,
    method_reads_pictures,
    require_method,
)
from .gaps import Gap, LifeSpan, find_gaps, find_presence_intervals
from .load_propagator import load_propagator
from .track_plans import Tracks
from .video_propagation import (
    Boxes,
    boxes_of,
    given_labels,
    propagate_frames,
    propagate_labels,
    propagate_subsampled,
    subsample_labels,
)
from .work_progress import WorkListener
