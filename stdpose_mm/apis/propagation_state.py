"""A video with the labels that a user has given."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from weakref import WeakKeyDictionary

from stdpose_mm.io.video import FrameSource
from stdpose_mm.labelling.propagation import BasePropagator, Boxes, LifeSpan
from stdpose_mm.labelling.propagation.base import GapCache
from stdpose_mm.labelling.propagation.track_plans import TrackPlanner
from stdpose_mm.structures import FrameBoxes, PersonLabel, Skeleton, VideoLabels


@dataclass
class PropagationState:
    """One video with its given labels.

    :meth:`~stdpose_mm.apis.VideoPosePropagator.init_state` creates it.

    Args:
        frames: The video.
        labels: The frames and fields of the label file without its people; None without a file.
        skeleton: The joints; None until the first label gives their number.
        initial_skeleton: The joints that were known before the first label.
        tracks: Person id -> {frame index: given label}.
        boxes: Person id -> {frame index: [4] box of an unlabelled frame}.
        detections: Frame index -> detected people, see ``VideoPosePropagator.detect_in_video``.
        life_span: 'video' or 'labels', see ``VideoPosePropagator.init_state``.
        caches: Finished gaps by propagator and skeleton, so that a correction recomputes only the
            gaps that it affects. The gaps of a propagator are removed together with it.
        folder: Folder in which finished gaps are kept; None to keep them in memory.
    """

    frames: FrameSource
    labels: VideoLabels | None
    skeleton: Skeleton | None
    initial_skeleton: Skeleton | None
    tracks: dict[int, dict[int, PersonLabel]] = field(default_factory=dict)
    boxes: Boxes = field(default_factory=dict)
    detections: dict[int, FrameBoxes] = field(default_factory=dict)
    life_span: LifeSpan = 'video'
    caches: WeakKeyDictionary[BasePropagator, dict[Skeleton, GapCache]] = field(
        default_factory=WeakKeyDictionary
    )
    folder: Path | None = None

    @property
    def planner(self) -> TrackPlanner:
        """Return the planner of the work on its tracks."""
        return TrackPlanner(len(self.frames), self.life_span, self.boxes, self.detections)
