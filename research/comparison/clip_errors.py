"""Errors of a propagation in a video in which the labels of every T-th frame are given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.evaluation.functional import (
    ApAccumulator,
    JointErrors,
    accumulate_ap,
    joint_errors,
    pair_tracks,
    pose_sizes,
)
from stdpose_mm.labelling.comparison.compare_propagators import FrameGroup, has_head_boxes
from stdpose_mm.labelling.propagation import given_labels, subsample_labels
from stdpose_mm.structures import VideoLabels

from .motion import joint_speeds, mean_motion


@dataclass(frozen=True)
class HiddenVideo:
    """A densely labelled video in which the labels of every T-th frame are given.

    The arrays have one entry for each of the N labelled joints, ordered by track, then by frame,
    then by joint of the skeleton.

    Args:
        labels: All labels, with track ids.
        interval: T.
        hidden_frames: Labelled frames that are not given, ascending.
        motion: See :func:`~.motion.mean_motion`.
        hidden: Whether the label is hidden, bool [N].
        sized: Whether the pose has an extent, which errors are divided by, bool [N].
        visibility: 1 (occluded) or 2 (visible) [N].
        speed: See :func:`~.motion.joint_speeds`, [N].
        frames_to_label: Frames to the nearest given label of the joint [N], 0 at a given label,
            infinite if the joint is never given.
    """

    labels: VideoLabels
    interval: int
    hidden_frames: tuple[int, ...]
    motion: float
    hidden: np.ndarray
    sized: np.ndarray
    visibility: np.ndarray
    speed: np.ndarray
    frames_to_label: np.ndarray


def hide_labels(labels: VideoLabels, interval: int) -> HiddenVideo:
    """Hide all labels except in every ``interval``-th frame.

    Args:
        labels: Dense labels; labels with ``source`` 'propagated' are left out.
        interval: T.

    Raises:
        InputError: If nobody is labelled, or the interval is not positive.
    """
    labels = given_labels(labels)
    if not labels.persons:
        raise InputError(
            f'video {labels.name!r} has no labelled people to compare with, leave it out'
        )
    given_frames = subsample_labels(labels, interval).labelled_frame_indices
    by_track: dict[str, list[np.ndarray]] = {}
    for track in labels.tracks().values():
        frames = np.array(list(track))
        labelled = np.stack([label.labelled for label in track.values()])
        points = np.stack([label.keypoints for label in track.values()])
        given = np.isin(frames, given_frames)
        columns = {
            'hidden': ~given[:, None],
            'sized': pose_sizes(points, labelled)[:, None] > 0,
            'visibility': np.stack([label.visibility for label in track.values()]),
            'speed': joint_speeds(track),
            'frames_to_label': _frames_to_label(frames, labelled & given[:, None]),
        }
        for name, column in columns.items():
            values = np.broadcast_to(column, labelled.shape)[labelled]
            by_track.setdefault(name, []).append(values)
    hidden_frames = sorted(set(labels.labelled_frame_indices) - set(given_frames))
    return HiddenVideo(
        labels,
        interval,
        tuple(hidden_frames),
        mean_motion(labels),
        **{name: np.concatenate(columns) for name, columns in by_track.items()},
    )


@dataclass(frozen=True)
class ClipErrors:
    """Errors of one propagation of a :class:`HiddenVideo`.

    Args:
        errors: Errors of its N joints.
        scores: Scores [N] of propagated joints, NaN for given and missing ones.
        precision: Group of frames -> contribution to PoseTrack's AP; empty without head boxes.
    """

    errors: JointErrors
    scores: np.ndarray
    precision: dict[FrameGroup, ApAccumulator]


def measure(video: HiddenVideo, prediction: VideoLabels) -> ClipErrors:
    """Compare a propagation with the truth.

    Args:
        video: True labels.
        prediction: Predicted labels with the same frames in the same order; people are paired by
            frame and track id, and missing people count as wrong.
    """
    pairs = pair_tracks(video.labels, prediction, video.labels.skeleton.keypoint_names, None)
    precision: dict[FrameGroup, ApAccumulator] = {}
    if has_head_boxes(video.labels):
        hidden = video.labels.keep_frames(video.hidden_frames)
        precision['unlabelled'] = accumulate_ap(hidden, prediction)
        precision['all'] = accumulate_ap(video.labels, prediction)
    errors = joint_errors(pairs)
    return ClipErrors(
        errors=JointErrors(
            **{name: values[pairs.labelled] for name, values in vars(errors).items()}
        ),
        scores=np.where(pairs.given, np.nan, pairs.scores)[pairs.labelled],
        precision=precision,
    )


def _frames_to_label(frames: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Count the frames [F, K] to the nearest row that gives the joint; infinite without one."""
    distances = np.full(given.shape, np.inf)
    for joint, rows in enumerate(given.T):
        labelled = np.concatenate([[-np.inf], frames[rows], [np.inf]])
        after = np.searchsorted(labelled, frames)
        distances[:, joint] = np.minimum(labelled[after] - frames, frames - labelled[after - 1])
    return distances
