"""Estimated poses as labels."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np

from stdpose_mm.io.video import FrameSource
from stdpose_mm.structures import NOT_LABELLED, VISIBLE, PersonLabel, VideoFrame

from .frame_estimate import FrameEstimate

UNREADABLE = 'unreadable'
"""Key in ``extra`` of a frame that cannot be read."""

BRIDGED = 'bridged'
"""Key in ``extra`` of a person who was interpolated into a frame that cannot be read."""

CARRIED = 'carried'
"""Key in ``extra`` of a person whose pose optical flow has carried to the frame."""


def frame_of(estimate: FrameEstimate, frames: FrameSource) -> VideoFrame:
    """Describe the frame of an estimate; ``extra`` says if it cannot be read."""
    name = ''
    if frames.has_picture_files:
        name = str(PurePosixPath(frames.name) / Path(frames.path_of(estimate.frame_index)).name)
    width, height = frames.size
    extra = {} if estimate.is_readable else {UNREADABLE: True}
    return VideoFrame(estimate.frame_index, name, width=width, height=height, extra=extra)


def labels_of(estimate: FrameEstimate, trained_joints: np.ndarray) -> list[PersonLabel]:
    """Convert an estimate to labels of source 'propagated'; ``extra`` has the scores of boxes.

    Args:
        estimate: N people.
        trained_joints: [K] bool; joints that the model was not trained on are not labelled.
    """
    visibility = np.where(trained_joints, VISIBLE, NOT_LABELLED)
    marks = {'bridged': {BRIDGED: True}, 'carried': {CARRIED: True}}
    extra = marks.get(estimate.origin, {})
    return [
        PersonLabel(
            frame_index=estimate.frame_index,
            keypoints=keypoints,
            visibility=visibility,
            track_id=track_id,
            scores=np.where(trained_joints, scores, 0.0),
            bbox=box,
            source='propagated',
            extra={**extra, 'bbox_score': box_score},
        )
        for keypoints, scores, track_id, box, box_score in zip(
            estimate.keypoints,
            estimate.scores,
            estimate.people.track_ids.tolist(),
            estimate.people.boxes,
            estimate.people.scores.tolist(),
            strict=True,
        )
    ]
