"""Pose estimation by single frames in a video whose person boxes are known."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import chain
from typing import Protocol

import numpy as np

from stdpose_mm.detection import BoxedFrame
from stdpose_mm.structures import Skeleton

from .frame_estimate import FrameEstimate, interpolate_unreadable, split_by_frame
from .threads import prefetch
from .window_backend import fill_batches


class FrameNetwork(Protocol):
    """Network that sees single frames.

    Attributes:
        skeleton: Its K joints.
    """

    skeleton: Skeleton

    def find(
        self, pictures: Sequence[np.ndarray], boxes: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Find a person in each of N pictures.

        Args:
            pictures: BGR uint8 [H, W, 3].
            boxes: [N, 4] person boxes ``[x, y, w, h]`` in pixels.

        Returns:
            Keypoints [N, K, 2] in pixels of the pictures, and scores [N, K] in 0..1. The keypoints
            of a person that it does not see are NaN.
        """


class FramePoseEstimator:
    """Runner of a network that sees single frames over the people of a video.

    Batches of the network contain crops of several people and frames. A thread reads the frames a
    few frames ahead. Memory does not grow with the video's length.

    Args:
        network: The network.
        batch_size: Number of crops in one pass of the network.
    """

    def __init__(self, network: FrameNetwork, batch_size: int = 8) -> None:
        self.network = network
        self.batch_size = batch_size

    def estimate(
        self,
        frames: Iterable[BoxedFrame],
        max_waiting: int | None = None,
        keep_pictures: bool = False,
        keep_heatmaps: bool = False,
    ) -> Generator[FrameEstimate, None, None]:
        """Estimate the poses of everyone in every frame.

        See :meth:`~stdpose_mm.inference.video_pose_estimator.VideoPoseEstimator.estimate`; there
        are no heatmaps to keep. People whom the network does not see in a frame are left out.
        """
        limit = 2 * self.batch_size if max_waiting is None else max_waiting
        with closing(prefetch(frames)) as read:
            batches = fill_batches(read, _num_crops, self.batch_size, limit)
            estimates = (self._look(batch, keep_pictures) for batch in batches)
            yield from interpolate_unreadable(chain.from_iterable(estimates))

    def _look(self, frames: Sequence[BoxedFrame], keep_pictures: bool) -> Iterator[FrameEstimate]:
        """Estimate the poses of some frames together."""
        num_joints = self.network.skeleton.num_keypoints
        keypoints, scores = [np.zeros((0, num_joints, 2))], [np.zeros((0, num_joints))]
        crops = [
            (frame.picture, box)
            for frame in frames
            if frame.picture is not None
            for box in frame.people.boxes
        ]
        for start in range(0, len(crops), self.batch_size):
            pictures, boxes = zip(*crops[start : start + self.batch_size], strict=True)
            poses = self.network.find(pictures, np.stack(boxes))
            keypoints.append(poses[0])
            scores.append(poses[1])
        seen = (
            (index, None if picture is None else people, picture if keep_pictures else None)
            for index, picture, people in frames
        )
        for frame in split_by_frame(seen, np.concatenate(keypoints), np.concatenate(scores)):
            is_seen = ~np.isnan(frame.keypoints).any(axis=(1, 2))
            yield frame if is_seen.all() else frame.select(is_seen)


def _num_crops(frame: BoxedFrame) -> int:
    return 0 if frame.picture is None else len(frame.people)
