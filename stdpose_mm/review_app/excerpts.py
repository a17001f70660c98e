"""The part of a long video to work on; its poses follow from the labels in it alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stdpose_mm.apis.propagation_state import PropagationState
from stdpose_mm.structures import PersonLabel


def clip_state(
    state: PropagationState, excerpt: range, open_ends: bool = False
) -> PropagationState:
    """Keep only the labels in an excerpt of a video.

    Args:
        state: The video.
        excerpt: The frames, at least one.
        open_ends: Whether a person who is present at an end of the excerpt gets a label there whose
            joints are all yet to be propagated, so that their gaps end there and not at the ends of
            the video.
    """
    tracks: dict[int, dict[int, PersonLabel]] = {}
    for person, track in state.tracks.items():
        inside = {frame: track[frame] for frame in sorted(track) if frame in excerpt}
        if not any(label.has_joint_or_box for label in inside.values()):
            continue
        tracks[person] = inside
        lasts = [max((f for f in track if f < excerpt.start), default=None), max(inside)]
        for end, last in zip((excerpt[0], excerpt[-1]), lasts, strict=True):
            is_there = state.life_span == 'video' if last is None else not track[last].is_absent
            is_needed = end == excerpt[0] or state.life_span == 'video' or max(track) > end
            if open_ends and end not in inside and is_there and is_needed:
                inside[end] = _open_label(end, person, len(track[max(inside)].visibility))
    return replace(state, tracks=tracks, life_span='labels')


def _open_label(frame: int, person: int, num_keypoints: int) -> PersonLabel:
    nowhere, propagated = np.zeros((num_keypoints, 2)), np.full(num_keypoints, 'propagated')
    return PersonLabel(frame, nowhere, np.zeros(num_keypoints), person, keypoint_sources=propagated)
