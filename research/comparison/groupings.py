"""What may make a hidden joint hard: groups by motion, speed, occlusion and distance to a label."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

import numpy as np

from stdpose_mm.comparison.clip_errors import HiddenVideo
from stdpose_mm.comparison.clip_statistics import Grouping
from stdpose_mm.structures import PersonLabel

from .motion import joint_speeds, mean_motion

Track = Mapping[int, PersonLabel]
"""Frame index -> label, frames ascending."""

CLIP_MOTION = 'motion of the clip'
JOINT_SPEED = 'speed of the joint'
OCCLUSION = 'occlusion'
DISTANCES = 'frames to the nearest label'

SPEED_LIMITS = (0.01, 0.02, 0.05, 0.1)
"""Upper limits of the bins of joint speed, in pose sizes a frame."""

FARTHEST = 7
"""Frames to the nearest label up to which every distance is a group of its own."""


def difficulty_groupings(fast: float) -> tuple[Grouping, ...]:
    """Group the joints whose labels are hidden by what may make them hard.

    Args:
        fast: Motion in pose sizes a frame above which a video is fast.
    """

    def clip_motion(video: HiddenVideo) -> np.ndarray:
        return np.full(len(video.hidden), 0 if mean_motion(video.labels) > fast else 1)

    def joint_speed(video: HiddenVideo) -> np.ndarray:
        speed = _per_joint(video, joint_speeds)
        return np.where(np.isnan(speed), len(SPEED_LIMITS) + 1, np.digitize(speed, SPEED_LIMITS))

    def occlusion(video: HiddenVideo) -> np.ndarray:
        return 2 - _visibility(video)

    def position(video: HiddenVideo) -> np.ndarray:
        frames = _frames_to_label(video)
        near = np.minimum(frames, FARTHEST + 1)
        return np.where(np.isinf(frames), FARTHEST + 2, near).astype(np.int64) - 1

    limits = [f'{limit:g}' for limit in SPEED_LIMITS]
    speeds = [
        f'below {limits[0]}',
        *(f'{low} to {high}' for low, high in pairwise(limits)),
        f'{limits[-1]} or more',
        'unknown',
    ]
    distances = [*map(str, range(1, FARTHEST + 1)), f'{FARTHEST + 1} or more', 'no label']
    divisions = {
        CLIP_MOTION: ((f'fast (> {fast:g})', 'slow'), clip_motion),
        JOINT_SPEED: (tuple(speeds), joint_speed),
        OCCLUSION: (('visible', 'occluded'), occlusion),
        DISTANCES: (tuple(distances), position),
    }
    return tuple(
        Grouping(title, names, _of_hidden(divide, len(names)))
        for title, (names, divide) in divisions.items()
    )


def _of_hidden(
    divide: Callable[[HiddenVideo], np.ndarray], left_out: int
) -> Callable[[HiddenVideo], np.ndarray]:
    return lambda video: np.where(video.hidden, divide(video), left_out)


def _visibility(video: HiddenVideo) -> np.ndarray:
    return _per_joint(video, lambda track: np.stack([p.visibility for p in track.values()]))


def _frames_to_label(video: HiddenVideo) -> np.ndarray:
    """Count the frames [N] to the nearest given label of each joint, infinite without any."""
    hidden_frames = np.array(video.hidden_frames)

    def of_track(track: Track) -> np.ndarray:
        frames = np.array(list(track))
        labelled = np.stack([label.labelled for label in track.values()])
        given = labelled & ~np.isin(frames, hidden_frames)[:, None]
        distances = np.full(given.shape, np.inf)
        for joint, rows in enumerate(given.T):
            at = np.concatenate([[-np.inf], frames[rows], [np.inf]])
            after = np.searchsorted(at, frames)
            distances[:, joint] = np.minimum(at[after] - frames, frames - at[after - 1])
        return distances

    return _per_joint(video, of_track)


def _per_joint(video: HiddenVideo, of_track: Callable[[Track], np.ndarray]) -> np.ndarray:
    """Compute values [F, K] of every track, and list those of the N labelled joints."""
    rows = []
    for track in video.labels.tracks().values():
        labelled = np.stack([label.labelled for label in track.values()])
        rows.append(of_track(track)[labelled])
    return np.concatenate(rows)
