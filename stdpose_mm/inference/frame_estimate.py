"""The poses of one frame as they are estimated, and those of frames that cannot be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from stdpose_mm.structures import NO_PEOPLE, TrackedBoxes

from .window_model import Crop

MAX_INTERPOLATED_FRAMES = 15
"""Frames in a row that are bridged at most; of a longer run nothing is known."""

INTERPOLATED_SCORE_FACTOR = 0.5
"""Share of the neighbours' scores that a bridged joint keeps."""


@dataclass(frozen=True)
class FrameEstimate:
    """Everyone in one frame.

    Args:
        frame_index: 0-based frame.
        people: The N boxes that the poses were looked for in, with scores and track ids.
        keypoints: [N, K, 2] pixels of the picture.
        scores: [N, K] in 0..1.
        origin: 'seen': estimated from the picture; 'bridged': the picture cannot be read, the poses
            are interpolated between the frames beside it; 'unknown': it cannot be read and
            there are not two such frames, so that nobody is known.
        picture: BGR uint8 [H, W, 3], if it was asked for and can be read.
        heatmaps: [N, K, h, w] float32, if they were asked for and the frame was seen.
        crops: Where the N heatmaps lie in the picture; empty like these.
    """

    frame_index: int
    people: TrackedBoxes
    keypoints: np.ndarray
    scores: np.ndarray
    origin: Literal['seen', 'bridged', 'unknown'] = 'seen'
    picture: np.ndarray | None = None
    heatmaps: np.ndarray | None = None
    crops: tuple[Crop, ...] = ()

    def __len__(self) -> int:
        return len(self.people)


def interpolate_unreadable(frames: Iterable[FrameEstimate]) -> Iterator[FrameEstimate]:
    """Fill frames of origin 'unknown' between two that were seen.

    At most ``MAX_INTERPOLATED_FRAMES`` in a row are filled.

    People who are in both get poses and boxes on a straight line in time, and the line's scores
    times ``INTERPOLATED_SCORE_FACTOR``.

    Args:
        frames: Ascending by index.
    """
    before: FrameEstimate | None = None
    run: list[FrameEstimate] = []
    for frame in frames:
        if frame.origin == 'unknown':
            if len(run) == MAX_INTERPOLATED_FRAMES:
                # Too long to be bridged: nothing of it waits for its end.
                yield from run
                run, before = [], None
            if before is None:
                yield frame
            else:
                run.append(frame)
            continue
        if before is not None:
            yield from (_between(before, frame, missing) for missing in run)
        yield frame
        before, run = frame, []
    yield from run


def _between(before: FrameEstimate, after: FrameEstimate, missing: FrameEstimate) -> FrameEstimate:
    """The frame ``missing`` on the line between two frames that were seen."""
    shared, first, second = np.intersect1d(
        before.people.track_ids, after.people.track_ids, return_indices=True
    )
    # People keep the order they had.
    order = np.argsort(first)
    shared, first, second = shared[order], first[order], second[order]
    span = after.frame_index - before.frame_index
    share = (missing.frame_index - before.frame_index) / span

    def line(start: np.ndarray, end: np.ndarray) -> np.ndarray:
        return (1 - share) * start[first] + share * end[second]

    return replace(
        missing,
        people=TrackedBoxes(
            line(before.people.boxes, after.people.boxes),
            line(before.people.scores, after.people.scores) * INTERPOLATED_SCORE_FACTOR,
            shared,
        ),
        keypoints=line(before.keypoints, after.keypoints),
        scores=line(before.scores, after.scores) * INTERPOLATED_SCORE_FACTOR,
        origin='bridged',
    )


def unknown_frame(frame_index: int, num_joints: int) -> FrameEstimate:
    """A frame that cannot be read, before anything is known of its neighbours."""
    return FrameEstimate(
        frame_index, NO_PEOPLE, np.zeros((0, num_joints, 2)), np.zeros((0, num_joints)), 'unknown'
    )
