"""Estimate of one frame, its conversion to labels, and the interpolation of unreadable frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np

from stdpose_mm.io.video import FrameSource
from stdpose_mm.structures import (
    NO_PEOPLE,
    NOT_LABELLED,
    VISIBLE,
    FrameBoxes,
    PersonLabel,
    VideoFrame,
    on_line,
)

from .window_backend import Crop

MAX_INTERPOLATED_FRAMES = 15
"""Maximum length of a run of unreadable frames that is interpolated; longer runs stay unknown."""

INTERPOLATED_SCORE_FACTOR = 0.5
"""Factor of the neighbours' scores for an interpolated joint."""


@dataclass(frozen=True)
class FrameEstimate:
    """The estimated poses of one frame.

    Args:
        frame_index: 0-based.
        people: The N boxes that the poses were estimated in, with scores and track ids.
        keypoints: [N, K, 2] pixels of the picture.
        scores: [N, K] in 0..1.
        origin: 'predicted': the network estimated the poses from the picture; 'held': optical flow
            carried them from frames around that the network has seen; 'interpolated': the picture
            cannot be read, and the poses are interpolated between the frames around; 'unknown': the
            picture cannot be read and is not interpolated, so N is 0.
        picture: BGR uint8 [H, W, 3]; None if it was not requested or cannot be read.
        heatmaps: [N, K, h, w] float32; None if they were not requested, the network has not seen
            the frame, or it has no heatmaps.
        crops: Regions of the N heatmaps in the picture; empty without heatmaps.
    """

    frame_index: int
    people: FrameBoxes
    keypoints: np.ndarray
    scores: np.ndarray
    origin: Literal['predicted', 'held', 'interpolated', 'unknown'] = 'predicted'
    picture: np.ndarray | None = None
    heatmaps: np.ndarray | None = None
    crops: tuple[Crop, ...] = ()

    def __len__(self) -> int:
        return len(self.people)

    @property
    def is_readable(self) -> bool:
        """Return whether there was a picture."""
        return self.origin in ('predicted', 'held')

    def select(self, chosen: np.ndarray) -> FrameEstimate:
        """Keep some of the people.

        Args:
            chosen: [N] bool: the people to keep.
        """
        return replace(
            self,
            people=self.people.select(chosen),
            keypoints=self.keypoints[chosen],
            scores=self.scores[chosen],
            heatmaps=None if self.heatmaps is None else self.heatmaps[chosen],
            crops=tuple(compress(self.crops, chosen)),
        )

    def to_frame(self, frames: FrameSource) -> VideoFrame:
        """Describe the frame; ``extra`` tells whether it is 'unreadable'."""
        name = ''
        if frames.has_picture_files:
            name = str(PurePosixPath(frames.name) / Path(frames.path_of(self.frame_index)).name)
        width, height = frames.size
        extra = {} if self.is_readable else {'unreadable': True}
        return VideoFrame(self.frame_index, name, width=width, height=height, extra=extra)

    def to_labels(self, trained_joints: np.ndarray) -> list[PersonLabel]:
        """Convert the estimate to labels with the source 'propagated'.

        ``extra`` contains the scores of boxes, and marks people who are 'interpolated' or 'held'.

        Args:
            trained_joints: [K] bool; joints that the model was not trained on are not labelled.
        """
        visibility = np.where(trained_joints, VISIBLE, NOT_LABELLED)
        marks: dict[str, Any] = (
            {self.origin: True} if self.origin in ('interpolated', 'held') else {}
        )
        return [
            PersonLabel(
                frame_index=self.frame_index,
                keypoints=self.keypoints[n],
                visibility=visibility,
                track_id=track_id,
                scores=np.where(trained_joints, self.scores[n], 0.0),
                bbox=self.people.boxes[n],
                source='propagated',
                extra={**marks, 'bbox_score': float(self.people.scores[n])},
            )
            for n, track_id in enumerate(self.people.track_ids.tolist())
        ]


def split_by_frame(
    frames: Iterable[tuple[int, FrameBoxes | None, np.ndarray | None]],
    keypoints: np.ndarray,
    scores: np.ndarray,
) -> Iterator[FrameEstimate]:
    """Split the poses of all people in some frames.

    Args:
        frames: Index of each frame, its people, or None if it cannot be read, and its picture.
        keypoints: [N, K, 2] pixels of all people, in order.
        scores: [N, K].
    """
    start = 0
    for index, people, picture in frames:
        if people is None:
            yield unknown_frame(index, keypoints.shape[1])
            continue
        rows = slice(start, start + len(people))
        start = rows.stop
        yield FrameEstimate(index, people, keypoints[rows], scores[rows], picture=picture)


def interpolate_unreadable(frames: Iterable[FrameEstimate]) -> Iterator[FrameEstimate]:
    """Interpolate frames of origin 'unknown' between two predicted frames.

    Poses, boxes and scores of people who are in both frames are interpolated linearly in time; the
    scores are multiplied by ``INTERPOLATED_SCORE_FACTOR``. More than ``MAX_INTERPOLATED_FRAMES`` in
    a row stay unknown.

    Args:
        frames: Estimates in order of frames.

    Yields:
        All frames, in the same order.
    """
    before: FrameEstimate | None = None
    run: list[FrameEstimate] = []
    for frame in frames:
        if frame.origin == 'unknown':
            if len(run) == MAX_INTERPOLATED_FRAMES:
                # Too long to be interpolated, so these frames need not wait for the end of the run.
                yield from run
                run, before = [], None
            if before is None:
                yield frame
            else:
                run.append(frame)
            continue
        if before is not None:
            yield from (_interpolate(before, frame, missing) for missing in run)
        yield frame
        before, run = frame, []
    yield from run


def _interpolate(
    before: FrameEstimate, after: FrameEstimate, missing: FrameEstimate
) -> FrameEstimate:
    """Interpolate the frame ``missing`` between two predicted frames."""
    shared, first, second = np.intersect1d(
        before.people.track_ids, after.people.track_ids, return_indices=True
    )
    # People keep their order in the frame before.
    order = np.argsort(first)
    shared, first, second = shared[order], first[order], second[order]
    span = after.frame_index - before.frame_index
    share = (missing.frame_index - before.frame_index) / span

    def line(start: np.ndarray, end: np.ndarray) -> np.ndarray:
        return on_line(start[first], end[second], share)

    return replace(
        missing,
        people=FrameBoxes(
            line(before.people.boxes, after.people.boxes),
            line(before.people.scores, after.people.scores) * INTERPOLATED_SCORE_FACTOR,
            shared,
        ),
        keypoints=line(before.keypoints, after.keypoints),
        scores=line(before.scores, after.scores) * INTERPOLATED_SCORE_FACTOR,
        origin='interpolated',
    )


def unknown_frame(frame_index: int, num_joints: int) -> FrameEstimate:
    """Build the estimate of an unreadable frame, without people."""
    return FrameEstimate(
        frame_index, NO_PEOPLE, np.zeros((0, num_joints, 2)), np.zeros((0, num_joints)), 'unknown'
    )
