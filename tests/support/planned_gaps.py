"""The gaps of given labels, as a propagation plans them."""

from __future__ import annotations

from stdpose_mm.labelling.propagation.gaps import Gap
from stdpose_mm.labelling.propagation.track_plans import TrackPlanner
from stdpose_mm.structures import VideoLabels


def gaps_of_labels(labels: VideoLabels, num_frames: int) -> list[Gap]:
    """The gaps of all tracks, with interpolated boxes."""
    plans = TrackPlanner(num_frames, 'video').plan(labels.tracks())
    return [gap for plan in plans.values() for gap in plan.gaps]
