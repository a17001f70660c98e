"""Labelled videos for comparing propagators, and a propagator that knows the truth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from stdpose_mm.io.labels import write_posetrack18
from stdpose_mm.io.video import FrameSource, UnavailableFrames
from stdpose_mm.labelling.propagation import BasePropagator, Gap, GapPoses
from stdpose_mm.structures import POSETRACK_SKELETON, PersonLabel, Skeleton, VideoFrame, VideoLabels

PAIR = Skeleton(('tail', 'nose'), category='mouse')
HEAD_BOX = np.array([0.0, 0.0, 30.0, 40.0])


def mouse_video(
    name: str, heights: Mapping[int, float], frames: Sequence[int] | None = None
) -> VideoLabels:
    """Return a mouse of 100 px that lies level at the given height in each labelled frame."""
    people = [
        PersonLabel(t, np.array([[0.0, y], [100.0, y]]), np.array([2, 2]), track_id=4)
        for t, y in heights.items()
    ]
    listed = tuple(VideoFrame(t) for t in (heights if frames is None else frames))
    return VideoLabels(name, PAIR, listed, tuple(people))


def posetrack_video(name: str, frames: Sequence[int], acceleration: float) -> VideoLabels:
    """Return two people with all joints but the ears, moving sideways ever faster."""
    rng = np.random.default_rng(len(name))
    poses = rng.uniform(100, 200, (2, POSETRACK_SKELETON.num_keypoints, 2)).round(1)
    visibility = np.full(POSETRACK_SKELETON.num_keypoints, 2)
    visibility[[3, 4]] = 0
    people = []
    for t in frames:
        for track, pose in enumerate(poses):
            shift = np.array([250 * track + acceleration * (t - frames[0]) ** 2, 0.0])
            box = HEAD_BOX + np.array([100 + shift[0], 0, 0, 0])
            people.append(PersonLabel(t, pose + shift, visibility, track_id=track, head_box=box))
    listed = tuple(VideoFrame(t, file_name=f'{name}/{t:06d}.jpg', image_id=t) for t in frames)
    return VideoLabels(name, POSETRACK_SKELETON, listed, tuple(people))


class KnowingPropagator(BasePropagator):
    """Return the true poses.

    Args:
        truth: The video, frames counted from 0.
    """

    def __init__(self, *truth: VideoLabels) -> None:
        self.truth = {len(video.frames): video for video in truth}

    def propagate(
        self, frames: FrameSource, gaps: Sequence[Gap], skeleton: Skeleton
    ) -> Iterator[GapPoses]:
        tracks = self.truth[len(frames)].tracks()
        for gap in gaps:
            labels = [tracks[gap.track_id][frame] for frame in gap.frames]
            keypoints = np.stack([label.keypoints for label in labels])
            visibility = np.stack([label.visibility for label in labels])
            yield GapPoses(gap, gap.frames, keypoints, visibility, (visibility > 0).astype(float))


class SpyPropagator(BasePropagator):
    """Put everyone at the origin and record the arguments."""

    def __init__(self) -> None:
        self.gaps: list[Gap] = []
        self.num_frames: list[int] = []

    def propagate(
        self, frames: FrameSource, gaps: Sequence[Gap], skeleton: Skeleton
    ) -> Iterator[GapPoses]:
        self.gaps.extend(gaps)
        self.num_frames.append(len(frames))
        num_joints = skeleton.num_keypoints
        for gap in gaps:
            shape = len(gap.frames), num_joints
            yield GapPoses(
                gap, gap.frames, np.zeros((*shape, 2)), np.full(shape, 2), np.ones(shape)
            )


class Unreadable(UnavailableFrames):
    """Provide frames of which no picture may be read."""

    def __init__(self, length: int) -> None:
        super().__init__(length, 'a picture was read')


SLOW = posetrack_video('slow', range(7), acceleration=0.0)
FAST = posetrack_video('fast', range(3, 12), acceleration=4.0)


def write_slow_and_fast(folder: Path) -> Path:
    """Write label files of a still and of an accelerating video, one of them gzipped."""
    write_posetrack18(SLOW, folder / 'slow.json')
    write_posetrack18(FAST, folder / 'fast.json.gz')
    return folder
