"""Poses with track ids in every frame of a video: boxes, poses, identities and smoothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Protocol

import numpy as np

from stdpose_mm.detection import BoxedFrame, BoxSource
from stdpose_mm.detection.box_sources import Pictures
from stdpose_mm.io.video import FrameSource
from stdpose_mm.structures import FrameBoxes
from stdpose_mm.tracking.pose_identities import PoseIdentities
from stdpose_mm.tracking.smoothing import SURE_JOINT, PoseSmoother, TrackedPoses, smooth_tracks
from stdpose_mm.tracking.track_confirmation import MIN_TRACK_FRAMES, TrackConfirmation

from .frame_estimate import FrameEstimate


class PoseEstimator(Protocol):
    """Estimator of the poses of people whose boxes are known."""

    def estimate(
        self,
        frames: Iterable[BoxedFrame],
        max_waiting: int | None = None,
        keep_pictures: bool = False,
        keep_heatmaps: bool = False,
    ) -> Generator[FrameEstimate, None, None]:
        """See :meth:`~stdpose_mm.inference.video_pose_estimator.VideoPoseEstimator.estimate`."""
        ...


def estimate_video(
    pictures: Pictures,
    box_source: BoxSource,
    estimator: PoseEstimator,
    tracker: str = 'bytetrack',
    smoother: PoseSmoother | None = None,
    max_waiting: int | None = None,
    keep_pictures: bool = False,
    keep_heatmaps: bool = False,
    min_track_frames: int = MIN_TRACK_FRAMES,
) -> Generator[FrameEstimate, None, None]:
    """Estimate the poses of everyone in every frame of a video.

    A box source finds and tracks people, an estimator finds their poses, poses correct the track
    ids, detected people whose tracks are not confirmed are left out, and a filter smooths the
    poses. Track ids that the user did not give are numbered from 1 in order of appearance. Memory
    does not grow with the video. Another thread reads ``pictures`` until the generator ends or is
    closed.

    Args:
        pictures: The video, see :data:`~stdpose_mm.detection.box_sources.Pictures`.
        box_source: Finds the people.
        estimator: The model with its crops and its batch size.
        tracker: One of ``TRACKERS``.
        smoother: Filter of the joints; None leaves the poses as they are.
        max_waiting: See :meth:`VideoPoseEstimator.estimate`.
        keep_pictures: Whether results include the pictures. A frame that cannot be read shows the
            last readable one, as in video players, or black if there is none.
        keep_heatmaps: Whether results include the heatmaps.
        min_track_frames: See :class:`TrackConfirmation`. It applies to detected people and delays
            results by ``min_track_frames - 1`` frames, the first results by twice as many.

    Yields:
        Every frame, in ascending order; see :attr:`FrameEstimate.origin`.

    Raises:
        InputError: If a picture is not as described, boxes do not fit the video, or
            ``min_track_frames`` is not positive.
    """
    with closing(
        estimator.estimate(box_source(pictures), max_waiting, keep_pictures, keep_heatmaps)
    ) as estimated:
        estimates: Iterator[FrameEstimate] = estimated
        if tracker == 'oks':
            estimates = identify_by_pose(estimates)
        if box_source.needs_confirmation:
            estimates = confirm_tracks(estimates, TrackConfirmation(min_track_frames))
        if not box_source.gives_track_ids:
            estimates = number_tracks(estimates)
        if smoother is not None:
            estimates = smooth_poses(estimates, smoother)
        if keep_pictures:
            size = pictures.size if isinstance(pictures, FrameSource) else (0, 0)
            estimates = _repeat_last_picture(estimates, size)
        yield from estimates


def identify_by_pose(estimates: Iterable[FrameEstimate]) -> Iterator[FrameEstimate]:
    """Correct the track ids by :class:`PoseIdentities`.

    Args:
        estimates: Estimates in order of frames.
    """
    identities = PoseIdentities()
    for frame in estimates:
        people = identities.update(frame.frame_index, frame.people, frame.keypoints, frame.scores)
        yield replace(frame, people=people)


def confirm_tracks(
    estimates: Iterable[FrameEstimate], confirmation: TrackConfirmation
) -> Iterator[FrameEstimate]:
    """Leave out people whose tracks are not confirmed.

    Args:
        estimates: Estimates of a video in order of frames.
        confirmation: Decides which tracks are confirmed.
    """
    waiting: deque[FrameEstimate] = deque()

    def people() -> Iterator[FrameBoxes]:
        for frame in estimates:
            waiting.append(frame)
            yield frame.people

    for confirmed in confirmation(people()):
        yield waiting.popleft().select(confirmed)


def number_tracks(estimates: Iterable[FrameEstimate]) -> Iterator[FrameEstimate]:
    """Number the track ids 1, 2, 3, ... in order of appearance.

    Args:
        estimates: Estimates in order of frames.
    """
    numbers: dict[int, int] = {}
    for frame in estimates:
        ids = frame.people.track_ids.tolist()
        track_ids = np.array([numbers.setdefault(t, len(numbers) + 1) for t in ids], dtype=np.int64)
        yield replace(frame, people=replace(frame.people, track_ids=track_ids))


def smooth_poses(
    estimates: Iterable[FrameEstimate], smoother: PoseSmoother
) -> Iterator[FrameEstimate]:
    """Smooth the poses; results are delayed by the frames that the filter looks ahead.

    Joints with a score below ``SURE_JOINT`` are not smoothed, and end a run of smoothed frames.

    Args:
        estimates: Estimates in order of frames.
        smoother: The filter.
    """
    waiting: deque[FrameEstimate] = deque()

    def tracked() -> Iterator[TrackedPoses]:
        for frame in estimates:
            waiting.append(frame)
            yield TrackedPoses(
                frame.frame_index,
                frame.people.track_ids,
                frame.keypoints.astype(np.float64),
                frame.scores >= SURE_JOINT,
                np.sqrt(frame.people.boxes[:, 2:].prod(axis=1)),
            )

    for keypoints in smooth_tracks(tracked(), smoother, SURE_JOINT):
        yield replace(waiting.popleft(), keypoints=keypoints)


def _repeat_last_picture(
    estimates: Iterable[FrameEstimate], size: tuple[int, int]
) -> Iterator[FrameEstimate]:
    """Fill in the pictures of unreadable frames; ``size`` is (width, height)."""
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    for frame in estimates:
        picture = picture if frame.picture is None else frame.picture
        yield replace(frame, picture=picture)
