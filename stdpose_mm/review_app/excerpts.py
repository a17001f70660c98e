"""The part of a long video to work on; its poses follow from the labels in it and nearby."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stdpose_mm.apis.propagation_state import PropagationState
from stdpose_mm.structures import PersonLabel


def clip_state(
    state: PropagationState, excerpt: range, open_ends: bool = False
) -> PropagationState:
    """Keep only the labels in an excerpt, and on either side as far away as it is long.

    Args:
        state: The video.
        excerpt: The frames, at least one.
        open_ends: Whether a person who is present at an end of the excerpt, with no label beyond
            it, gets a label there whose joints are all yet to be propagated, so that their gap ends
            there and not at the end of the video.
    """
    reach = range(excerpt.start - len(excerpt), excerpt.stop + len(excerpt))
    tracks: dict[int, dict[int, PersonLabel]] = {}
    for person, track in state.tracks.items():
        near = {frame: track[frame] for frame in sorted(track) if frame in reach}
        if not any(label.has_joint_or_box for label in near.values()):
            continue
        first, last, is_video = min(near), max(near), state.life_span == 'video'
        before = max((frame for frame in track if frame < excerpt.start), default=None)
        begins = is_video if before is None else not track[before].is_absent
        goes_on = not near[last].is_absent and (is_video or max(track) > last)
        num_keypoints = len(near[last].visibility)
        if open_ends and first > excerpt[0] and begins:
            near[excerpt[0]] = _open_label(excerpt[0], person, num_keypoints)
        if open_ends and last < excerpt[-1] and goes_on:
            near[excerpt[-1]] = _open_label(excerpt[-1], person, num_keypoints)
        tracks[person] = near
    return replace(state, tracks=tracks, life_span='labels')


def _open_label(frame: int, person: int, num_keypoints: int) -> PersonLabel:
    nowhere, propagated = np.zeros((num_keypoints, 2)), np.full(num_keypoints, 'propagated')
    return PersonLabel(frame, nowhere, np.zeros(num_keypoints), person, keypoint_sources=propagated)
