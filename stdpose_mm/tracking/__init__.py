"""People across frames: track ids by association, boxes or poses, and smoothing."""

from .association import assign_track_ids

__all__ = ['assign_track_ids']
