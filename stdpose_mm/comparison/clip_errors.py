"""Errors of a propagation in a video of which only every T-th frame's labels are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
from stdpose_mm.io.labelled_videos import shifted
from stdpose_mm.io.video import FrameSource, FrameView
from stdpose_mm.propagation import (
    BasePropagator,
    given_labels,
    propagate_subsampled,
    subsample_labels,
)
from stdpose_mm.structures import POSETRACK_SKELETON, VideoLabels

FrameGroup = Literal['unlabelled', 'all']


@dataclass(frozen=True)
class HiddenVideo:
    """A densely labelled video, of which the labels of every T-th frame are given.

    The arrays have one entry for each of the N labelled joints: track by track, frames ascending,
    joints in the order of the skeleton.

    Args:
        labels: All labels, with track ids.
        interval: T.
        hidden_frames: Labelled frames that are not given, ascending.
        hidden: Whether the label is hidden, bool [N].
        sized: Whether the pose has an extent to measure by, bool [N].
    """

    labels: VideoLabels
    interval: int
    hidden_frames: tuple[int, ...]
    hidden: np.ndarray
    sized: np.ndarray

    @property
    def has_head_boxes(self) -> bool:
        """Return whether PoseTrack's AP applies: all its joints, a head box for everyone."""
        names = self.labels.skeleton.keypoint_names
        return names == POSETRACK_SKELETON.keypoint_names and all(
            person.head_box is not None for person in self.labels.persons
        )


def hide_labels(labels: VideoLabels, interval: int) -> HiddenVideo:
    """Hide all labels but every ``interval``-th frame's.

    Args:
        labels: Dense labels; those with ``source`` 'propagated' are left out.
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
    hidden, sized = [], []
    for track in labels.tracks().values():
        labelled = np.stack([label.labelled for label in track.values()])
        points = np.stack([label.keypoints for label in track.values()])
        rows, _ = np.nonzero(labelled)
        hidden.append(~np.isin(list(track), given_frames)[rows])
        sized.append(pose_sizes(points, labelled)[rows] > 0)
    hidden_frames = sorted(set(labels.labelled_frame_indices) - set(given_frames))
    return HiddenVideo(
        labels, interval, tuple(hidden_frames), np.concatenate(hidden), np.concatenate(sized)
    )


@dataclass(frozen=True)
class ClipErrors:
    """Errors of one propagation of a :class:`HiddenVideo`.

    Args:
        errors: Errors of its N joints.
        scores: Scores [N] of propagated joints, NaN for given and missing ones.
        precision: Frames -> their contribution to PoseTrack's AP; empty without head boxes.
    """

    errors: JointErrors
    scores: np.ndarray
    precision: dict[FrameGroup, ApAccumulator]


def measure(video: HiddenVideo, prediction: VideoLabels) -> ClipErrors:
    """Compare a propagation with the truth.

    Args:
        video: True labels.
        prediction: Predicted labels with the same frames in the same order; people pair by frame
            and track id, and missing people count as wrong.
    """
    pairs = pair_tracks(video.labels, prediction, video.labels.skeleton.keypoint_names, None)
    precision: dict[FrameGroup, ApAccumulator] = {}
    if video.has_head_boxes:
        hidden = video.labels.keep_frames(video.hidden_frames)
        precision['unlabelled'] = accumulate_ap(hidden, prediction)
        precision['all'] = accumulate_ap(video.labels, prediction)
    return ClipErrors(
        errors=joint_errors(pairs).at(pairs.labelled),
        scores=np.where(pairs.given, np.nan, pairs.scores)[pairs.labelled],
        precision=precision,
    )


def propagate_hidden(
    frames: FrameSource,
    video: HiddenVideo,
    propagator: BasePropagator,
    use_truth_boxes: bool = False,
) -> VideoLabels:
    """Fill in the hidden labels.

    Args:
        frames: ``frames[i]`` is the picture of frame index ``i``; indices need not start at 0, and
            only the frames from the first to the last one that the labels list are propagated.
        video: Given and hidden labels.
        propagator: Propagator that fills the gaps.
        use_truth_boxes: Crop people at the boxes of the hidden labels, as the published protocol
            does, instead of boxes interpolated between the given ones.

    Returns:
        Labels with the frames of the truth, in its order. A person labelled on no given frame is
        missing.
    """
    truth = video.labels
    indices = [frame.index for frame in truth.frames]
    first = min(indices)
    labelled = FrameView(frames, range(first, max(indices) + 1))
    dense = propagate_subsampled(
        labelled, shifted(truth, -first), video.interval, propagator, use_truth_boxes
    )
    return truth.with_persons(shifted(dense, first).persons)
