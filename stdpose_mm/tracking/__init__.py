"""Tracking of people: track ids from labels, boxes or poses, and smoothing of poses."""

from .association import assign_track_ids

__all__ = ['assign_track_ids']
