"""Estimated poses as labels."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np

from stdpose_mm.io.video import FrameSource, PictureFrames
from stdpose_mm.structures import NOT_LABELLED, VISIBLE, PersonLabel, VideoFrame

from .frame_estimate import FrameEstimate

UNREADABLE = 'unreadable'
"""In ``extra`` of a frame that cannot be read."""

BRIDGED = 'bridged'
"""In ``extra`` of a person who was interpolated into such a frame."""


def frame_of(poses: FrameEstimate, frames: FrameSource) -> VideoFrame:
    """The frame that the poses belong to; ``extra`` says if it cannot be read."""
    name = ''
    if isinstance(frames, PictureFrames):
        name = str(PurePosixPath(frames.name) / Path(frames.path_of(poses.frame_index)).name)
    width, height = frames.size
    extra = {} if poses.origin == 'seen' else {UNREADABLE: True}
    return VideoFrame(poses.frame_index, name, width=width, height=height, extra=extra)


def labels_of(poses: FrameEstimate, trained_joints: np.ndarray) -> list[PersonLabel]:
    """The people of a frame, with source 'propagated'; ``extra`` has the score of their boxes.

    Args:
        poses: The frame.
        trained_joints: [K] bool; joints that the model was not trained on are not labelled.
    """
    visibility = np.where(trained_joints, VISIBLE, NOT_LABELLED)
    extra = {BRIDGED: True} if poses.origin == 'bridged' else {}
    return [
        PersonLabel(
            frame_index=poses.frame_index,
            keypoints=keypoints,
            visibility=visibility,
            track_id=track_id,
            scores=np.where(trained_joints, scores, 0.0),
            bbox=box,
            source='propagated',
            extra={**extra, 'bbox_score': box_score},
        )
        for keypoints, scores, track_id, box, box_score in zip(
            poses.keypoints,
            poses.scores,
            poses.people.track_ids.tolist(),
            poses.people.boxes,
            poses.people.scores.tolist(),
            strict=True,
        )
    ]
