"""Poses with track ids in every frame of a video: boxes, poses, identities, smoothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import replace

import numpy as np

from stdpose_mm.detection import BoxSource
from stdpose_mm.detection.box_sources import Pictures
from stdpose_mm.io.video import FrameSource
from stdpose_mm.tracking.pose_identities import PoseIdentities
from stdpose_mm.tracking.smoothing import SURE_JOINT, PoseSmoother, TrackedPoses

from .frame_estimate import FrameEstimate
from .video_pose_estimator import VideoPoseEstimator


def estimate_video(
    pictures: Pictures,
    box_source: BoxSource,
    estimator: VideoPoseEstimator,
    tracker: str = 'bytetrack',
    smoother: PoseSmoother | None = None,
    max_waiting: int | None = None,
    keep_pictures: bool = False,
    keep_heatmaps: bool = False,
) -> Generator[FrameEstimate, None, None]:
    """Estimate the poses of everyone in every frame of a video.

    The one composition of inference: a box source finds and tracks people, an estimator finds
    their poses, poses correct the track ids, and a filter smooths them. Memory does not grow with
    the video. Another thread reads from ``pictures`` until the generator ends or is closed.

    Args:
        pictures: The video, see :data:`~stdpose_mm.detection.box_sources.Pictures`.
        box_source: Finds the people.
        estimator: The model with its crops and its batch size.
        tracker: One of ``TRACKERS``.
        smoother: Filter of the joints; None leaves the poses as they are.
        max_waiting: See :meth:`VideoPoseEstimator.estimate`.
        keep_pictures: Whether results hold the pictures. A frame that cannot be read shows the last
            one that could, as in video players, and black before the first.
        keep_heatmaps: Whether results hold the heatmaps.

    Yields:
        Every frame, ascending, none left out; see :attr:`FrameEstimate.origin`.

    Raises:
        InputError: If a picture is not as described, or boxes do not fit the video.
        ValueError: If ``max_waiting`` is not positive.
    """
    with closing(
        estimator.estimate(box_source(pictures), max_waiting, keep_pictures, keep_heatmaps)
    ) as estimated:
        estimates: Iterator[FrameEstimate] = estimated
        if tracker == 'oks':
            estimates = identify_by_pose(estimates)
        if smoother is not None:
            estimates = smooth_poses(estimates, smoother)
        if keep_pictures:
            size = pictures.size if isinstance(pictures, FrameSource) else (0, 0)
            estimates = _repeat_last_picture(estimates, size)
        yield from estimates


def identify_by_pose(estimates: Iterable[FrameEstimate]) -> Iterator[FrameEstimate]:
    """Correct the track ids by :class:`PoseIdentities`.

    Args:
        estimates: Ascending by index.
    """
    identities = PoseIdentities()
    for frame in estimates:
        people = identities.update(frame.frame_index, frame.people, frame.keypoints, frame.scores)
        yield replace(frame, people=people)


def smooth_poses(
    estimates: Iterable[FrameEstimate], smoother: PoseSmoother, min_score: float = SURE_JOINT
) -> Iterator[FrameEstimate]:
    """Smooth the poses, with a delay of ``smoother.delay`` frames.

    Args:
        estimates: Ascending by index.
        smoother: The filter.
        min_score: Joints that score less stay as they are and end a run.
    """
    waiting: deque[FrameEstimate] = deque()

    def tracked() -> Iterator[TrackedPoses]:
        for frame in estimates:
            waiting.append(frame)
            yield TrackedPoses(
                frame.frame_index,
                frame.people.track_ids,
                frame.keypoints.astype(np.float64),
                frame.scores >= min_score,
                np.sqrt(frame.people.boxes[:, 2:].prod(axis=1)),
            )

    for keypoints in smoother(tracked()):
        yield replace(waiting.popleft(), keypoints=keypoints)


def _repeat_last_picture(
    estimates: Iterable[FrameEstimate], size: tuple[int, int]
) -> Iterator[FrameEstimate]:
    """Fill in the pictures of frames that cannot be read; ``size`` is (width, height)."""
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    for frame in estimates:
        picture = picture if frame.picture is None else frame.picture
        yield replace(frame, picture=picture)
