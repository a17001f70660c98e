"""Identities of people across frames: association, person tracker, smoothing."""

from .association import assign_track_ids, pose_similarity

__all__ = ['assign_track_ids', 'pose_similarity']
